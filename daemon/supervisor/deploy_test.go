package supervisor

import (
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/directives"
)

func application(script string) daemon.Application {
	return daemon.Application{Script: daemon.Text(script), Callable: "application"}
}

// load is an application in the first, second... version of its script.
func load(script string, version int64) *daemon.Load {
	return &daemon.Load{Application: application(script), Version: daemon.FileVersion{Modified: version}}
}

func (a *actor) tell(n daemon.Notice) {
	a.ending = a.ending || (n.Kind == daemon.Failed && !a.ready)
	a.report(event{serial: a.serial, notice: n})
	synctest.Wait()
}

// serve makes a process ready that has loaded the first version of these.
func (a *actor) serve(scripts ...string) {
	for _, s := range scripts {
		a.tell(daemon.Notice{Kind: daemon.Loaded, Load: load(s, 1)})
	}
	a.say(daemon.Ready, "")
}

// fail is what a successor says that can't load what it has to.
func (a *actor) fail(what *daemon.Load, why string) {
	a.tell(daemon.Notice{Kind: daemon.Loading, Load: what})
	a.tell(daemon.Notice{Kind: daemon.Failed, Load: what, Reason: why})
	a.say(daemon.Ending, badDeployment)
	a.exit(0)
}

// confirm answers the last order to keep, which must be about this, with that reason.
func (a *actor) confirm(culprit *daemon.Load, reason string) {
	a.stage.t.Helper()
	a.mu.Lock()
	if len(a.keeps) == 0 {
		a.stage.t.Fatalf("process %d was not told to keep its code\n%s", a.pid(), a.stage.text)
	}
	k := a.keeps[len(a.keeps)-1]
	a.mu.Unlock()
	if (k.Culprit == nil) != (culprit == nil) || (culprit != nil && *k.Culprit != *culprit) || k.Reason != reason {
		a.stage.t.Fatalf("process %d was told %+v, %+v, want the culprit %+v, due %q", a.pid(), k, k.Culprit, culprit, reason)
	}
	a.tell(daemon.Notice{Kind: daemon.Kept, Number: k.Number})
}

// lifts is what Apache's children read on the board (board.h, mwd_queue).
func (s *stage) wantLifts(want uint32) {
	s.t.Helper()
	synctest.Wait()
	const lifts = 16
	if got := atomic.LoadUint32((*uint32)(unsafe.Add(s.board.Part(0), lifts))); got != want {
		s.t.Fatalf("%d lifts, want %d\n%s", got, want, s.text)
	}
}

func (s *stage) wantErrors(want int) {
	s.t.Helper()
	if got := strings.Count(s.text.String(), "wsgi:error"); got != want {
		s.t.Fatalf("%d errors in the log, want %d:\n%s", got, want, s.text)
	}
}

func TestASuccessorIsToldWhatItsPredecessorHasLoaded(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		if s.process(0).plan != nil {
			t.Errorf("the first process loads %+v", s.process(0).plan)
		}
		s.process(0).serve("/a", "/b")
		s.process(0).tell(daemon.Notice{Kind: daemon.Loaded, Load: load("/a", 1)})
		s.process(0).say(daemon.Due, "maximum_requests")
		plan := s.process(1).plan
		if plan == nil || !plan.Strict || !slices.Equal(plan.Applications, []daemon.Application{application("/a"), application("/b")}) {
			t.Fatalf("the successor loads %+v", plan)
		}
	})
}

func TestTheOldCodeGoesOnWhenTheNewCanNotBeLoaded(t *testing.T) {
	play(t, 2, nil, func(s *stage) {
		for i := range 2 {
			s.process(i).serve("/a")
		}
		s.after(time.Minute)
		for i := range 2 {
			s.process(i).say(daemon.Due, scriptReload)
		}
		s.want(3) // one of them tries first
		s.process(2).fail(load("/a", 2), "unusual")
		s.wantLog("wsgi:error", "WSGI0307", "1103", "can't take over from process 1101, which goes on", "unusual", "when /a has changed again")
		s.wantErrors(1)
		s.wantLifts(0)
		s.process(0).confirm(load("/a", 2), "")
		s.wantLifts(0)
		s.process(1).confirm(load("/a", 2), "")
		s.wantLifts(1)
		s.after(24 * time.Hour)
		s.want(3) // nobody asks again
		for i := range 2 {
			s.process(i).wantOrders()
		}
		s.process(1).say(daemon.Due, scriptReload) // the next version, at once
		s.want(4)
		s.process(3).serve("/a")
		s.process(1).wantOrders(daemon.Retire)
	})
}

func TestEachChangeIsTriedAtOnceAndLogged(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).serve("/a")
		for n := range 5 {
			s.process(0).say(daemon.Due, scriptReload)
			s.want(n + 2)
			s.process(n+1).fail(load("/a", int64(n+2)), "unusual")
			s.process(0).confirm(load("/a", int64(n+2)), "")
			s.wantErrors(n + 1)
			s.wantLifts(uint32(n + 1))
		}
	})
}

func TestADueProcessGetsAnotherSuccessorLaterAndTheReasonIsLoggedOnce(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		old := s.process(0)
		old.serve("/a")
		old.say(daemon.Due, "maximum_requests")
		for i, wait := range []time.Duration{1, 2, 4, 8, 16, 20} {
			s.want(i + 2)
			plan := s.process(i + 1).plan
			if known := plan.Known != nil; known != (i > 0) {
				t.Errorf("process %d is told that the reason is known: %v", i+1, known)
			}
			s.process(i+1).fail(load("/a", 2), "unusual")
			old.confirm(load("/a", 2), "maximum_requests")
			s.after(wait*time.Second - time.Millisecond)
			s.want(i + 2)
			s.after(time.Millisecond)
		}
		s.wantErrors(1)
		s.process(7).fail(load("/a", 3), "unusual")
		s.wantErrors(2) // another version
		old.say(daemon.Due, scriptReload)
		s.want(9) // a change does not wait
		s.process(8).serve("/a")
		old.wantOrders(daemon.Retire)
	})
}

func TestACrashWhileLoadingKeepsTheOldCode(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).serve("/a")
		s.process(0).say(daemon.Due, scriptReload)
		s.process(1).tell(daemon.Notice{Kind: daemon.Loading, Load: load("/a", 2)})
		s.process(1).die(syscall.SIGSEGV)
		s.wantLog("wsgi:error", "WSGI0307", "SIGSEGV", "while loading script /a", "when /a has changed again")
		s.process(0).confirm(load("/a", 2), "")
		s.wantLifts(1)
		s.after(time.Hour)
		s.want(2)
	})
}

// Not a script's fault, as far as can be seen: it is tried again, and nobody waits meanwhile.
func TestASuccessorThatDiesForOtherReasonsIsTriedAgain(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).serve("/a")
		s.process(0).say(daemon.Due, scriptReload)
		s.process(1).exit(255)
		s.process(0).confirm(nil, scriptReload)
		s.wantLifts(1)
		s.after(time.Second)
		s.want(3)
		s.process(2).serve("/a")
		s.process(0).wantOrders(daemon.Retire)
	})
}

func TestASuccessorThatTakesLongIsNotWaitedFor(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		old := s.process(0)
		old.serve("/a")
		old.say(daemon.Due, scriptReload)
		s.process(1).tell(daemon.Notice{Kind: daemon.Loading, Load: load("/a", 2)})
		s.after(lateAfter - time.Millisecond)
		if old.kept() > 0 {
			t.Error("it is told too early")
		}
		s.after(time.Millisecond)
		s.wantLog("wsgi:warn", "WSGI0308", "1102", "while loading script /a", "process 1101 goes on")
		old.confirm(load("/a", 2), scriptReload)
		s.wantLifts(1)
		s.after(time.Hour)
		s.process(1).wantOrders()
		old.say(daemon.Due, scriptReload) // a newer version: the one that hangs is of no use
		s.process(1).wantOrders(daemon.Stop)
		s.want(3)
		s.after(7 * time.Second)
		s.process(1).wantKilled(true)
		s.process(1).die(syscall.SIGKILL)
		s.process(2).serve("/a")
		old.wantOrders(daemon.Retire)
	})
	play(t, 1, nil, func(s *stage) { // or it is done after all
		s.process(0).serve("/a")
		s.process(0).say(daemon.Due, scriptReload)
		s.after(10 * time.Minute)
		s.process(1).serve("/a")
		s.process(0).wantOrders(daemon.Retire)
	})
}

func TestWithoutKeepOldCodeNobodyKeepsAnything(t *testing.T) {
	play(t, 1, func(_ *stage, g *directives.DaemonGroup) { g.KeepOldCode = false }, func(s *stage) {
		old := s.process(0)
		old.serve("/a")
		old.say(daemon.Due, scriptReload)
		if plan := s.process(1).plan; plan == nil || plan.Strict {
			t.Fatalf("the successor loads %+v", plan)
		}
		s.process(1).die(syscall.SIGSEGV)
		s.after(time.Second)
		if plan := s.process(2).plan; plan != nil {
			t.Fatalf("the one after a crash loads %+v", plan)
		}
		s.process(2).say(daemon.Ready, "")
		old.wantOrders(daemon.Retire)
		if old.kept() > 0 {
			t.Error("it was told to keep its code")
		}
	})
}

func TestTheProcessAfterADeadOneServesWhatThereIs(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).serve("/a")
		s.process(0).say(daemon.Due, scriptReload)
		s.after(2 * time.Second)
		s.process(0).die(syscall.SIGKILL) // its successor is all there is
		s.process(1).fail(load("/a", 2), "unusual")
		s.want(3)
		if plan := s.process(2).plan; plan != nil {
			t.Errorf("it has to load %+v", plan)
		}
		s.wantHopeless(false)
	})
}

func TestAPlaceIsFilledWithWhatItHadWhereOthersServe(t *testing.T) {
	play(t, 2, nil, func(s *stage) {
		for i := range 2 {
			s.process(i).serve("/a")
		}
		s.after(time.Minute)
		s.process(0).die(syscall.SIGKILL)
		plan := s.process(2).plan
		if plan == nil || plan.Strict || plan.Limit != loadPatience || len(plan.Applications) != 1 {
			t.Fatalf("it loads %+v", plan)
		}
		s.process(2).tell(daemon.Notice{Kind: daemon.Failed, Load: load("/a", 1), Reason: "takes too long"})
		s.process(2).exit(255)
		s.after(time.Second)
		if plan := s.process(3).plan; plan != nil {
			t.Errorf("after a failure it loads %+v", plan)
		}
	})
}

func TestOneSuccessorShowsTheWayForTheOthers(t *testing.T) {
	play(t, 4, nil, func(s *stage) {
		for i := range 4 {
			s.process(i).serve("/a")
		}
		for i := range 4 {
			s.process(i).say(daemon.Due, "restart_interval")
			s.after(time.Millisecond)
		}
		s.want(5)
		s.after(time.Second)
		s.process(4).serve("/a")
		s.want(6) // those that became due while the first one was loading are tried once more,
		s.after(time.Second)
		s.process(5).serve("/a")
		s.want(8) // and then all at once
	})
}

func TestQuestionsAreAnsweredFromWhatOthersHave(t *testing.T) {
	play(t, 3, nil, func(s *stage) {
		ask := func(a *actor, version int64) daemon.Order {
			a.tell(daemon.Notice{Kind: daemon.Question, Number: 7, Load: load("/a", version)})
			a.mu.Lock()
			defer a.mu.Unlock()
			reply := a.replies[len(a.replies)-1]
			reply.Number -= 7
			return reply
		}
		want := func(got, want daemon.Order) {
			t.Helper()
			want.Kind = daemon.Reply
			if got != want {
				t.Errorf("the reply is %+v, want %+v", got, want)
			}
		}
		for i := range 2 {
			s.process(i).serve()
		}
		want(ask(s.process(0), 1), daemon.Order{})
		s.process(0).serve("/a")
		want(ask(s.process(0), 1), daemon.Order{})
		s.process(2).tell(daemon.Notice{Kind: daemon.Loaded, Load: load("/a", 2)})
		want(ask(s.process(1), 1), daemon.Order{Have: true, Same: true})
		want(ask(s.process(1), 2), daemon.Order{Have: true}) // the third one does not serve yet
		s.process(0).say(daemon.Due, scriptReload)
		s.process(3).fail(load("/a", 2), "unusual")
		want(ask(s.process(1), 2), daemon.Order{Have: true, Bad: true})
		s.process(0).die(syscall.SIGKILL)
		want(ask(s.process(1), 2), daemon.Order{Bad: true})
	})
}

func TestFailuresInARowAreCounted(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		for i, wait := range []time.Duration{1, 2, 4} {
			s.process(i).tell(daemon.Notice{Kind: daemon.Loading, Load: load("/import", 1)})
			s.process(i).exit(1)
			s.after(wait * time.Second)
		}
		s.wantLog("wsgi:error", "WSGI0303", "exit status 1 before it was ready while loading script /import", "3 starts have failed in a row, the next one starts in 4s")
	})
}
