package supervisor

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/directives"
)

// A stage is a group with processes that a test plays. It lives in a synctest bubble: its time is not real.
type stage struct {
	t     *testing.T
	group *group
	board *daemon.Board
	text  *lockedBuffer
	over  chan struct{} // closed when run has returned

	mu      sync.Mutex // of what follows
	started []*actor   // in order
	refuse  error      // of the next starts
}

// An actor is a process that a test plays.
type actor struct {
	stage  *stage
	serial uint32
	slot   int
	plan   *daemon.Preload
	report func(event)
	mu     sync.Mutex
	orders []daemon.Order
	// Of the kinds Keep and Reply: they change nothing about who is to go.
	keeps, replies []daemon.Order
	killed         bool

	ready, ending bool // it said so; the test's own
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// play runs a test in a bubble, with a group of which the defaults of the reference hold unless change says otherwise.
func play(t *testing.T, processes int, change func(*stage, *directives.DaemonGroup), test func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config := &directives.DaemonGroup{Name: "a", Processes: processes, Threads: 15, ShutdownTimeout: 5 * time.Second, GracefulTimeout: 15 * time.Second, KeepOldCode: true}
		s := &stage{t: t, text: &lockedBuffer{}, over: make(chan struct{})}
		if change != nil {
			change(s, config)
		}
		slots := daemon.Slots([]*directives.DaemonGroup{config})
		fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if s.board, err = daemon.FormatBoard(fd, slots); err != nil {
			t.Fatal(err)
		}
		s.group = newGroup(config, 0, slots[0], s.board, 100, s, errorlog.New(s.text, errorlog.Default(), errorlog.Debug))
		go func() {
			defer close(s.over)
			s.group.run()
		}()
		defer s.finish()
		synctest.Wait()
		test(s)
	})
}

// finish ends the group if the test has not, so that the bubble is empty.
func (s *stage) finish() {
	select {
	case <-s.group.stop:
	default:
		close(s.group.stop)
	}
	synctest.Wait()
	for _, a := range s.processes() {
		if !s.gone(a) {
			a.exit(0)
		}
	}
	synctest.Wait()
	select {
	case <-s.over:
	default:
		s.t.Error("the group's goroutine has not ended although no process is left")
	}
}

func (s *stage) start(a daemon.Assignment, report func(event)) (process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	p := &actor{stage: s, serial: a.Serial, slot: a.Slot, plan: a.Preload, report: report}
	s.started = append(s.started, p)
	return p, nil
}

// ask answers with the order's name.
func (a *actor) ask(kind daemon.OrderKind) (*os.File, error) {
	answer, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	_, err = end.WriteString(string(kind))
	return answer, err
}

// processes are all that were started.
func (s *stage) processes() []*actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.started)
}

func (s *stage) process(i int) *actor {
	s.t.Helper()
	if all := s.processes(); i < len(all) {
		return all[i]
	}
	s.t.Fatalf("process %d was not started\n%s", i, s.text)
	return nil
}

// refuseStarts lets starts fail, or work again.
func (s *stage) refuseStarts(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

func (s *stage) gone(a *actor) bool {
	return s.board.Slot(a.slot).State == daemon.SlotEmpty || s.board.Slot(a.slot).Serial != a.serial
}

// want fails the test unless so many processes were started in all.
func (s *stage) want(started int) {
	s.t.Helper()
	synctest.Wait()
	if len(s.processes()) != started {
		s.t.Fatalf("%d processes were started, want %d\n%s", len(s.processes()), started, s.text)
	}
}

// after lets time pass.
func (s *stage) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *stage) wantLog(parts ...string) {
	s.t.Helper()
	for line := range strings.Lines(s.text.String()) {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(line, part)
		}
		if found {
			return
		}
	}
	s.t.Errorf("no line of the log has all of %q\n%s", parts, s.text)
}

// hopeless is what Apache's children read on the board (board.h, mwd_part).
func (s *stage) hopeless() bool {
	const hopeless = 8
	return atomic.LoadUint32((*uint32)(unsafe.Add(s.board.Part(0), hopeless))) != 0
}

func (s *stage) wantHopeless(want bool) {
	s.t.Helper()
	synctest.Wait()
	if got := s.hopeless(); got != want {
		s.t.Errorf("hopeless is %v, want %v\n%s", got, want, s.text)
	}
}

func (a *actor) pid() int { return 1000 + int(a.serial) }

func (a *actor) order(o daemon.Order) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch o.Kind {
	case daemon.Keep:
		a.keeps = append(a.keeps, o)
	case daemon.Reply:
		a.replies = append(a.replies, o)
	default:
		a.orders = append(a.orders, o)
	}
}

func (a *actor) kill() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.killed = true
}

// told tells whether the process was told to go.
func (a *actor) told() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.orders) > 0
}

// kept is how often the process was told to keep its code.
func (a *actor) kept() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.keeps)
}

func (a *actor) wantOrders(kinds ...daemon.OrderKind) {
	a.stage.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.orders) != len(kinds) {
		a.stage.t.Fatalf("process %d got the orders %v, want %v", a.pid(), a.orders, kinds)
	}
	for i, kind := range kinds {
		if a.orders[i].Kind != kind {
			a.stage.t.Fatalf("process %d got the orders %v, want %v", a.pid(), a.orders, kinds)
		}
	}
}

func (a *actor) wantKilled(want bool) {
	a.stage.t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.killed != want {
		a.stage.t.Fatalf("process %d killed: %v, want %v\n%s", a.pid(), a.killed, want, a.stage.text)
	}
}

func (a *actor) say(kind daemon.NoticeKind, reason string) {
	a.ready, a.ending = a.ready || kind == daemon.Ready, a.ending || kind == daemon.Ending
	if kind == daemon.Ready {
		threads := a.stage.group.config.Threads
		a.stage.board.SetSlot(a.slot, daemon.SlotWord{Serial: a.serial, State: daemon.SlotReady, Permits: uint16(threads)}, a.pid(), threads)
	}
	a.report(event{serial: a.serial, notice: daemon.Notice{Kind: kind, Reason: reason}})
	synctest.Wait()
}

func (a *actor) exit(status int) { a.end(syscall.WaitStatus(status << 8)) }

func (a *actor) die(signal syscall.Signal) { a.end(syscall.WaitStatus(signal)) }

func (a *actor) end(status syscall.WaitStatus) {
	a.report(event{serial: a.serial, end: &ending{status: status}})
	synctest.Wait()
}
