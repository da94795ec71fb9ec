package servetest

import (
	"testing"

	"modwsgi/daemon"
)

func TestMemoryRecycleReplacesTheProcess(t *testing.T) {
	p := begin(t, "threads=1 memory-recycle=134217728")
	must(t, p.Expect(daemon.Ready, ""))
	path := app(t, "sys.kept = getattr(sys, 'kept', b'') + b'x' * (60 << 20)")
	answers(t, p, path, "done")
	for range 3 {
		answers(t, p, path, "done")
	}
	must(t, p.Expect(daemon.Due, "memory_recycle"))
	must(t, p.ExpectLog("memory-recycle=134217728 allows it 1"))
	answers(t, p, path, "done") // until its successor is ready
	must(t, p.Order(daemon.Retire, "memory_recycle"))
	must(t, p.Expect(daemon.Ending, "memory_recycle"))
	must(t, p.ExpectEnd(0))
}

func TestRequestsAreCountedOnTheBoard(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	path, before := app(t), p.Board.Served(0)
	for i := range uint32(3) {
		answers(t, p, path, "done")
		if got := p.Board.Served(0) - before; got != i+1 {
			t.Errorf("%d are counted after %d", got, i+1)
		}
	}
}
