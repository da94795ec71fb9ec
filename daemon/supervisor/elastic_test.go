package supervisor

import (
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/directives"
)

// between makes the group elastic, with two threads for each process.
func between(least, start, most int, idle time.Duration) func(*stage, *directives.DaemonGroup) {
	return func(_ *stage, g *directives.DaemonGroup) {
		g.Threads, g.MinimumProcesses, g.Processes, g.MaximumProcesses, g.IdleTimeout = 2, least, start, most, idle
	}
}

// Where in a group's part its seats and slots are, and what they have (board.h).
const (
	partTop, partBell, partSeats, partSlots = 4, 12, 128, 128 + 2048*64
	seatOwner, seatArrived, slotServed      = 0, 8, 16
)

// word is one of the board's, as offset of the group's part.
func (s *stage) word(offset int) *uint32 { return (*uint32)(unsafe.Add(s.board.Part(0), offset)) }

// waits lets so many requests wait, and ring as Apache's children do.
func (s *stage) waits(requests int) {
	const most = 100
	for i := range most {
		arrived := uint32(0)
		if i < requests {
			arrived = 1
		}
		atomic.StoreUint32(s.word(partSeats+64*i+seatOwner+4), 1<<32-1) // a child that can't tell whether it lives
		atomic.StoreUint32(s.word(partSeats+64*i+seatArrived), arrived)
	}
	atomic.StoreUint32(s.word(partTop), most)
	if requests > 0 && atomic.SwapUint32(s.word(partBell), 0) != 0 {
		s.group.ring()
	}
	synctest.Wait()
}

// takes has a request begin in the process.
func (a *actor) takes(requests int) { a.stage.board.AddPermits(a.slot, a.serial, -requests) }

// serves ends one.
func (a *actor) serves() {
	atomic.AddUint32(a.stage.word(partSlots+64*a.slot+slotServed), 1)
	a.stage.board.AddPermits(a.slot, a.serial, 1)
}

// wantAlive fails the test unless so many processes were not told to go.
func (s *stage) wantAlive(want int) {
	s.t.Helper()
	synctest.Wait()
	n := 0
	for _, a := range s.processes() {
		if !a.told() && !s.gone(a) {
			n++
		}
	}
	if n != want {
		s.t.Fatalf("%d processes are there, want %d\n%s", n, want, s.text)
	}
}

func TestAnElasticGroupMayBeginWithoutAProcess(t *testing.T) {
	play(t, 0, between(0, 0, 4, time.Minute), func(s *stage) {
		s.after(time.Hour)
		s.want(0)
		s.wantHopeless(false)
		s.waits(1)
		s.want(1) // at once
		s.process(0).say(daemon.Ready, "")
		s.process(0).takes(1)
		s.waits(0)
		s.after(10 * time.Second)
		s.want(1)
	})
}

func TestAGroupGrowsWhileRequestsWait(t *testing.T) {
	play(t, 1, between(1, 1, 3, time.Minute), func(s *stage) {
		first := s.process(0)
		first.say(daemon.Ready, "")
		first.takes(2)
		s.waits(1)
		s.after(growAfter - time.Millisecond)
		s.want(1)
		s.after(time.Millisecond)
		s.want(2)
		s.wantLog("wsgi:info", "the group 'a' gets a process more, 2 of at most 3")
		s.after(time.Minute) // that one is being started, and will have a thread for it
		s.want(2)
		s.waits(3)
		s.after(growAfter)
		s.want(3)
		s.waits(100)
		s.after(time.Minute)
		s.want(3) // not beyond the maximum
	})
}

func TestAShortWaitIsNoReasonToGrow(t *testing.T) {
	play(t, 1, between(1, 1, 3, time.Minute), func(s *stage) {
		first := s.process(0)
		first.say(daemon.Ready, "")
		for range 100 {
			first.takes(2)
			s.waits(2)
			s.after(growAfter / 2)
			first.serves()
			first.serves()
			s.waits(0)
			s.after(growAfter / 2)
		}
		s.want(1)
	})
}

func TestRequestsThatWaitAreNoneWhileThreadsAreFree(t *testing.T) {
	play(t, 1, between(1, 1, 3, time.Minute), func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.waits(2) // of children that were killed: the threads are free for longer than anybody would wait
		s.after(time.Hour)
		s.want(1)
		s.process(0).takes(2)
		s.waits(3)
		s.after(growAfter)
		s.want(2)
	})
}

func TestAGroupShrinksToItsMinimum(t *testing.T) {
	play(t, 4, between(1, 4, 4, time.Minute), func(s *stage) {
		for i := range 4 {
			s.process(i).say(daemon.Ready, "")
		}
		s.process(2).takes(1) // for long
		s.after(30 * time.Second)
		s.process(3).takes(1)
		s.process(3).serves()
		s.after(31 * time.Second)
		s.process(0).wantOrders(daemon.Retire)
		s.process(1).wantOrders(daemon.Retire)
		s.wantAlive(2)
		if s.process(0).orders[0].Reason != "idle_timeout" {
			t.Errorf("the reason is %q", s.process(0).orders[0].Reason)
		}
		s.wantLog("wsgi:info", "daemon process 1101 of group 'a'", "idle-timeout, 1m0s")
		s.after(45 * time.Second)
		s.process(3).wantOrders(daemon.Retire)
		s.process(2).serves()
		s.after(time.Hour)
		s.process(2).wantOrders() // the minimum
		s.want(4)
	})
}

func TestTheLastProcessEndsAndTheNextRequestStartsOne(t *testing.T) {
	play(t, 0, between(0, 0, 2, time.Minute), func(s *stage) {
		for i := range 3 {
			s.waits(1)
			s.want(i + 1)
			p := s.process(i)
			p.say(daemon.Ready, "")
			p.takes(1)
			s.waits(0)
			s.after(time.Second)
			p.serves()
			s.after(time.Minute + time.Minute/restLooks)
			p.wantOrders(daemon.Retire)
			if w := s.board.Slot(p.slot); w.State != daemon.SlotRetiring {
				t.Errorf("a child of Apache's could still choose it: %+v", w)
			}
			p.say(daemon.Ending, "idle_timeout")
			p.exit(0)
			s.after(time.Hour)
			s.want(i + 1)
			s.wantHopeless(false)
		}
		s.wantLog("wsgi:info", "1101", "exit status 0 (idle_timeout)")
	})
}

func TestARequestThatComesWhileTheLastProcessEndsStartsOne(t *testing.T) {
	play(t, 1, between(0, 1, 1, time.Minute), func(s *stage) {
		old := s.process(0)
		old.say(daemon.Ready, "")
		s.after(time.Minute)
		old.wantOrders(daemon.Retire)
		s.waits(1)
		s.want(2)
	})
}

func TestAProcessThatARequestReservedDoesNotEnd(t *testing.T) {
	play(t, 1, between(0, 1, 1, time.Minute), func(s *stage) {
		p := s.process(0)
		p.say(daemon.Ready, "")
		s.after(59 * time.Second)
		p.takes(1)
		s.after(10 * time.Minute)
		p.wantOrders()
		p.serves()
		s.after(59 * time.Second)
		p.wantOrders()
		s.after(time.Minute/restLooks + time.Second)
		p.wantOrders(daemon.Retire)
	})
}

func TestABoardThatMakesNoSenseCostsNoTime(t *testing.T) {
	play(t, 1, between(0, 1, 1, time.Minute), func(s *stage) {
		p := s.process(0)
		p.say(daemon.Ready, "")
		s.board.SetState(p.slot, p.serial, daemon.SlotStarting) // processes can write to their part of it
		s.after(time.Hour)
		p.wantOrders()
		s.board.SetState(p.slot, p.serial, daemon.SlotReady)
		s.after(time.Minute)
		p.wantOrders(daemon.Retire)
	})
}

func TestIdleTimeoutZeroKeepsProcesses(t *testing.T) {
	play(t, 2, between(0, 2, 2, 0), func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.process(1).say(daemon.Ready, "")
		s.after(1000 * time.Hour)
		s.wantAlive(2)
	})
}

func TestAnElasticGroupReplacesADueProcess(t *testing.T) {
	play(t, 1, between(0, 1, 1, time.Minute), func(s *stage) {
		old := s.process(0)
		old.say(daemon.Ready, "")
		old.say(daemon.Due, "memory_recycle")
		s.want(2)
		s.after(time.Hour)
		old.wantOrders() // it serves until its successor is ready, however little there is to do
		s.process(1).say(daemon.Ready, "")
		old.wantOrders(daemon.Retire)
		s.after(59 * time.Second)
		s.process(1).wantOrders()
		s.after(time.Second)
		s.process(1).wantOrders(daemon.Retire)
	})
}

func TestAProcessBeyondTheMinimumThatDiesComesBackOnDemand(t *testing.T) {
	play(t, 2, between(1, 2, 2, time.Hour), func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.process(1).say(daemon.Ready, "")
		s.after(time.Minute)
		s.process(0).die(syscall.SIGSEGV)
		s.after(time.Minute)
		s.want(2)
		s.process(1).takes(2)
		s.waits(1)
		s.after(growAfter)
		s.want(3)
		s.after(time.Minute)
		s.process(2).die(syscall.SIGSEGV) // before it was ready
		s.process(1).die(syscall.SIGSEGV) // the last one
		s.want(4)
	})
}

func TestStartsOnDemandThatFailAreTriedAgainLater(t *testing.T) {
	play(t, 0, between(0, 0, 4, time.Minute), func(s *stage) {
		for i, wait := range []time.Duration{1, 2, 4, 8} {
			s.waits(1)
			s.want(i + 1)
			s.wantHopeless(false)
			s.process(i).exit(1)
			s.wantHopeless(true) // the request may give up
			s.after(wait*time.Second - time.Millisecond)
			s.waits(2)
			s.want(i + 1)
			s.after(time.Millisecond)
			s.wantHopeless(false)
		}
		s.waits(0) // they have given up
		s.after(time.Hour)
		s.want(4)
	})
}

func TestAGroupDoesNotGrowWhileProcessesFail(t *testing.T) {
	play(t, 1, between(1, 1, 8, time.Minute), func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		s.after(time.Minute)
		s.process(0).takes(2)
		s.waits(50)
		s.after(growAfter)
		s.want(2)
		s.process(1).exit(1)
		s.waits(51)
		s.after(999 * time.Millisecond)
		s.want(2)
		s.after(time.Millisecond)
		s.waits(52)
		s.after(growAfter)
		s.want(3)
	})
}

func TestProcessesThatTakeLongToEndCountNoMore(t *testing.T) {
	play(t, 0, between(0, 0, 2, time.Second), func(s *stage) {
		for i := range 3 {
			s.waits(1)
			s.want(i + 1)
			s.process(i).say(daemon.Ready, "")
			s.waits(0)
			s.after(2 * time.Second)
			s.process(i).wantOrders(daemon.Retire)
		}
		slots := []int{s.process(0).slot, s.process(1).slot, s.process(2).slot}
		slices.Sort(slots)
		if len(slices.Compact(slots)) != 3 {
			t.Errorf("two processes share a slot: %v", slots)
		}
	})
}

func TestAnElasticGroupStopsAtZero(t *testing.T) {
	play(t, 0, between(0, 0, 2, time.Second), func(s *stage) {
		close(s.group.stop)
		synctest.Wait()
		select {
		case <-s.over:
		default:
			t.Error("it goes on")
		}
	})
}
