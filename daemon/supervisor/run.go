package supervisor

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"modwsgi/daemon"
)

// Surroundings are what a supervisor is started with.
type Surroundings struct {
	Control io.ReadWriter // to Apache's parent: the recording comes, one byte goes when the groups have begun; its end ends the configuration
	Users   io.Reader     // numbers of groups that requests wait for; its end: no child of Apache's uses the groups any more
	Board   int
	Former  int // the board of the last configuration, if that was the same; or 0
	Errors  *os.File
	Program string
	// Parent tells whether Apache's parent is still there.
	Parent func() bool
	// Signals tells to stop.
	Signals <-chan os.Signal
}

// parentWatch says for how long after the end of the control connection Apache's parent may look alive although it has died, and how often
// it is looked at while its children finish.
const parentWatch = 100 * time.Millisecond

// Run is the life of a supervisor.
func Run(s Surroundings) error {
	recording, err := ReadRecording(s.Control)
	if err != nil {
		return err
	}
	supervisor, err := New(recording, s.Board, s.Errors, s.Program)
	if err != nil {
		return fmt.Errorf("start the daemon processes: %w", err)
	}
	if s.Former > 0 {
		supervisor.inherit(s.Former)
	}
	children, ring := tellChildren(supervisor.Ring)
	users := rings(s.Users, ring)
	if supervisor.former != nil {
		go supervisor.borrow()
		awaitChildren(children, users)
	}
	supervisor.Start()
	_, _ = s.Control.Write([]byte{1}) // who does not wait for it any more is gone, and that is seen next
	s.wait(supervisor.board, &supervisor.replaced, users)
	return supervisor.Stop()
}

// tellChildren takes out of what Apache's children tell that one of them is about to take requests: then something comes through the channel.
func tellChildren(ring func(uint32)) (<-chan struct{}, func(uint32)) {
	children := make(chan struct{}, 1)
	return children, func(number uint32) {
		if number != bellChild {
			ring(number)
			return
		}
		select {
		case children <- struct{}{}:
		default: // one is to be seen
		}
	}
}

// bellChild is MWD_BELL_CHILD of client/bell.h.
const bellChild = 1<<32 - 1

// wait returns when the processes are to end: on a signal, when Apache's parent has died, or when it has dropped this configuration and the
// last child with it has ended, and the next one does not need the processes any more.
func (s *Surroundings) wait(board *daemon.Board, replaced *atomic.Bool, users <-chan struct{}) {
	control := atEnd(s.Control)
	select {
	case <-s.Signals:
		return
	case <-control:
	}
	replaced.Store(true)
	look := time.NewTicker(parentWatch)
	defer look.Stop()
	for s.Parent() {
		select {
		case <-users:
			users = nil
		case <-s.Signals:
			return
		case <-look.C:
		}
		if users == nil && !board.Lent() {
			return
		}
	}
}

// atEnd is closed when nothing more can be read.
func atEnd(r io.Reader) <-chan struct{} {
	end := make(chan struct{})
	go func() {
		defer close(end)
		_, _ = io.Copy(io.Discard, r)
	}()
	return end
}

// rings passes on what Apache's children tell (client/bell.h). Closed when nothing more can come.
func rings(r io.Reader, ring func(uint32)) <-chan struct{} {
	end := make(chan struct{})
	go func() {
		defer close(end)
		var number [4]byte
		for buffered := bufio.NewReader(r); ; {
			if _, err := io.ReadFull(buffered, number[:]); err != nil {
				return
			}
			ring(binary.NativeEndian.Uint32(number[:]))
		}
	}()
	return end
}
