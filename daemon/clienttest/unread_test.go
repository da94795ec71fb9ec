package clienttest

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

// startDying plays a process that looks at requests, and ends before it takes one out of its socket; another one follows it on the board at once if
// it is reborn.
func startDying(t *testing.T, g *Group, reborn bool) (ends *atomic.Int32) {
	t.Helper()
	const slot, serial = 0, 1
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("%s.%d.sock", g.Socket, serial), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ends = &atomic.Int32{}
	go func() {
		for {
			connection, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			waitForRequest(t, connection)
			ends.Add(1)
			word := daemon.SlotWord{Serial: serial}
			if reborn {
				word.State, word.Permits = daemon.SlotReady, 9
			}
			g.Board.SetSlot(slot, word, 1, 9)
			connection.Close()
		}
	}()
	g.Board.SetSlot(slot, daemon.SlotWord{Serial: serial, State: daemon.SlotReady, Permits: 9}, 1, 9)
	return ends
}

// waitForRequest returns when something is in the socket, which it leaves there.
func waitForRequest(t *testing.T, connection *net.UnixConn) {
	raw, err := connection.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool {
			n, _, err := unix.Recvfrom(int(fd), make([]byte, 64), unix.MSG_PEEK|unix.MSG_DONTWAIT)
			return err == nil && n > 0
		})
	}
	if err != nil {
		t.Error(err)
	}
}

func TestARequestThatNoProcessHasTakenIsSentToAnother(t *testing.T) {
	g := newGroup(t, Limits{Processes: 2})
	ends := startDying(t, g, false)
	start(t, g, 1, 2, 1, func(p *peer, _ *daemon.Request) bool {
		p.send(begin(), data("second", 0), empty(daemon.End))
		return true
	})
	if got := g.Run(plain()); got.Result != answered || string(got.Answer) != "second" || ends.Load() != 1 {
		t.Errorf("%+v, after %d processes have ended", got, ends.Load())
	}
}

// Or one that makes processes crash before it runs would end all there are.
func TestARequestThatEndsOneProcessAfterTheOtherIsGivenUp(t *testing.T) {
	g := newGroup(t, Limits{Processes: 2, Connect: 10 * time.Second})
	ends := startDying(t, g, true)
	if got := g.Run(plain()); got.Code != 146 || ends.Load() != 4 {
		t.Errorf("%+v, after %d processes have ended", got, ends.Load())
	}
}

// Once the application has asked for the body, it runs.
func TestARequestThatWasRunningIsNotSentAgain(t *testing.T) {
	g := newGroup(t, Limits{Processes: 2})
	asked := make(chan struct{})
	start(t, g, 0, 1, 9, func(p *peer, _ *daemon.Request) bool {
		p.send(daemon.AppendWant(nil, 10))
		waitForRequest(t, p.UnixConn) // the answer stays in the socket
		close(asked)
		return false
	})
	start(t, g, 1, 2, 1, func(p *peer, _ *daemon.Request) bool {
		t.Error("it was sent to another process")
		return false
	})
	r := plain()
	r.ContentLength, r.Body = 10, []byte("0123456789")
	if got := g.Run(r); got.Code != 146 && got.Code != 147 {
		t.Errorf("%+v", got)
	}
	<-asked
}
