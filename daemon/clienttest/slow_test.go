package clienttest

import (
	"bytes"
	"testing"
	"time"

	"modwsgi/daemon"
)

// What the client does with a transport whose own client is slow.

func TestABodyThatIsCollectedTravelsWithTheRequest(t *testing.T) {
	g := newGroup(t, Limits{Queue: 100 * time.Millisecond})
	var got *daemon.Request
	start(t, g, 0, 1, 1, func(c *peer, r *daemon.Request) bool { got = r; return hello(c, r) })
	r := plain()
	r.Body = bytes.Repeat([]byte("0123456789"), 1000)
	r.AtOnce, r.ContentLength, r.Collect = 5, int64(len(r.Body)), 150*time.Millisecond
	if out := g.Run(r); out.Result != answered || out.Code != 0 { // receiving is not waiting in the queue
		t.Fatalf("%+v", out)
	}
	if !got.Complete || !bytes.Equal(got.Window, r.Body) {
		t.Errorf("complete: %v, %d bytes", got.Complete, len(got.Window))
	}
	if waited := time.UnixMicro(int64(got.Queued)).Sub(time.UnixMicro(int64(got.Start))); waited < r.Collect || waited > time.Minute {
		t.Errorf("it is in the queue since %v after it was received", waited)
	}
}

func TestAnAnswerEndsWhenItsSlowClientIsGone(t *testing.T) {
	for _, c := range []struct{ await, result, code int }{{-1, answered, 0}, {0, cut, 119}} {
		g := newGroup(t, Limits{Socket: 50 * time.Millisecond})
		closed := make(chan bool, 1)
		start(t, g, 0, 1, 1, func(p *peer, _ *daemon.Request) bool {
			p.send(begin(), data("block", 0))
			_, _, err := p.frame()
			closed <- err != nil
			return false
		})
		r := plain()
		r.Await = c.await
		if out := g.Run(r); out.Result != c.result || out.Code != c.code || string(out.Answer) != "block" {
			t.Errorf("await answers %d: %+v", c.await, out)
		}
		if !<-closed {
			t.Error("the process is not told")
		}
	}
}
