package supervisor

import (
	"io"
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
	go func() { s.wait(board, new(atomic.Bool), func(uint32) {}); close(over) }()
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
