package supervisor

import (
	"io"
	"slices"
	"sync/atomic"
	"testing"
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

// Python is not started while Apache's first child is: clients wait for that one.
func TestTheFirstChildIsTakenOutOfTheRings(t *testing.T) {
	var rung []uint32
	child, ring := untilChild(func(number uint32) { rung = append(rung, number) })
	ring(3)
	select {
	case <-child:
		t.Error("a ring for a group was taken for a child")
	default:
	}
	for range 2 {
		ring(bellChild)
		<-child
	}
	if !slices.Equal(rung, []uint32{3}) {
		t.Errorf("groups that were rung for: %v", rung)
	}
}
