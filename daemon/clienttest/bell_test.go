package clienttest

import (
	"encoding/binary"
	"os"
	"sync"
	"testing"
	"time"
)

// rings are what the supervisor would read; the test fails if it is not exactly that.
func rings(t *testing.T, pipe *os.File, want ...uint32) {
	t.Helper()
	for _, w := range want {
		var number [4]byte
		_ = pipe.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := pipe.Read(number[:]); err != nil || binary.NativeEndian.Uint32(number[:]) != w {
			t.Fatalf("group %d rang, want %d: %v", binary.NativeEndian.Uint32(number[:]), w, err)
		}
	}
	_ = pipe.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := pipe.Read(make([]byte, 64)); err == nil {
		t.Fatalf("%d bytes more came", n)
	}
}

func TestARequestThatWaitsRingsOnce(t *testing.T) {
	g := newGroup(t, Limits{})
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	g.SetBell(int(writer.Fd()), 7)
	var done sync.WaitGroup
	ask := func() {
		done.Go(func() {
			if got := g.Run(plain()); got.Result != answered {
				t.Errorf("%+v", got)
			}
		})
	}
	wait := func(n int) {
		for end := time.Now().Add(10 * time.Second); g.Board.Waiting(0) < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d requests wait, not %d", g.Board.Waiting(0), n)
			}
		}
	}
	ask()
	wait(1)
	rings(t, reader) // nobody wants to know
	g.Board.SetBell(0, 1)
	g.Board.Wake(0)
	rings(t, reader, 7)
	ask()
	wait(2)
	rings(t, reader) // it is known
	g.Board.SetBell(0, 2)
	ask()
	rings(t, reader, 7)
	start(t, g, 0, 1, 3, hello)
	done.Wait()
	g.Board.SetBell(0, 3)
	ask()
	done.Wait()
	rings(t, reader) // a thread was free
}
