package telemetry

import (
	"fmt"
	"runtime"
	"time"

	"modwsgi/interp"
)

const (
	longestPause  = time.Second          // between two looks at what runs
	shortestPause = 5 * time.Millisecond // a limit of less is kept as well as that allows
	stackPatience = 2 * time.Second      // with an interpreter lock, which may be stuck
)

// A slowWatch reports requests in their error logs that take long: once while they run, and when they are over.
type slowWatch struct {
	limit    time.Duration
	reported map[interp.RequestID]bool // of those that run
	stacks   chan stackOrder
}

// A stackOrder asks for the stack of a request.
type stackOrder struct {
	of     *interp.Glimpse
	result chan<- string
}

func newSlowWatch(limit time.Duration) *slowWatch {
	return &slowWatch{limit: limit, reported: map[interp.RequestID]bool{}, stacks: make(chan stackOrder)}
}

// run never ends.
func (w *slowWatch) run() {
	go w.takeStacks()
	for {
		time.Sleep(w.look(interp.RunningRequests()))
	}
}

// look reports what has become slow, and says when to look again.
func (w *slowWatch) look(running []interp.Running) time.Duration {
	slow, pause := w.choose(running)
	for _, id := range slow {
		if g, runs := id.Look(); runs {
			g.Warn(w.describe(g) + w.stackOf(g))
		}
	}
	return pause
}

// choose finds those that have passed the limit since the last look. Whatever begins after this look passes it after `pause` at the earliest,
// but for the time that it has waited elsewhere.
func (w *slowWatch) choose(running []interp.Running) (slow []interp.RequestID, pause time.Duration) {
	known := map[interp.RequestID]bool{}
	pause = min(w.limit, longestPause)
	for _, r := range running {
		switch {
		case w.reported[r.Request]:
			known[r.Request] = true
		case r.Elapsed >= w.limit:
			known[r.Request] = true
			slow = append(slow, r.Request)
		default:
			pause = min(pause, w.limit-r.Elapsed)
		}
	}
	w.reported = known
	return slow, max(pause, shortestPause)
}

// stackOf waits for a while only. The stack comes with a line break in front.
func (w *slowWatch) stackOf(g *interp.Glimpse) string {
	result := make(chan string, 1)
	late := time.After(stackPatience)
	select {
	case w.stacks <- stackOrder{g, result}:
	case <-late:
		return "; where it is can't be found out: the interpreter lock is stuck"
	}
	select {
	case stack := <-result:
		if stack == "" {
			return "; it runs no Python code at the moment"
		}
		return "; it is in\n" + stack
	case <-late:
		return fmt.Sprintf("; where it is can't be found out: the interpreter lock has not been free for %v", stackPatience)
	}
}

// takeStacks may wait for a lock for ever, so it is on its own. Python keeps a state for its thread.
func (w *slowWatch) takeStacks() {
	runtime.LockOSThread()
	for order := range w.stacks {
		order.result <- order.of.Stack()
	}
}

// describe says that a request is slow, in one line without its end.
func (w *slowWatch) describe(g *interp.Glimpse) string {
	return fmt.Sprintf("WSGI0305: a request has taken %s so far (the limit is WSGISlowRequests %v): %s", tenths(g.Elapsed), w.limit, who(g))
}

// finished says that a slow request is over.
func (w *slowWatch) finished(g *interp.Glimpse) string {
	return fmt.Sprintf("WSGI0306: a request is over after %s, with status %d (the limit is WSGISlowRequests %v): %s", tenths(g.Elapsed), g.End.Status,
		w.limit, who(g))
}

// who tells a request from others. The application group is quoted as the configuration writes it.
func who(g *interp.Glimpse) string {
	group := g.ApplicationGroup
	if group == "" {
		group = "%{GLOBAL}"
	}
	return fmt.Sprintf("%s %s://%s%s of client %s, application group '%s', script %s", g.Method, g.Scheme, g.Host, g.URI, g.Peer, group, g.Script)
}

// tenths is precise enough for people, and to the millisecond below a second.
func tenths(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
