package supervisor

import (
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"modwsgi/daemon"
)

// The supervisor of one configuration keeps its processes while those of the next one are not ready, or still use them.
func TestProcessesStayUntilTheirSuccessorsAreReady(t *testing.T) {
	fd := memfd(t)
	board, err := daemon.FormatBoard(fd, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	board.Lend(time.Hour)
	s := &Surroundings{Control: closedReader{}, Users: closedReader{}, Parent: func() bool { return true }}
	over := make(chan struct{})
	go func() { s.wait(board, new(atomic.Bool), rings(s.Users, func(uint32) {})); close(over) }()
	time.AfterFunc(3*parentWatch, func() { board.Lend(0) })
	began := time.Now()
	<-over
	if took := time.Since(began); took < 3*parentWatch {
		t.Errorf("it waited for %v only", took)
	}
}

type closedReader struct{}

func (closedReader) Read([]byte) (int, error) { return 0, io.EOF }

func (closedReader) Write(p []byte) (int, error) { return len(p), nil }

// Python is not started while Apache's children are: clients wait for those.
func TestChildrenAreAwaitedUntilNoMoreCome(t *testing.T) {
	var rung []uint32
	children, ring := tellChildren(func(number uint32) { rung = append(rung, number) })
	if ring(3); len(children) != 0 || !slices.Equal(rung, []uint32{3}) {
		t.Errorf("a ring for a group is not passed on: %v", rung)
	}
	if ring(bellChild); len(children) != 1 || len(rung) != 1 {
		t.Errorf("a child was taken for a ring: %v", rung)
	}
	for _, c := range []struct {
		what  string
		every time.Duration // a child comes
		times int
		gone  bool
		want  time.Duration
	}{
		{"three children", childPause / 2, 3, false, 3*childPause/2 + childPause},
		{"a child without an end of others", childPause / 2, 1000, false, childrenWait},
		{"no child", 0, 0, false, childrenWait},
		{"children that all have gone", 0, 0, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			gone, began := make(chan struct{}), time.Now()
			children, ring := tellChildren(nil)
			if c.gone {
				close(gone)
			}
			done := make(chan struct{})
			defer close(done)
			go func() {
				for range c.times {
					select {
					case <-time.After(c.every):
						ring(bellChild)
					case <-done:
						return
					}
				}
			}()
			awaitChildren(children, gone)
			if took := time.Since(began); took != c.want {
				t.Errorf("%s: awaited for %v instead of %v", c.what, took, c.want)
			}
		})
	}
}
