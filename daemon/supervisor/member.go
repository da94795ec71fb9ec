package supervisor

import (
	"fmt"
	"os"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/fate"
)

// A place is one of the processes that a group may have. If it is wanted, it has one that serves, or is being started, and while that one is due,
// its successor.
type place struct {
	wanted             bool // always, unless the group is elastic
	current, successor *member
	retry              backOff // of the place, while it has no process
	succession         backOff // of successors, while it has one

	applications []daemon.Load // that the last process of the place had loaded
}

// vacate takes a process out of the place. A successor that is there moves up, ready or not.
func (p *place) vacate(m *member) {
	if m == p.current {
		p.current = p.successor
		if !m.ready.IsZero() {
			p.applications = m.applications
		}
	}
	p.successor = nil
	m.place = nil
}

// lacks tells whether a process has to be started.
func (p *place) lacks() bool { return p.wanted && p.current == nil }

// wantsSuccessor tells whether the process is due and serves until there is another.
func (p *place) wantsSuccessor() bool {
	return p.current != nil && p.current.due != "" && p.current.reason == "" && p.successor == nil
}

// A member is a process of a group, from its start until it is reaped.
type member struct {
	process process
	serial  uint32
	slot    int
	started time.Time
	ready   time.Time // zero: it is not, yet
	place   *place    // nil: it has left, and only has to end
	due     string    // why it has to be replaced; "": it has not
	dueAt   time.Time // since when
	reason  string    // why it ends, as it said or was told
	// deadline is when it is killed if it has not ended. Zero: never.
	deadline time.Time
	shutting bool       // it said that it ends
	spent    fate.Spent // as it said
	unfit    int        // WSGI#### of why it could not be set up, as it said; 0: it could
	killed   bool       // by this supervisor
	rest     rest       // of an elastic group's process

	applications []daemon.Load // that it has loaded
	loading      *daemon.Load  // in advance, at the moment
	strict       bool          // it has to load all that its predecessor had loaded
	gaveUp       bool          // it said that it can't load what it has to
	repeated     bool          // what it failed for is in the log already
	late         bool          // nobody waits for it any more
}

// A backOff says when the next process of a place may start.
type backOff struct {
	delay    time.Duration
	before   time.Time // no start earlier
	proven   time.Time // when a process of the place became ready, since the last failure; zero: none did
	quick    bool      // the last service process returned early
	failures int       // in a row
}

const (
	shortestDelay = time.Second
	longestDelay  = 20 * time.Second
	// provenAfter is how long a process must have been ready for its end to be no failure to start.
	provenAfter = time.Second
)

// failed makes the next start wait, twice as long as the last time.
func (b *backOff) failed(now time.Time) {
	if !b.proven.IsZero() && now.Sub(b.proven) >= provenAfter {
		b.delay, b.failures = 0, 0
	}
	b.failures++
	b.proven = time.Time{}
	b.delay = min(max(2*b.delay, shortestDelay), longestDelay)
	b.before = now.Add(b.delay)
}

// returned makes the next start wait if a service process did not last. It may return early once: what it had to do can be little.
func (b *backOff) returned(now time.Time, lasted time.Duration, ordinary bool) {
	switch {
	case lasted >= provenAfter:
		*b = backOff{}
	case ordinary && !b.quick:
		b.quick = true
	default:
		b.failed(now)
	}
}

// failing tells whether the last start failed.
func (b *backOff) failing(now time.Time) bool {
	return b.failures > 0 && (b.proven.IsZero() || now.Sub(b.proven) < provenAfter)
}

// next says when the next attempt is made, and how many have failed. "": at once.
func (b *backOff) next(now time.Time) string {
	wait := b.before.Sub(now)
	if wait <= 0 {
		return ""
	}
	text := "the next one starts in " + wait.Round(time.Second).String()
	if b.failures > 1 {
		text = fmt.Sprintf("%d starts have failed in a row, %s", b.failures, text)
	}
	return text
}

// backOff is what the next start waits for.
func (p *place) backOff() *backOff {
	if p.current != nil {
		return &p.succession
	}
	return &p.retry
}

// An event is what happens to a process.
type event struct {
	serial uint32
	notice daemon.Notice
	end    *ending // not nil: the last event of the process, which is reaped
}

// A starter starts the processes of one group.
type starter interface {
	// start starts the process of an assignment. What happens to it is reported until its end, by other goroutines. An error is a *fault.
	start(a daemon.Assignment, report func(event)) (process, error)
}

// A process is one that was started. After its end the methods do nothing.
type process interface {
	pid() int
	order(daemon.Order)
	// ask sends an order that is answered; what is returned is to be read to its end, and closed.
	ask(daemon.OrderKind) (*os.File, error)
	kill()
}
