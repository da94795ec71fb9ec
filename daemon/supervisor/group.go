package supervisor

import (
	"errors"
	"slices"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/directives"
)

const (
	// killAfter is how long a process may overstay its time limits, which it should enforce itself.
	killAfter = 2 * time.Second
	// endlessShutdown is what shutdown-timeout=0 means when everything has to end.
	endlessShutdown = 60 * time.Second
)

// A group is a process group with its processes. Its fields belong to the goroutine that runs run().
type group struct {
	config  *directives.DaemonGroup
	number  int // of its queue on the board
	board   *daemon.Board
	former  *daemon.Board // where requests wait until a process is ready; or nil
	starter starter
	log     *errorlog.Log

	serial     uint32    // of the process that was started last
	members    []*member // by slot; nil: the slot is free
	places     []place
	hopeless   tristate // what the board says
	deployment deployment
	stopping   bool
	demand     demand // on an elastic group

	rolls    []*roll
	restarts map[string]int // processes that have ended, by reason

	events chan event
	work   chan func()   // see do
	bell   chan struct{} // somebody rang
	stop   chan struct{} // closed: end everything
	begun  chan struct{} // closed when the first processes are started
	over   chan struct{} // closed when all is ended
}

type tristate int

const (
	unknown tristate = iota
	no
	yes
)

func newGroup(config *directives.DaemonGroup, number, slots int, board *daemon.Board, serial uint32, s starter, log *errorlog.Log) *group {
	g := &group{config: config, number: number, board: board, starter: s, log: log, serial: serial,
		members: make([]*member, slots), places: make([]place, config.MostProcesses()),
		restarts: map[string]int{},
		events:   make(chan event), work: make(chan func()), bell: make(chan struct{}, 1),
		stop: make(chan struct{}), begun: make(chan struct{}), over: make(chan struct{})}
	for i := range config.Processes {
		g.places[i].wanted = true
	}
	return g
}

// service tells whether the group takes no requests: its processes run scripts.
func (g *group) service() bool { return g.config.Threads == 0 }

// run looks after the group until it is stopped and every process is reaped.
func (g *group) run() {
	defer close(g.over)
	g.begin()
	close(g.begun)
	stop := g.stop
	for !g.stopping || g.alive() {
		alarm := g.alarm()
		select {
		case e := <-g.events:
			g.handle(e)
		case work := <-g.work:
			work()
		case <-g.bell:
			g.rung()
		case <-stop:
			stop = nil
			g.stopAll()
		case <-alarm:
		}
		g.reconcile()
	}
}

// do has the group's goroutine do something, and returns when it is done. False: the group is over.
func (g *group) do(work func()) bool {
	done := make(chan struct{})
	select {
	case g.work <- func() { defer close(done); work() }:
		<-done
		return true
	case <-g.over:
		return false
	}
}

// begin starts the first processes. A group whose first socket can't be made is not started at all: waiting would not help.
func (g *group) begin() {
	g.board.SetTrouble(g.number, daemon.Fate{})
	if g.places[0].wanted {
		var f *fault
		if err := g.fill(&g.places[0]); errors.As(err, &f) && f.code != codeNoProcess {
			g.log.Printf(errorlog.Alert, 0, "the group '%s' is not started", g.config.Name)
			g.stopping = true
			g.hopeless = yes
			g.board.SetHopelessForEver(g.number)
		}
	}
	g.reconcile()
}

func (g *group) alive() bool {
	return slices.ContainsFunc(g.members, func(m *member) bool { return m != nil })
}

// handle takes note of an event. What follows from it is up to reconcile.
func (g *group) handle(e event) {
	m := g.member(e.serial)
	if m == nil {
		return
	}
	switch {
	case e.end != nil:
		g.ended(m, *e.end)
	case e.notice.Kind == daemon.Ready:
		g.ready(m)
	case e.notice.Kind == daemon.Due:
		g.due(m, e.notice.Reason)
	case e.notice.Kind == daemon.Ending:
		g.ending(m, e.notice)
	case e.notice.Kind == daemon.Loading:
		m.loading = e.notice.Load
	case e.notice.Kind == daemon.Loaded && e.notice.Load != nil:
		m.loaded(*e.notice.Load)
	case e.notice.Kind == daemon.Question && e.notice.Load != nil:
		g.answer(m, e.notice)
	case e.notice.Kind == daemon.Failed:
		g.cannotLoad(m, e.notice.Load, e.notice.Reason)
	case e.notice.Kind == daemon.Kept:
		g.kept(m, e.notice.Number)
	case e.notice.Kind == daemon.Late:
		g.late(m)
	case e.notice.Kind == daemon.Unfit:
		m.unfit = e.notice.Code
	}
}

func (g *group) member(serial uint32) *member {
	i := slices.IndexFunc(g.members, func(m *member) bool { return m != nil && m.serial == serial })
	if i < 0 {
		return nil
	}
	return g.members[i]
}
