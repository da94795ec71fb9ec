package integration

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Apache unloads and loads the module at every restart. A process may hold at most 1,024 pthread keys and 1,664 bytes
// of surplus static TLS: 1,100 restarts would run out of either if the module kept one each time.
const (
	restartsInTest = 100
	restartsInSoak = 1100
	// Apache itself settles during the first ones.
	restartsToSettle = 20
	// What the parent may gain in all the restarts after that: less than 4 KB each even in the short run.
	residentSlackKB = 320
)

func TestGracefulRestartsLeaveTheParentLevel(t *testing.T) {
	restartGracefully(t, apachetest.Event, restartsInTest)
}

func TestSoakGracefulRestartsLeaveTheParentLevel(t *testing.T) {
	if os.Getenv("MODWSGI_SOAK") == "" {
		t.Log("the long run is for `make soak`; TestGracefulRestartsLeaveTheParentLevel does the same for less long")
		return
	}
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		t.Parallel() // Apache looks once a second whether a child is wanted: most of the time is waiting
		restartGracefully(t, mpm, restartsInSoak)
	})
}

func restartGracefully(t *testing.T, mpm apachetest.MPM, times int) {
	s := apachetest.Start(t, startupConfig(mpm, apachetest.Daemonized, false))
	stop := requestContinuously(t, s)
	defer stop()
	var before, after usage
	for n := 1; n <= times; n++ {
		former := answeringPid(t, s)
		s.Graceful(t)
		apachetest.Eventually(t, 20*time.Second, "a new child answers", func() bool { return answeringPid(t, s) != former })
		if n == restartsToSettle {
			before = usageOf(t, s)
		}
	}
	after = usageOf(t, s)
	served := stop()
	t.Logf("%s, %d graceful restarts, %d requests meanwhile: resident %d -> %d KB, descriptors %d -> %d",
		mpm, times, served, before.residentKB, after.residentKB, before.descriptors, after.descriptors)
	if after.residentKB > before.residentKB+residentSlackKB {
		t.Errorf("the parent grew from %d to %d KB", before.residentKB, after.residentKB)
	}
	if after.descriptors > before.descriptors {
		t.Errorf("the parent's open descriptors rose from %d to %d", before.descriptors, after.descriptors)
	}
	expectServing(t, s, "after all restarts")
	expectParentWithoutGo(t, s)
}

func answeringPid(t *testing.T, s *apachetest.Server) string {
	t.Helper()
	answer := s.Get(t, "/")
	if answer.Status != 200 {
		t.Fatalf("not served:\n%s", answer)
	}
	return string(answer.Body)
}

type usage struct{ residentKB, descriptors int }

func usageOf(t *testing.T, s *apachetest.Server) usage {
	t.Helper()
	resident, err := apachetest.ResidentKB(s.Pid())
	if err != nil {
		t.Fatal(err)
	}
	descriptors, err := apachetest.OpenFiles(s.Pid())
	if err != nil {
		t.Fatal(err)
	}
	return usage{resident, descriptors}
}

// requestContinuously sends one request after the other until it is stopped; none may fail, whatever happens meanwhile: a graceful
// restart interrupts nobody. The function that stops it may be called twice and returns how many were served.
func requestContinuously(t *testing.T, s *apachetest.Server) (stop func() int) {
	return requestContinuouslyOf(t, s, "/")
}

func requestContinuouslyOf(t *testing.T, s *apachetest.Server, path string) (stop func() int) {
	var over atomic.Bool
	var served atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			answer, err := fetch(s.URL(path))
			if err != nil || answer.StatusCode != 200 {
				t.Errorf("a request meanwhile failed: %v %v", answer, err)
				return
			}
			served.Add(1)
		}
	}()
	return func() int {
		over.Store(true)
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("a request meanwhile is never answered")
		}
		return int(served.Load())
	}
}
