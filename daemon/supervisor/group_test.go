package supervisor

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"modwsgi/daemon"
	"modwsgi/directives"
)

func TestEveryProcessOfAGroupIsStarted(t *testing.T) {
	play(t, 3, nil, func(s *stage) {
		s.want(3)
		for i, p := range s.processes() {
			if p.serial != uint32(101+i) {
				t.Errorf("process %d has the serial %d, want those after the last supervisor's, 100", i, p.serial)
			}
			if w := s.board.Slot(p.slot); w.State != daemon.SlotStarting || w.Serial != p.serial {
				t.Errorf("the slot of process %d says %+v", i, w)
			}
		}
		s.wantHopeless(false)
		s.after(time.Hour)
		s.want(3)
	})
}

func TestAProcessThatDiesIsReplacedAtOnce(t *testing.T) {
	play(t, 2, nil, func(s *stage) {
		first := s.process(0)
		first.say(daemon.Ready, "")
		s.after(time.Minute)
		first.die(syscall.SIGSEGV)
		s.want(3)
		s.wantLog("wsgi:error", "WSGI0303", "daemon process 1101 of group 'a'", "SIGSEGV")
		if w := s.board.Slot(first.slot); w.Serial == first.serial {
			t.Errorf("its slot still says %+v", w)
		}
	})
}

func TestAnOrdinaryEndIsNoError(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.after(time.Minute)
		s.process(0).exit(0)
		s.want(2)
		s.wantLog("wsgi:info", "daemon process 1101 of group 'a'", "exit status 0")
	})
}

func TestStartsThatFailAreTriedAgainLaterAndLater(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		for i, wait := range []time.Duration{1, 2, 4, 8, 16, 20, 20} {
			s.process(i).exit(1)
			s.wantHopeless(true)
			s.after(wait*time.Second - time.Millisecond)
			s.want(i + 1)
			s.after(time.Millisecond)
			s.want(i + 2)
			s.wantHopeless(false)
		}
		s.wantLog("wsgi:error", "exit status 1", "before it was ready", "in 16s")
		last := s.process(7)
		last.say(daemon.Ready, "")
		s.after(time.Minute)
		last.exit(1)
		s.want(9) // that one had worked
		s.process(8).exit(1)
		s.after(time.Second)
		s.want(10) // and the waiting begins anew
	})
}

func TestAProcessThatDiesAsSoonAsItIsReadyHasFailedToStart(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		for i, wait := range []time.Duration{1, 2, 4} {
			s.process(i).say(daemon.Ready, "")
			s.after(900 * time.Millisecond)
			s.process(i).die(syscall.SIGKILL)
			s.after(wait*time.Second - time.Millisecond)
			s.want(i + 1)
			s.after(time.Millisecond)
			s.want(i + 2)
		}
	})
}

func TestADueProcessServesUntilItsSuccessorIsReady(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		old := s.process(0)
		old.say(daemon.Ready, "")
		old.say(daemon.Due, "maximum_requests")
		old.say(daemon.Due, "restart_interval")
		s.want(2)
		old.wantOrders()
		s.after(time.Hour)
		old.wantOrders()
		s.process(1).say(daemon.Ready, "")
		old.wantOrders(daemon.Retire)
		if old.orders[0].Reason != "maximum_requests" {
			t.Errorf("the reason is %q", old.orders[0].Reason)
		}
		old.say(daemon.Ending, "maximum_requests")
		old.exit(0)
		s.want(2)
		s.wantLog("wsgi:info", "1101", "exit status 0 (maximum_requests)")
		s.wantLog("1102", "replaces process 1101")
	})
}

func TestADueProcessThatIsNotReadyYetIsReplacedToo(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).say(daemon.Due, "restart_interval")
		s.want(2)
		s.process(1).say(daemon.Ready, "")
		s.process(0).wantOrders(daemon.Retire)
	})
}

func TestASuccessorCanBecomeDueBeforeItTakesOver(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.process(0).say(daemon.Due, "script_reload")
		s.process(1).say(daemon.Due, "script_reload")
		s.want(2)
		s.process(1).say(daemon.Ready, "")
		s.want(3)
		s.process(2).say(daemon.Ready, "")
		s.process(1).wantOrders(daemon.Retire)
	})
}

func TestAProcessGoesOnIfItsSuccessorNeverGetsReady(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		old := s.process(0)
		old.say(daemon.Ready, "")
		old.say(daemon.Due, "script_reload")
		s.after(24 * time.Hour)
		old.wantOrders()
		s.want(2)
		old.die(syscall.SIGKILL) // then the successor is what there is
		s.want(2)
		s.wantHopeless(false)
		s.wantLog("wsgi:error", "SIGKILL", "not by its supervisor")
		s.process(1).say(daemon.Ready, "")
		s.after(time.Minute)
		s.process(1).exit(0)
		s.want(3)
	})
}

func TestAProcessGoesOnIfItsSuccessorsDie(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		old := s.process(0)
		old.say(daemon.Ready, "")
		s.after(time.Hour)
		old.say(daemon.Due, "script_reload")
		for i, wait := range []time.Duration{1, 2, 4} {
			s.process(i + 1).exit(255)
			s.after(wait*time.Second - time.Millisecond)
			s.want(i + 2)
			s.after(time.Millisecond)
			s.want(i + 3)
		}
		old.wantOrders()
		s.wantHopeless(false)
		s.process(4).say(daemon.Ready, "")
		old.wantOrders(daemon.Retire)
	})
}

func TestAProcessThatMustGoIsReplacedBeforeItHasEnded(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.process(0).say(daemon.Ending, "shutdown_signal")
		s.want(2)
		s.process(0).wantOrders()
		s.process(0).exit(0)
		s.want(2)
		s.wantLog("1101", "(shutdown_signal)")
	})
}

func TestAStuckProcessIsKilled(t *testing.T) {
	t.Run("after its own notice", func(t *testing.T) {
		play(t, 1, nil, func(s *stage) {
			p := s.process(0)
			p.say(daemon.Ready, "")
			p.say(daemon.Ending, "deadlock_timeout")
			s.after(4 * time.Second)
			p.say(daemon.Ending, "deadlock_timeout") // gives no more time
			s.after(3*time.Second - time.Millisecond)
			p.wantKilled(false)
			s.after(time.Millisecond)
			p.wantKilled(true)
			p.die(syscall.SIGKILL)
			s.wantLog("wsgi:error", "WSGI0304", "1101", "deadlock_timeout")
			s.wantLog("wsgi:info", "was killed by SIGKILL", "deadlock_timeout")
		})
	})
	t.Run("when it was retired", func(t *testing.T) {
		play(t, 1, nil, func(s *stage) {
			p := s.process(0)
			p.say(daemon.Ready, "")
			p.say(daemon.Due, "restart_interval")
			s.process(1).say(daemon.Ready, "")
			s.after(22*time.Second - time.Millisecond)
			p.wantKilled(false)
			s.after(time.Millisecond)
			p.wantKilled(true)
		})
	})
	t.Run("when everything ends", func(t *testing.T) {
		play(t, 2, nil, func(s *stage) {
			close(s.group.stop)
			s.after(7*time.Second - time.Millisecond)
			for _, p := range s.processes() {
				p.wantOrders(daemon.Stop)
				p.wantKilled(false)
			}
			s.after(time.Millisecond)
			s.process(0).wantKilled(true)
			s.process(1).wantKilled(true)
		})
	})
	t.Run("whatever it says meanwhile", func(t *testing.T) {
		play(t, 1, nil, func(s *stage) {
			close(s.group.stop)
			s.after(5 * time.Second)
			s.process(0).say(daemon.Ending, "shutdown_signal")
			s.after(2 * time.Second)
			s.process(0).wantKilled(true)
		})
	})
	t.Run("unless it has all the time it likes", func(t *testing.T) {
		endless := func(_ *stage, g *directives.DaemonGroup) { g.ShutdownTimeout = 0 }
		play(t, 1, endless, func(s *stage) {
			p := s.process(0)
			p.say(daemon.Ready, "")
			p.say(daemon.Due, "maximum_requests")
			s.process(1).say(daemon.Ready, "")
			p.say(daemon.Ending, "maximum_requests")
			s.after(24 * time.Hour)
			p.wantKilled(false)
			close(s.group.stop) // everything has to end, so it has a minute
			s.after(62*time.Second - time.Millisecond)
			p.wantKilled(false)
			s.after(time.Millisecond)
			p.wantKilled(true)
		})
	})
	t.Run("or a drain without a limit", func(t *testing.T) {
		endless := func(_ *stage, g *directives.DaemonGroup) { g.GracefulTimeout = 0 }
		play(t, 1, endless, func(s *stage) {
			p := s.process(0)
			p.say(daemon.Ready, "")
			p.say(daemon.Due, "graceful_signal")
			s.process(1).say(daemon.Ready, "")
			s.after(24 * time.Hour)
			p.wantKilled(false)
			p.say(daemon.Ending, "graceful_signal")
			s.after(7 * time.Second)
			p.wantKilled(true)
		})
	})
}

func TestProcessesThatTakeLongToEndDoNotStopReplacements(t *testing.T) {
	play(t, 1, nil, func(s *stage) { // four slots
		for i := range 3 {
			p := s.process(i)
			p.say(daemon.Ready, "")
			p.say(daemon.Due, "script_reload")
			s.want(i + 2)
		}
		last := s.process(3)
		last.say(daemon.Ready, "")
		last.say(daemon.Due, "script_reload")
		s.after(10 * time.Second)
		s.want(4) // no slot: it goes on
		last.wantOrders()
		s.process(0).exit(0)
		s.want(5)
		s.process(1).exit(0)
		last.die(syscall.SIGABRT)
		s.want(5) // its successor is there
		s.process(4).say(daemon.Ready, "")
		s.wantHopeless(false)
	})
}

func TestServiceProcesses(t *testing.T) {
	service := func(_ *stage, g *directives.DaemonGroup) { g.Threads = 0 }
	t.Run("are started again at once", func(t *testing.T) {
		play(t, 1, service, func(s *stage) {
			for i := range 5 {
				s.after(time.Second)
				s.process(i).exit(0)
				s.want(i + 2)
			}
		})
	})
	t.Run("that do nothing do not keep the machine busy", func(t *testing.T) {
		play(t, 1, service, func(s *stage) {
			s.process(0).exit(0)
			s.want(2)
			for i, wait := range []time.Duration{1, 2, 4, 8, 16, 20} {
				s.process(i + 1).exit(0)
				s.after(wait*time.Second - time.Millisecond)
				s.want(i + 2)
				s.after(time.Millisecond)
				s.want(i + 3)
			}
		})
	})
	t.Run("that crash at once are tried again later", func(t *testing.T) {
		play(t, 1, service, func(s *stage) {
			s.process(0).exit(3)
			s.want(1)
			s.after(time.Second)
			s.want(2)
			s.after(time.Minute)
			s.process(1).exit(3)
			s.want(3)
		})
	})
	t.Run("end before their successor starts", func(t *testing.T) {
		play(t, 1, service, func(s *stage) {
			s.after(time.Minute)
			s.process(0).say(daemon.Due, "restart_interval")
			s.process(0).wantOrders(daemon.Retire)
			s.want(1)
			s.process(0).exit(0)
			s.want(2)
		})
	})
}

func TestAServiceProcessThatEndsIsAloneUntilThen(t *testing.T) {
	play(t, 1, func(_ *stage, g *directives.DaemonGroup) { g.Threads = 0 }, func(s *stage) {
		s.after(time.Minute)
		s.process(0).say(daemon.Ending, "shutdown_signal")
		s.want(1)
		s.wantHopeless(false)
		s.process(0).exit(0)
		s.want(2)
	})
}

func TestAGroupWithoutSocketIsNotStarted(t *testing.T) {
	for _, code := range []int{codeNoSocket, codeNoBind, codeNoListen, codeNoOwner, codeLongPath} {
		broken := func(s *stage, _ *directives.DaemonGroup) {
			s.refuseStarts(&fault{code, "listen", errors.New("broken")})
		}
		play(t, 2, broken, func(s *stage) {
			s.want(0)
			s.wantHopeless(true)
			s.wantLog("wsgi:alert", "broken", "'a'")
			s.wantLog("wsgi:alert", "is not started")
			s.refuseStarts(nil)
			s.after(time.Hour)
			s.want(0)
		})
	}
}

func TestASocketThatFailsLaterIsTriedAgain(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.after(time.Minute)
		s.refuseStarts(&fault{codeNoBind, "bind", errors.New("disk full")})
		s.process(0).die(syscall.SIGKILL)
		s.wantHopeless(true)
		s.wantLog("wsgi:alert", "WSGI0013", "disk full", "1s")
		s.after(time.Second)
		s.wantLog("wsgi:alert", "WSGI0013", "disk full", "2s")
		s.refuseStarts(nil)
		s.after(2 * time.Second)
		s.want(2)
		s.wantHopeless(false)
	})
}

func TestAForkThatFailsIsTriedAgain(t *testing.T) {
	broken := func(s *stage, _ *directives.DaemonGroup) {
		s.refuseStarts(&fault{codeNoProcess, "start a process", syscall.EAGAIN})
	}
	play(t, 2, broken, func(s *stage) {
		s.want(0)
		s.wantHopeless(true)
		s.wantLog("wsgi:alert", "WSGI0024")
		s.refuseStarts(nil)
		s.after(time.Second)
		s.want(2)
		s.wantHopeless(false)
	})
}

func TestNothingIsStartedAfterTheStop(t *testing.T) {
	play(t, 2, nil, func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.process(0).say(daemon.Due, "script_reload")
		s.want(3)
		close(s.group.stop)
		synctest.Wait()
		for _, p := range s.processes() {
			p.wantOrders(daemon.Stop)
		}
		s.process(2).say(daemon.Ready, "")
		s.process(1).say(daemon.Due, "script_reload")
		s.process(1).say(daemon.Ending, "shutdown_signal")
		s.process(1).exit(0)
		s.process(0).die(syscall.SIGSEGV)
		s.after(time.Second)
		s.want(3)
		s.process(0).wantOrders(daemon.Stop)
	})
}

// Whatever processes do, the group keeps its promises, and comes back to having all of its processes.
func TestAGroupSurvivesAnySequenceOfEvents(t *testing.T) {
	for seed := range uint64(200) {
		play(t, 1+int(seed%3), nil, func(s *stage) {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 200 {
				p := s.process(random.IntN(len(s.processes())))
				switch action := random.IntN(16); {
				case s.gone(p):
				case action < 4:
					p.say(daemon.Ready, "")
				case action < 7:
					p.say(daemon.Due, "script_reload")
				case action < 8:
					p.say(daemon.Ending, "shutdown_signal")
				case action < 9:
					p.say("nonsense", "")
				case action < 10:
					p.exit(random.IntN(2))
				case action < 12:
					p.tell(daemon.Notice{Kind: daemon.Loading, Load: load("/a", int64(random.IntN(3)))})
				case action < 13:
					p.tell(daemon.Notice{Kind: daemon.Failed, Load: load("/a", int64(random.IntN(3)))})
				case action < 14:
					p.tell(daemon.Notice{Kind: daemon.Kept, Number: uint32(random.IntN(20))})
				default:
					p.die(syscall.SIGKILL)
				}
				s.after(time.Duration(random.IntN(3000)) * time.Millisecond)
				s.keepsPromises(seed)
			}
			s.comesBack(seed)
		})
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func (s *stage) keepsPromises(seed uint64) {
	s.t.Helper()
	alive, serving := 0, 0
	for _, p := range s.processes() {
		if s.gone(p) {
			continue
		}
		alive++
		if !p.told() && !p.ending {
			serving++
		}
	}
	if alive > len(s.group.members) {
		s.t.Fatalf("seed %d: %d processes for %d slots", seed, alive, len(s.group.members))
	}
	if !s.hopeless() && serving == 0 {
		s.t.Fatalf("seed %d: not hopeless, and no process is there that was not told to go\n%s", seed, s.text)
	}
}

// comesBack lets every process get ready and every one that was told to go end.
func (s *stage) comesBack(seed uint64) {
	for range 100 {
		for _, p := range s.processes() {
			if s.gone(p) {
				continue
			}
			if p.ending || p.told() {
				p.exit(0)
			} else if !p.ready {
				p.say(daemon.Ready, "")
			}
		}
		s.after(30 * time.Second)
	}
	alive := 0
	for _, p := range s.processes() {
		if !s.gone(p) {
			alive++
		}
	}
	if alive != len(s.group.places) || s.hopeless() {
		s.t.Fatalf("seed %d: %d processes in the end, want %d\n%s", seed, alive, len(s.group.places), s.text)
	}
}
