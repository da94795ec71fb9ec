package clienttest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

// Results of mwd_run, as in gateway.h.
const (
	answered = 0
	cut      = -1
	short    = -2
)

func hello(c *peer, _ *daemon.Request) bool {
	c.last = append(append(begin(daemon.Field{Name: "X-A", Value: "1"}), data("hello", 0)...), empty(daemon.End)...)
	return true
}

func plain() Request {
	return Request{FailWriteAfter: -1, Await: 1, Environ: []string{"REQUEST_METHOD", "GET"}, Timeout: 5 * time.Second}
}

func TestAnAnswerReachesTheTransport(t *testing.T) {
	g := newGroup(t, Limits{})
	p := start(t, g, 0, 1, 1, hello)
	for range 100 {
		got := g.Run(plain())
		if got.Result != answered || got.Code != 0 || string(got.Answer) != "hello" || got.Trace != "begin:200:200 OK header:X-A=1 " {
			t.Fatalf("%+v", got)
		}
	}
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections for 100 requests in turn", n)
	}
}

func TestARequestArrivesWhole(t *testing.T) {
	g := newGroup(t, Limits{})
	var got *daemon.Request
	start(t, g, 0, 1, 1, func(c *peer, r *daemon.Request) bool { got = r; return hello(c, r) })
	r := plain()
	r.Environ = []string{"PATH_INFO", "/\xe9", "EMPTY", ""}
	r.Body, r.AtOnce, r.ContentLength = []byte("a\x00body"), 6, 6
	if out := g.Run(r); out.Result != answered {
		t.Fatalf("%+v", out)
	}
	if got.ApplicationGroup != "group" || got.Script != "/srv/app.wsgi" || got.Callable != "application" || got.Flags != 16 || !got.Complete ||
		string(got.Window) != "a\x00body" || len(got.Environ) != 2 || string(got.Environ[0].Value) != "/\xe9" || got.Environ[1].Value == nil {
		t.Errorf("%+v", got)
	}
	if age := time.Since(time.UnixMicro(int64(got.Queued))); age < 0 || age > time.Minute || got.Start > got.Queued+1000 {
		t.Errorf("received %d, queued %d", got.Start, got.Queued)
	}
}

func TestTheBodyIsReadOnDemand(t *testing.T) {
	g := newGroup(t, Limits{})
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	var received []byte
	start(t, g, 0, 1, 1, func(c *peer, r *daemon.Request) bool {
		received = append([]byte{}, r.Window...)
		for {
			kind, block := c.want(100_000)
			received = append(received, block...)
			if kind != daemon.Body || len(block) > 100_000 {
				break
			}
		}
		return hello(c, r)
	})
	r := plain()
	r.Body, r.AtOnce, r.ContentLength = body, 1000, int64(len(body))
	if out := g.Run(r); out.Result != answered || !bytes.Equal(received, body) {
		t.Errorf("%+v; %d bytes received", out, len(received))
	}
	start(t, g, 0, 2, 1, hello)
	if out := g.Run(r); out.Result != answered || strings.Contains(out.Trace, "read") {
		t.Errorf("a body that nobody wants: %s", out.Trace)
	}
}

func TestABodyThatCanNotBeReadIsToldToTheProcess(t *testing.T) {
	g := newGroup(t, Limits{})
	var reason string
	start(t, g, 0, 1, 1, func(c *peer, r *daemon.Request) bool {
		kind, payload := c.want(10)
		if failure, err := daemon.ParseFailure(payload); err == nil && kind == daemon.BodyFailed {
			reason = failure.Text
		}
		return hello(c, r)
	})
	r := plain()
	r.Body, r.ContentLength, r.FailRead = []byte("abc"), 3, true
	if out := g.Run(r); out.Result != answered || reason != "the client hung up" {
		t.Errorf("%+v, reason %q", out, reason)
	}
}

func TestHowAnswersEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		frames [][]byte
		keep   bool
		result int
		code   int
		trace  string
	}{
		{name: "complete", frames: [][]byte{begin(), data("x", 0), empty(daemon.End)}, keep: true},
		{name: "short", frames: [][]byte{begin(), daemon.AppendHeader(nil, daemon.Header{Type: daemon.End, Flags: daemon.FlagShort})}, keep: true, result: short},
		{name: "cut", frames: [][]byte{begin(), data("x", 0), daemon.AppendFailure(nil, daemon.Abort, daemon.Failure{Status: 500})}, keep: true, result: cut},
		{name: "failed", frames: [][]byte{daemon.AppendFailure(nil, daemon.Fail, daemon.Failure{Status: 404})}, keep: true, result: 404},
		{name: "log of the application's", frames: [][]byte{daemon.AppendLog(nil, daemon.LogRecord{Level: 6, Line: 12, File: "/srv/app.py", Text: "a line"}), begin(), empty(daemon.End)}, keep: true, trace: "log:6:a line from:/srv/app.py:12 "},
		{name: "log", frames: [][]byte{daemon.AppendLog(nil, daemon.LogRecord{Level: 3, Text: "a line"}), begin(), empty(daemon.End)}, keep: true, trace: "log:3:a line "},
		{name: "closed before it began", result: 0, code: 146},
		{name: "closed after it began", frames: [][]byte{begin(), data("x", 0)}, result: cut, code: 119},
		{name: "closed within a frame", frames: [][]byte{begin(), data("xyz", 0)[:10]}, result: cut, code: 119},
		{name: "garbage", frames: [][]byte{[]byte("HTTP/1.1 200 OK\r\n\r\n")}, keep: true, code: 147},
		{name: "garbage after it began", frames: [][]byte{begin(), []byte("garbage garbage")}, keep: true, result: cut, code: 119},
		{name: "a child's frame", frames: [][]byte{empty(daemon.BodyEnd)}, keep: true, code: 147},
		{name: "data before it began", frames: [][]byte{data("x", 0)}, keep: true, code: 147},
		{name: "two beginnings", frames: [][]byte{begin(), begin()}, keep: true, result: cut, code: 119},
		{name: "end without a beginning", frames: [][]byte{empty(daemon.End)}, keep: true, code: 147},
		{name: "failed after it began", frames: [][]byte{begin(), daemon.AppendFailure(nil, daemon.Fail, daemon.Failure{Status: 404})}, keep: true, result: cut, code: 119},
		{name: "a status that is none", frames: [][]byte{daemon.AppendFailure(nil, daemon.Fail, daemon.Failure{Status: 200})}, keep: true, code: 147},
		{name: "a long header", frames: [][]byte{begin(daemon.Field{Name: "X", Value: strings.Repeat("x", 40_000)}), empty(daemon.End)}, keep: true, code: 144},
		{name: "a file without a descriptor", frames: [][]byte{begin(), daemon.AppendFile(nil, daemon.FileRange{Length: 1})}, keep: true, result: cut, code: 119},
		{name: "silence", limits: Limits{Socket: 50 * time.Millisecond}, keep: true, code: 145},
		{name: "silence after it began", limits: Limits{Socket: 50 * time.Millisecond}, frames: [][]byte{begin()}, keep: true, result: cut, code: 119},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGroup(t, c.limits)
			start(t, g, 0, 1, 1, func(p *peer, _ *daemon.Request) bool {
				p.send(c.frames...)
				return c.keep
			})
			got := g.Run(plain())
			if got.Result != c.result || got.Code != c.code || !strings.Contains(got.Trace, c.trace) {
				t.Errorf("%+v", got)
			}
			start(t, g, 1, 2, 1, hello)
			g.Board.SetSlot(0, daemon.SlotWord{}, 0, 0)
			if again := g.Run(plain()); again.Result != answered {
				t.Errorf("the next request: %+v", again)
			}
		})
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	g := newGroup(t, Limits{})
	other := daemon.AppendHello(nil, daemon.ServerHello)
	other[len(other)-1]++
	listener := start(t, g, 0, 1, 1, func(p *peer, _ *daemon.Request) bool { return false })
	listener.listener.Close()
	path := g.Socket + ".1.sock"
	os.Remove(path)
	raw, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(raw, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(raw, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(raw)
	go func() {
		fd, _, err := unix.Accept(raw)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		_, _ = unix.Write(fd, other)
		_, _ = unix.Read(fd, make([]byte, 4096))
	}()
	if got := g.Run(plain()); got.Code != 147 || !strings.Contains(got.Detail, fmt.Sprintf("speaks version %d", daemon.Version+1)) {
		t.Errorf("%+v", got)
	}
}

func TestAProcessThatIsReplacedSendsTheRequestToItsSuccessor(t *testing.T) {
	g := newGroup(t, Limits{})
	again := func(c *peer, _ *daemon.Request) bool { c.last = empty(daemon.Again); return true }
	start(t, g, 0, 1, 1, again)
	var body []byte
	ready := time.AfterFunc(50*time.Millisecond, func() {
		start(t, g, 1, 2, 1, func(c *peer, r *daemon.Request) bool { body = r.Window; return hello(c, r) })
	})
	defer ready.Stop()
	r := plain()
	r.Body, r.AtOnce, r.ContentLength = []byte("abc"), 3, 3
	if got := g.Run(r); got.Result != answered || got.Restarts != 1 || string(body) != "abc" {
		t.Errorf("%+v, body %q", got, body)
	}
	for serial := uint32(3); serial < 8; serial++ {
		start(t, g, int(serial)%4, serial, 1, again)
	}
	if got := g.Run(plain()); got.Code != 124 {
		t.Errorf("everybody sends it back: %+v", got)
	}
}

func TestARequestDoesNotWaitForASuccessorThatThereWillNotBe(t *testing.T) {
	g := newGroup(t, Limits{})
	var asked atomic.Int32
	start(t, g, 0, 1, 1, func(c *peer, r *daemon.Request) bool {
		if asked.Add(1) == 1 {
			c.last = empty(daemon.Again)
			return true
		}
		return hello(c, r)
	})
	lift := time.AfterFunc(50*time.Millisecond, func() { g.Board.Lift(0) })
	defer lift.Stop()
	began := time.Now()
	if got := g.Run(plain()); got.Result != answered || got.Restarts != 1 || time.Since(began) < 40*time.Millisecond {
		t.Errorf("%+v after %v", got, time.Since(began))
	}
	asked.Store(0) // what was lifted before has no meaning for a request that comes later
	lift.Reset(50 * time.Millisecond)
	began = time.Now()
	if got := g.Run(plain()); got.Result != answered || time.Since(began) < 40*time.Millisecond {
		t.Errorf("%+v after %v", got, time.Since(began))
	}
}

func TestARequestGoesToAnotherProcessThatHasItsScript(t *testing.T) {
	g := newGroup(t, Limits{Processes: 3})
	elsewhere := func(c *peer, _ *daemon.Request) bool {
		c.last = daemon.AppendHeader(nil, daemon.Header{Type: daemon.Again, Flags: daemon.FlagElsewhere})
		return true
	}
	start(t, g, 0, 1, 5, elsewhere)
	start(t, g, 1, 2, 4, elsewhere)
	has := start(t, g, 2, 3, 1, hello)
	for range 3 {
		if got := g.Run(plain()); got.Result != answered || got.Restarts != 2 {
			t.Errorf("%+v", got)
		}
	}
	g.Board.SetSlot(2, daemon.SlotWord{}, 0, 0)
	has.listener.Close()
	if got := g.Run(plain()); got.Code != 124 {
		t.Errorf("nobody has it: %+v", got)
	}
}

// Waiting for a successor, it is not sent back to where it has just come from.
func TestARequestWaitsForASuccessorElsewhere(t *testing.T) {
	g := newGroup(t, Limits{Processes: 2})
	var asked, served atomic.Int32
	start(t, g, 0, 1, 5, func(c *peer, _ *daemon.Request) bool { c.last = empty(daemon.Again); return true })
	start(t, g, 1, 2, 4, func(c *peer, _ *daemon.Request) bool {
		asked.Add(1)
		c.last = daemon.AppendHeader(nil, daemon.Header{Type: daemon.Again, Flags: daemon.FlagElsewhere})
		return true
	})
	ready := time.AfterFunc(50*time.Millisecond, func() {
		start(t, g, 2, 3, 1, func(c *peer, r *daemon.Request) bool { served.Add(1); return hello(c, r) })
	})
	defer ready.Stop()
	if got := g.Run(plain()); got.Result != answered || got.Restarts != 2 || asked.Load() != 1 || served.Load() != 1 {
		t.Errorf("%+v", got)
	}
}

func TestFilesComeAsDescriptors(t *testing.T) {
	g := newGroup(t, Limits{})
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("0123456789"); err != nil {
		t.Fatal(err)
	}
	start(t, g, 0, 1, 1, func(c *peer, _ *daemon.Request) bool {
		c.send(begin())
		_, _, _ = c.WriteMsgUnix(daemon.AppendFile(nil, daemon.FileRange{Offset: 2, Length: 5}), unix.UnixRights(int(file.Fd())), nil)
		c.last = empty(daemon.End)
		return true
	})
	before := descriptors(t)
	for range 50 {
		if got := g.Run(plain()); got.Result != answered || string(got.Answer) != "23456" || !strings.Contains(got.Trace, "file:2+5") {
			t.Fatalf("%+v", got)
		}
	}
	if after := descriptors(t); after > before+2 { // the connection's two ends
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestBlocksAreFlushedWhenTheProcessPauses(t *testing.T) {
	g := newGroup(t, Limits{FlushDelay: 5 * time.Millisecond})
	next := make(chan bool)
	start(t, g, 0, 1, 1, func(c *peer, _ *daemon.Request) bool {
		c.send(begin(), data("a", daemon.FlagFlush), data("b", daemon.FlagFlush))
		<-next
		c.last = append(data("c", daemon.FlagFlush), empty(daemon.End)...)
		return true
	})
	time.AfterFunc(100*time.Millisecond, func() { close(next) })
	if got := g.Run(plain()); got.Result != answered || string(got.Answer) != "abc" || strings.Count(got.Trace, "flush") != 1 {
		t.Errorf("%+v", got)
	}
	g = newGroup(t, Limits{ResponseBuffer: 100})
	start(t, g, 0, 1, 1, func(c *peer, _ *daemon.Request) bool {
		c.last = append(append(begin(), data(strings.Repeat("x", 1000), 0)...), empty(daemon.End)...)
		return true
	})
	if got := g.Run(plain()); !strings.Contains(got.Trace, "flush") {
		t.Errorf("response-buffer-size: %+v", got.Trace)
	}
}

func TestAClientThatGoesEndsTheConnection(t *testing.T) {
	g := newGroup(t, Limits{})
	noticed := make(chan bool, 1)
	start(t, g, 0, 1, 1, func(c *peer, _ *daemon.Request) bool {
		c.send(begin())
		for range 1000 {
			if _, err := c.Write(data(strings.Repeat("x", 10_000), 0)); err != nil {
				noticed <- true
				return false
			}
		}
		noticed <- false
		return false
	})
	r := plain()
	r.FailWriteAfter = 50_000
	if got := g.Run(r); got.Result != answered || got.Code != 0 {
		t.Errorf("%+v", got)
	}
	if !<-noticed {
		t.Error("the process could write on")
	}
}

func TestAnAnswerThatIsDroppedIsReadToItsEnd(t *testing.T) {
	g := newGroup(t, Limits{})
	p := start(t, g, 0, 1, 1, hello)
	r := plain()
	r.DropWith = 404
	for range 3 {
		if got := g.Run(r); got.Result != 404 || len(got.Answer) != 0 || got.Trace != "" {
			t.Errorf("%+v", got)
		}
	}
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTheQueue(t *testing.T) {
	t.Run("nobody there", func(t *testing.T) {
		g := newGroup(t, Limits{Connect: 50 * time.Millisecond})
		g.Board.SetHopeless(0, true, 3*time.Second)
		if got := g.Run(plain()); got.Code != 116 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("silence", func(t *testing.T) {
		g := newGroup(t, Limits{Connect: time.Millisecond, Socket: 50 * time.Millisecond})
		if got := g.Run(plain()); got.Code != 145 || got.RetryAfter < 1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("too late", func(t *testing.T) {
		g := newGroup(t, Limits{Queue: 50 * time.Millisecond})
		if got := g.Run(plain()); got.Code != 84 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a socket that is gone", func(t *testing.T) {
		g := newGroup(t, Limits{})
		g.Board.SetSlot(0, daemon.SlotWord{Serial: 9, State: daemon.SlotReady, Permits: 1}, 1, 1)
		time.AfterFunc(10*time.Millisecond, func() { start(t, g, 1, 10, 1, hello) })
		if got := g.Run(plain()); got.Result != answered || got.Code != 0 || got.Restarts != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("in turn", func(t *testing.T) {
		g := newGroup(t, Limits{})
		start(t, g, 0, 1, 3, func(c *peer, r *daemon.Request) bool { time.Sleep(time.Millisecond); return hello(c, r) })
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				for range 20 {
					if got := g.Run(plain()); got.Result != answered || got.Code != 0 {
						t.Errorf("%+v", got)
					}
				}
			})
		}
		wait.Wait()
		if w := g.Board.Slot(0); w.Permits != 3 || g.Board.Queue(0).Waiting != 0 {
			t.Errorf("at the end %+v, %+v", w, g.Board.Queue(0))
		}
	})
}
