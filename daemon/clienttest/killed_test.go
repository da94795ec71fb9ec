package clienttest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/life"
)

// Children and processes that are killed at any moment: whoever is left is served.

const (
	childVariable = "CLIENTTEST_CHILD" // what a child is to do: "wait" or "run", and how many at once
	childSocket   = "CLIENTTEST_SOCKET"
	childBoard    = 3
)

// runChild is a child of Apache's: its requests come as fast as they are answered, or are sent once. It ends by being killed.
func runChild() {
	var threads int
	var what string
	_, err := fmt.Sscan(os.Getenv(childVariable), &what, &threads)
	var g *Group
	if err == nil {
		g, err = OpenGroup(childBoard, os.Getenv(childSocket), groupSlots, Limits{Connect: time.Second, Backlog: 1000, Processes: 1,
			ResponseBuffer: 1 << 20, HeaderBuffer: 32768})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range threads {
		go func() {
			for {
				g.Run(named(what))
			}
		}()
	}
	time.Sleep(time.Minute) // should the test forget it
	os.Exit(0)
}

// child is one of Apache's that a test starts.
type child struct{ *exec.Cmd }

func (s *stage) child(what string, threads int) child {
	s.t.Helper()
	board, err := unix.FcntlInt(uintptr(s.group.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	file := os.NewFile(uintptr(board), "board")
	defer file.Close()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+what+" "+strconv.Itoa(threads), childSocket+"="+s.group.Socket)
	command.Stderr = os.Stderr
	command.ExtraFiles = []*os.File{file}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := child{command}
	s.t.Cleanup(c.kill)
	return c
}

// kill may be called again.
func (c child) kill() {
	_ = c.Process.Kill()
	_ = c.Wait()
}

func TestRequestsOfAKilledChildHoldNobodyUp(t *testing.T) {
	s := newStage(t, Limits{})
	s.process(0, 1, 1)
	results := []<-chan Result{s.ask(s.group, "a")}
	s.waitServed(1)
	doomed := s.child("dead", 30)
	s.waitWaiting(30)
	results = append(results, s.ask(s.group, "b"))
	s.waitWaiting(31)
	doomed.kill()
	s.waitWaiting(1)
	began := time.Now()
	close(s.gate)
	s.expectAll(0, 1, results...)
	if took := time.Since(began); took > 300*time.Millisecond { // less than a waiter sleeps: it was told
		t.Errorf("the first that lives had to wait for %v", took)
	}
}

// A zombie is dead, too: Apache reaps its children once a second.
func TestAKilledChildIsDeadBeforeItIsReaped(t *testing.T) {
	s := newStage(t, Limits{})
	s.process(0, 1, 1)
	first := s.ask(s.group, "a")
	s.waitServed(1)
	doomed := s.child("dead", 3)
	s.waitWaiting(3)
	_ = doomed.Process.Kill()
	s.waitWaiting(0)
	close(s.gate)
	s.expectAll(0, 1, first)
}

func TestAChildThatIsStoppedHoldsNobodyUpForLong(t *testing.T) {
	s := newStage(t, Limits{})
	s.process(0, 1, 1)
	first := s.ask(s.group, "a")
	s.waitServed(1)
	stopped := s.child("stopped", 1)
	s.waitWaiting(1)
	if err := stopped.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := s.ask(s.group, "b")
	s.waitWaiting(2)
	began := time.Now()
	close(s.gate)
	for _, result := range []<-chan Result{first, second} {
		if got := <-result; got.Result != answered {
			t.Errorf("%+v", got)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// watch restores permits as a daemon process does: what package life decides. It ends with the process.
func (p *process) watch(over <-chan struct{}) {
	m := life.New(life.Limits{Threads: p.threads}, life.Time(time.Now().UnixNano()))
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-over:
			tick.Stop()
			return
		case <-tick.C:
		}
		inside := p.received.Load() - p.returned.Load()
		out := int64(p.threads) - int64(p.group.Board.Slot(p.slot).Permits)
		view := life.View{Now: life.Time(time.Now().UnixNano()), Requests: make([]life.Request, max(inside, 0)), UnderWay: int(out - inside)}
		actions, _ := m.Look(view)
		for _, a := range actions {
			if a.Kind == life.Restore {
				p.group.Board.AddPermits(p.slot, p.serial, int(a.Number))
				p.group.Board.Wake(0)
			}
		}
	}
}

// Children and processes die all the time. In the end every request of the child that lives was answered, and nothing is left over.
func TestNothingIsLostWhileChildrenAndProcessesAreKilled(t *testing.T) {
	const threads, length = 4, 2 * time.Second
	s := newStage(t, Limits{Connect: 10 * time.Second, Processes: 2})
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	serial := uint32(0)
	begin := func(slot int) *process {
		serial++
		p := start(t, s.group, slot, serial, threads, func(c *peer, r *daemon.Request) bool {
			time.Sleep(time.Millisecond)
			return hello(c, r)
		})
		go p.watch(over)
		return p
	}
	processes := []*process{begin(0), begin(1)}
	end := time.Now().Add(length)
	var served, lost atomic.Int64
	for range 12 {
		s.all.Go(func() {
			for time.Now().Before(end) {
				switch got := s.group.Run(named("live")); {
				case got.Result == answered && got.Code == 0:
					served.Add(1)
				case got.Code == 119 || got.Code == 146 || got.Code == 147: // it was in a process that was killed
					lost.Add(1)
				default:
					t.Errorf("%+v", got)
				}
			}
		})
	}
	kills := 0
	for ; time.Now().Before(end); kills++ {
		doomed := s.child("doomed", 8)
		moment := time.Now().Add(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		s.waitUntil("its time has come", func() bool { return time.Now().After(moment) })
		doomed.kill()
		if i := kills % len(processes); kills%3 == 2 {
			processes[i].kill()
			processes[i] = begin(i)
		}
	}
	s.all.Wait()
	s.waitWaiting(0)
	s.waitUntil("every permit is back", func() bool {
		return s.group.Board.Slot(0).Permits == threads && s.group.Board.Slot(1).Permits == threads
	})
	t.Logf("%d children were killed, %d requests served, %d lost with their process", kills, served.Load(), lost.Load())
	if served.Load() < 100 || kills < 3 {
		t.Errorf("only %d children were killed, %d requests served", kills, served.Load())
	}
	if got := s.group.Run(named("last")); got.Result != answered {
		t.Errorf("%+v", got)
	}
}

// Daemon processes can write to their group's part of the board. Whatever they do to it, requests end, in time and without harm to the child.
func TestNonsenseOnTheBoardHarmsNoChild(t *testing.T) {
	s := newStage(t, Limits{Connect: 100 * time.Millisecond})
	start(t, s.group, 0, 1, 2, hello)
	part := unsafe.Slice((*byte)(s.group.Board.Part(0)), daemon.PartOffset([]int{groupSlots, 0}, 1)-daemon.PartOffset([]int{groupSlots, 0}, 0))
	before := slices.Clone(part)
	end := time.Now().Add(time.Second)
	s.all.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for time.Now().Before(end) {
			switch at := random.IntN(1000) * 8; random.IntN(3) {
			case 0:
				*(*uint64)(unsafe.Pointer(&part[at])) = random.Uint64()
			case 1:
				*(*uint64)(unsafe.Pointer(&part[at])) = uint64(random.IntN(3))
			case 2:
				*(*uint64)(unsafe.Pointer(&part[at])) = 1<<64 - 1
			}
		}
	})
	for range 8 {
		s.all.Go(func() {
			for time.Now().Before(end) {
				r := plain()
				r.Timeout = 200 * time.Millisecond
				began := time.Now()
				if got := s.group.Run(r); time.Since(began) > 5*time.Second || got.Result != answered && got.Code == 0 {
					t.Errorf("after %v: %+v", time.Since(began), got)
				}
			}
		})
	}
	s.all.Wait()
	copy(part, before)
	if got := s.group.Run(plain()); got.Result != answered || got.Code != 0 {
		t.Errorf("with the board as it was: %+v", got)
	}
}
