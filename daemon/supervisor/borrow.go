package supervisor

import (
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
)

// After a graceful restart, Apache's new children use the processes of the last configuration until those of the new one are ready. The last
// supervisor keeps them for as long as its board says that they are lent: Apache's parent says so first, then the new supervisor.
const (
	lendFor   = 10 * time.Second
	lendAgain = time.Second
	// mostLent bounds it all: a group that does not get ready is not to keep two configurations at work.
	mostLent = time.Minute
	// spare is how long a child may take from choosing a process to sending it a request.
	spare      = time.Second
	borrowLook = 20 * time.Millisecond
	// childrenWait is how long Apache's children are waited for at most, childPause for how long none may have come for them to be complete.
	childrenWait = 250 * time.Millisecond
	childPause   = 20 * time.Millisecond
)

// inherit makes the last configuration's board known to the groups, which are not started yet.
func (s *Supervisor) inherit(fd int) {
	former, err := daemon.OpenBoard(fd, daemon.Slots(s.config.Process.Groups))
	if err != nil {
		s.groups[0].log.Printf(errorlog.Info, 0, "the processes before the restart are not used until new ones are ready: %v", err)
		return
	}
	s.former = former
	for _, g := range s.groups {
		g.former = former
	}
}

// awaitChildren returns when Apache has as many children as it starts with: clients wait for those, and starting Python takes processors from them.
func awaitChildren(children, gone <-chan struct{}) {
	limit := time.After(childrenWait)
	var pause <-chan time.Time
	for {
		select {
		case <-children:
			pause = time.After(childPause)
		case <-pause:
			return
		case <-gone:
			return
		case <-limit:
			return
		}
	}
}

// borrow returns when the processes of the last configuration's board are needed no more.
func (s *Supervisor) borrow() {
	former := s.former
	end, again := time.Now().Add(mostLent), time.Time{}
	for !s.ready() && time.Now().Before(end) {
		if now := time.Now(); !now.Before(again) {
			former.Lend(lendFor)
			again = now.Add(lendAgain)
		}
		time.Sleep(borrowLook)
	}
	former.Lend(lendFor)
	time.Sleep(spare)
	for s.inUse(former) && time.Now().Before(end) {
		former.Lend(lendFor)
		time.Sleep(borrowLook)
	}
	former.Lend(0)
}

// ready tells whether each group that starts with a process for requests has one that takes them.
func (s *Supervisor) ready() bool {
	for i, g := range s.groups {
		if !g.service() && g.config.Processes > 0 && !anySlot(s.board, i, len(g.members), func(w daemon.SlotWord) bool { return w.State == daemon.SlotReady }) {
			return false
		}
	}
	return true
}

// inUse tells whether a process of a board has a request. Those of the old children's are not told from others; they are waited for anyway.
func (s *Supervisor) inUse(board *daemon.Board) bool {
	for i, g := range s.groups {
		if anySlot(board, i, len(g.members), func(w daemon.SlotWord) bool {
			return w.State == daemon.SlotReady && int(w.Permits) < g.config.Threads
		}) {
			return true
		}
	}
	return false
}

func anySlot(board *daemon.Board, group, slots int, accept func(daemon.SlotWord) bool) bool {
	first := board.FirstSlot(group)
	for i := range slots {
		if accept(board.Slot(first + i)) {
			return true
		}
	}
	return false
}
