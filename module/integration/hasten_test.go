package integration

import (
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Apache alone waits for a second after a graceful restart before it starts children, as long as an old child has a connection open.
func TestAGracefulRestartDoesNotPauseForASecond(t *testing.T) {
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		tuning := preforkTuning
		if mpm != apachetest.Prefork { // there must be room for old children
			tuning = "StartServers 1\nServerLimit 8\nThreadsPerChild 8\nThreadLimit 8\nMaxRequestWorkers 64\nMinSpareThreads 1\nMaxSpareThreads 64\n"
		}
		s := apachetest.Start(t, apachetest.Config{MPM: mpm, Conf: daemonApp, Tuning: tuning})
		quickest := time.Hour
		for range 3 { // a busy machine may take its time once
			gate := makeFIFO(t, s)
			inside := asking(t, s, "/hold?"+gate) // keeps its child
			open := holdGate(t, gate)
			began := time.Now()
			s.Graceful(t)
			if r := s.Get(t, "/pid"); r.Status != 200 {
				t.Error(r)
			}
			quickest = min(quickest, time.Since(began))
			open()
			pidOf(t, <-inside)
		}
		t.Logf("an answer %v after a graceful restart", ms(quickest))
		if quickest > 900*time.Millisecond {
			t.Errorf("nobody is served for %v after a graceful restart", quickest)
		}
	})
}
