package clienttest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"modwsgi/daemon"
)

// FuzzAnswers: whatever a process sends, the request ends, says what went wrong, and the next one is served.
func FuzzAnswers(f *testing.F) {
	for _, frames := range [][]byte{
		append(append(begin(daemon.Field{Name: "X-A", Value: "1"}), data("hello", daemon.FlagFlush)...), empty(daemon.End)...),
		append(daemon.AppendWant(nil, 3), begin()...),
		append(daemon.AppendLog(nil, daemon.LogRecord{Level: 3, Text: "a line"}), daemon.AppendFailure(nil, daemon.Fail, daemon.Failure{Status: 500})...),
		append(begin(), daemon.AppendFile(nil, daemon.FileRange{Offset: 1, Length: 2})...),
		append(begin(), daemon.AppendFailure(nil, daemon.Abort, daemon.Failure{Status: 500, Text: "late"})...),
	} {
		f.Add(frames)
		random := rand.New(rand.NewPCG(1, uint64(len(frames))))
		for range 200 {
			spoiled := append([]byte{}, frames...)
			for range 1 + random.IntN(3) {
				spoiled[random.IntN(len(spoiled))] = byte(random.IntN(256))
			}
			f.Add(spoiled[:random.IntN(len(spoiled)+1)])
		}
	}
	g := newGroup(f, Limits{Socket: 5 * time.Second})
	serial := uint32(0)
	f.Fuzz(func(t *testing.T, frames []byte) {
		serial += 2
		g.Board.SetSlot(1, daemon.SlotWord{}, 0, 0)
		start(t, g, 0, serial, 1, func(c *peer, _ *daemon.Request) bool {
			c.send(frames)
			return false
		})
		r := plain()
		r.Body, r.ContentLength = []byte("abc"), 3
		got := g.Run(r)
		ended := got.Result == answered || got.Result == short || got.Result == cut || got.Result >= 400 && got.Result <= 599
		if !ended || got.Result == cut && got.Code == 0 && !strings.Contains(string(frames), string([]byte{byte(daemon.Abort)})) {
			t.Errorf("%x: %+v", frames, got)
		}
		start(t, g, 1, serial+1, 1, hello)
		g.Board.SetSlot(0, daemon.SlotWord{}, 0, 0)
		if again := g.Run(plain()); again.Result != answered || again.Code != 0 {
			t.Errorf("the request after %x: %+v", frames, again)
		}
	})
}
