package integration

import (
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Apache alone waits for a second after a graceful restart before it starts children, as long as no old child ends.
func TestAGracefulRestartDoesNotPauseForASecond(t *testing.T) {
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		t.Parallel()
		var took []time.Duration
		for range 3 { // a busy machine may take its time
			took = append(took, ms(firstAnswerAfterRestart(t, mpm)))
			if took[len(took)-1] < 900*time.Millisecond {
				return
			}
		}
		t.Errorf("the first answer comes %v after a graceful restart", took)
	})
}

// firstAnswerAfterRestart restarts a server of which no child can end, and returns how long the next request takes.
func firstAnswerAfterRestart(t *testing.T, mpm apachetest.MPM) time.Duration {
	t.Helper()
	tuning := "StartServers 2\nMinSpareServers 1\nMaxSpareServers 3\nServerLimit 10\nMaxRequestWorkers 10\n"
	if mpm != apachetest.Prefork { // there must be room for old children
		tuning = "StartServers 1\nServerLimit 8\nThreadsPerChild 8\nThreadLimit 8\nMaxRequestWorkers 64\nMinSpareThreads 1\nMaxSpareThreads 64\n"
	}
	s := apachetest.Start(t, apachetest.Config{MPM: mpm, Conf: daemonApp, Tuning: tuning})
	gate := makeFIFO(t, s)
	inside := asking(t, s, "/hold?"+gate)
	open := holdGate(t, gate)
	began := time.Now()
	s.Graceful(t)
	if r := s.Get(t, "/pid"); r.Status != 200 {
		t.Error(r)
	}
	took := time.Since(began)
	open()
	pidOf(t, <-inside)
	return took
}
