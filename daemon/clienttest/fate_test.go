package clienttest

import (
	"strings"
	"testing"
	"time"

	"modwsgi/daemon"
)

// What a request that was lost knows of its process, from the board.

func TestALostRequestWaitsForTheFateOfItsProcess(t *testing.T) {
	for name, c := range map[string]struct {
		fate, before daemon.Fate
		says         string
		waits        bool // until nobody can be expected to say anything
	}{
		"said before":    {before: daemon.Fate{Serial: 5, PID: 55, Status: 11, Cause: 3, Value: 7}, says: "\n5 55 11 3 7"},
		"said later":     {fate: daemon.Fate{Serial: 5, PID: 55, Status: 9, Cause: 2, Value: 1 << 40}, before: daemon.Fate{Serial: 4, PID: 44}, says: "\n5 55 9 2 1099511627776"},
		"of a later one": {before: daemon.Fate{Serial: 6, PID: 66}, says: "\n0 1 0 0 0"},
		"never said":     {before: daemon.Fate{Serial: 4, PID: 44}, says: "\n0 1 0 0 0", waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, Limits{Socket: 5 * time.Second})
			lost := make(chan struct{})
			start(t, g, 0, 5, 1, func(*peer, *daemon.Request) bool { close(lost); return false })
			g.Board.SetFate(0, c.before)
			go func() {
				<-lost
				if c.fate.Serial != 0 {
					time.Sleep(100 * time.Millisecond) // what reaping a process takes
					g.Board.SetFate(0, c.fate)
				}
			}()
			begun := time.Now()
			got := g.Run(plain())
			took := time.Since(begun)
			if got.Code != 146 || !strings.HasSuffix(got.Detail, c.says) {
				t.Errorf("%+v, want detail with %q", got, c.says)
			}
			if waited := took > 1900*time.Millisecond; waited != c.waits || took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestARequestWithoutAProcessKnowsWhatIsWrong(t *testing.T) {
	g := newGroup(t, Limits{Connect: 10 * time.Millisecond})
	g.Board.SetHopeless(0, true, 0)
	g.Board.SetTrouble(0, daemon.Fate{Serial: 3, PID: 33, Status: 256, Cause: 5})
	if got := g.Run(plain()); got.Code != 116 || got.Detail != "\n3 33 256 5 0" {
		t.Errorf("%+v", got)
	}
}

func TestARequestDoesNotWaitForAGroupThatIsNotStarted(t *testing.T) {
	g := newGroup(t, Limits{Connect: time.Minute})
	g.Board.SetHopelessForEver(0)
	begun := time.Now()
	if got := g.Run(plain()); got.Code != 116 || got.RetryAfter != 0 || time.Since(begun) > 5*time.Second {
		t.Errorf("%+v after %v", got, time.Since(begun))
	}
}

func TestAProcessLearnsThatItsRequestWasGivenUp(t *testing.T) {
	g := newGroup(t, Limits{Socket: 50 * time.Millisecond})
	done := make(chan struct{})
	defer close(done)
	start(t, g, 0, 5, 1, func(*peer, *daemon.Request) bool { <-done; return false })
	before := g.Board.Silent(0)
	told := make(chan struct{})
	go func() {
		for g.Board.Silent(0) == before {
			g.Board.WaitForSilence(0, before)
		}
		close(told)
	}()
	if got := g.Run(plain()); got.Code != 145 || !strings.HasSuffix(got.Detail, "\n0 1 0 0 50") {
		t.Errorf("%+v", got)
	}
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Error("the process was not told")
	}
}
