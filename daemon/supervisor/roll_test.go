package supervisor

import (
	"testing"
	"testing/synctest"
	"time"

	"modwsgi/daemon"
)

// begin starts a roll as an administrator's command does.
func (s *stage) startRoll() *roll {
	var r *roll
	s.group.do(func() { r = s.group.startRoll() })
	synctest.Wait()
	return r
}

func (r *roll) isDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func TestARollReplacesOneProcessAfterTheOther(t *testing.T) {
	play(t, 2, nil, func(s *stage) {
		first, second := s.process(0), s.process(1)
		first.say(daemon.Ready, "")
		second.say(daemon.Ready, "")
		r := s.startRoll()
		s.want(3)
		s.process(2).say(daemon.Ready, "")
		s.want(4)
		if r.isDone() {
			t.Error("the roll is done although the second process was not replaced")
		}
		s.process(3).say(daemon.Ready, "")
		if !r.isDone() || r.replaced != 2 {
			t.Errorf("done: %v, %d replaced", r.isDone(), r.replaced)
		}
		for _, p := range []*actor{first, second} {
			p.mu.Lock()
			if len(p.orders) != 1 || p.orders[0] != (daemon.Order{Kind: daemon.Retire, Reason: "restart_command"}) {
				t.Errorf("orders of process %d: %v", p.serial, p.orders)
			}
			p.mu.Unlock()
			p.exit(0)
		}
		s.after(time.Hour)
		s.want(4)
		if restarts := s.group.restarts; len(restarts) != 1 || restarts["restart_command"] != 2 {
			t.Errorf("restarts: %v", restarts)
		}
	})
}

func TestARollWaitsForAProcessThatIsBeingStarted(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		r := s.startRoll()
		s.after(time.Minute)
		s.want(1) // it may not be able to start at all
		s.process(0).say(daemon.Ready, "")
		s.want(2)
		s.process(1).say(daemon.Ready, "")
		if !r.isDone() {
			t.Error("the roll is not done")
		}
	})
}

func TestARollStartsWhatIsMissingAtOnce(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).exit(1)
		s.want(1)
		r := s.startRoll()
		s.want(2)
		if !r.isDone() {
			t.Error("nothing was there to be replaced, and the roll is not done")
		}
	})
}

func TestARollEndsWithTheGroup(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		s.process(0).say(daemon.Ready, "")
		r := s.startRoll()
		close(s.group.stop)
		synctest.Wait()
		if !r.isDone() {
			t.Error("who waits for the roll waits for ever")
		}
	})
}
