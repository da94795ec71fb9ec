package integration

import (
	"fmt"
	"regexp"
	"testing"
	"time"
)

func TestAProcessThatLeaksIsReplacedAndFailsNoRequest(t *testing.T) {
	const limit = 64 << 20
	s := lifeServer(t, fmt.Sprintf("processes=2 threads=3 memory-recycle=%d", limit), "")
	former := waitProcesses(t, s, 2)
	stop := requestContinuouslyOf(t, s, "/keep?300")
	defer stop()
	stopToo := requestContinuouslyOf(t, s, "/keep?300")
	defer stopToo()
	for range 2 { // successors leak as well
		former = waitProcesses(t, s, 2, former...)
	}
	t.Logf("%d requests were served", stop()+stopToo())
	s.WaitLog(t, fmt.Sprintf(`is to be replaced, and serves until its successor is ready: it holds .* bytes, and memory-recycle=%d allows`, limit))
	s.WaitLog(t, `daemon process \d+ of group .* is to be replaced: memory_recycle`)
	s.WaitLog(t, `is ready and replaces process`)
}

func TestALimitOfMemoryThatIsTooLowIsToldOnce(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=3 memory-recycle=2000000", "")
	former := waitProcesses(t, s, 1)
	stop := requestContinuouslyOf(t, s, "/pid")
	defer stop()
	const told = `wsgi:warn.*memory-recycle=2000000 .*: the option is too low`
	s.WaitLog(t, told)
	time.Sleep(1500 * time.Millisecond) // long enough for another look at its memory: nothing happens that could be waited for
	stop()
	if pid := pidOf(t, s.Get(t, "/pid")); pid != former[0] {
		t.Errorf("process %d was replaced by %d", former[0], pid)
	}
	if n := len(regexp.MustCompile(told).FindAllString(s.Log(), -1)); n != 1 {
		t.Errorf("told %d times", n)
	}
}
