package clienttest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"modwsgi/daemon"
)

// Who waits for a process group, and for how long: client/queue.c, seats.h.

// stage is a group with a process whose threads wait at a gate, and what requests got there, in order.
type stage struct {
	t     *testing.T
	group *Group
	gate  chan struct{}
	mu    sync.Mutex
	order []string // names of requests as they got a thread
	all   sync.WaitGroup
}

func newStage(t *testing.T, l Limits) *stage {
	return &stage{t: t, group: newGroup(t, l), gate: make(chan struct{})}
}

// process starts a process whose requests wait at the gate.
func (s *stage) process(slot int, serial uint32, threads int) *process {
	return start(s.t, s.group, slot, serial, threads, func(c *peer, r *daemon.Request) bool {
		s.note(nameOf(r))
		<-s.gate
		return hello(c, r)
	})
}

func (s *stage) note(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, name)
}

func (s *stage) served() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

func nameOf(r *daemon.Request) string {
	for _, pair := range r.Environ {
		if bytes.Equal([]byte(pair.Key), []byte("NAME")) {
			return string(pair.Value)
		}
	}
	return ""
}

func named(name string) Request {
	r := plain()
	r.Environ = append(r.Environ, "NAME", name)
	r.Timeout = 20 * time.Second
	return r
}

// ask sends a request from a child; its result comes through the channel.
func (s *stage) ask(child *Group, name string) <-chan Result {
	result := make(chan Result, 1)
	s.all.Go(func() { result <- child.Run(named(name)) })
	return result
}

func (s *stage) waitUntil(what string, reached func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("it does not happen that %s; %+v, served %v", what, s.group.Board.Queue(0), s.served())
		}
	}
}

func (s *stage) waitWaiting(n int) {
	s.t.Helper()
	s.waitUntil(fmt.Sprintf("%d requests wait", n), func() bool { return s.group.Board.Queue(0).Waiting == n })
}

func (s *stage) waitServed(n int) {
	s.t.Helper()
	s.waitUntil(fmt.Sprintf("%d requests have a thread", n), func() bool { return len(s.served()) == n })
}

// expectAll: everything was answered, nobody waits, and every permit is back.
func (s *stage) expectAll(slot, permits int, results ...<-chan Result) {
	s.t.Helper()
	for i, result := range results {
		if got := <-result; got.Result != answered || got.Code != 0 {
			s.t.Errorf("request %d: %+v", i, got)
		}
	}
	s.all.Wait()
	if w := s.group.Board.Slot(slot); int(w.Permits) != permits || s.group.Board.Queue(0).Waiting != 0 {
		s.t.Errorf("at the end %+v and %+v", w, s.group.Board.Queue(0))
	}
}

func TestRequestsGetTheirThreadInOrderOfArrivalOverAllChildren(t *testing.T) {
	s := newStage(t, Limits{})
	other, err := s.group.Sibling(s.group.limits)
	if err != nil {
		t.Fatal(err)
	}
	s.process(0, 1, 1)
	results := []<-chan Result{s.ask(s.group, "0")}
	s.waitServed(1)
	want := []string{"0"}
	for i := 1; i <= 20; i++ {
		child := s.group
		if i%2 == 0 {
			child = other
		}
		name := strconv.Itoa(i)
		results = append(results, s.ask(child, name))
		want = append(want, name)
		s.waitWaiting(i)
	}
	if q := s.group.Board.Queue(0); q.Oldest <= 0 || q.Oldest > 20*time.Second {
		t.Errorf("%+v", q)
	}
	for range results {
		s.gate <- struct{}{} // one after the other: a newcomer would find the permit
	}
	s.expectAll(0, 1, results...)
	if got := s.served(); !slices.Equal(got, want) {
		t.Errorf("served in the order %v", got)
	}
}

func TestARequestThatIsSentBackKeepsItsPlace(t *testing.T) {
	s := newStage(t, Limits{})
	back := make(chan struct{})
	start(t, s.group, 0, 1, 1, func(c *peer, _ *daemon.Request) bool {
		<-back
		c.last = empty(daemon.Again)
		return true
	})
	results := []<-chan Result{s.ask(s.group, "first")}
	s.waitUntil("the first has the thread", func() bool { return s.group.Board.Slot(0).Permits == 0 })
	results = append(results, s.ask(s.group, "second"))
	s.waitWaiting(1)
	s.group.Board.SetState(0, 1, daemon.SlotRetiring) // nobody else is to be sent back
	close(back)
	s.waitWaiting(2)
	s.process(1, 2, 1)
	for range results {
		s.gate <- struct{}{}
	}
	s.expectAll(1, 1, results...)
	if got := s.served(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("served in the order %v", got)
	}
}

func TestWhoWaitsForASuccessorKeepsNobodyWaiting(t *testing.T) {
	s := newStage(t, Limits{})
	start(t, s.group, 0, 1, 1, func(c *peer, r *daemon.Request) bool {
		if nameOf(r) == "new" {
			c.last = empty(daemon.Again)
			return true
		}
		return hello(c, r)
	})
	waits := s.ask(s.group, "new")
	s.waitWaiting(1)
	for range 20 {
		if got := s.group.Run(named("old")); got.Result != answered || got.Code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	s.waitWaiting(1)
	close(s.gate)
	s.process(1, 2, 1)
	s.expectAll(1, 1, waits)
}

// A process may send a request elsewhere: it waits for any other one then, and keeps nobody from that process, but its place with the others.
func TestWhoAvoidsAProcessKeepsNobodyWaiting(t *testing.T) {
	s := newStage(t, Limits{Processes: 2})
	start(t, s.group, 0, 1, 1, func(c *peer, r *daemon.Request) bool {
		if nameOf(r) == "sent away" {
			c.last = daemon.AppendHeader(nil, daemon.Header{Type: daemon.Again, Flags: daemon.FlagElsewhere})
			return true
		}
		return hello(c, r)
	})
	s.group.Board.SetState(0, 1, daemon.SlotRetiring)
	s.process(1, 2, 1)
	results := []<-chan Result{s.ask(s.group, "inside")}
	s.waitServed(1)
	s.group.Board.SetState(0, 1, daemon.SlotReady)
	results = append(results, s.ask(s.group, "sent away"))
	s.waitWaiting(1)
	for range 20 {
		if got := s.group.Run(named("other")); got.Result != answered || got.Code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	s.group.Board.SetState(0, 1, daemon.SlotRetiring)
	results = append(results, s.ask(s.group, "after it"))
	s.waitWaiting(2)
	for range results {
		s.gate <- struct{}{}
	}
	s.expectAll(1, 1, results...)
	if got := s.served(); !slices.Equal(got, []string{"inside", "sent away", "after it"}) {
		t.Errorf("served in the order %v", got)
	}
}

func TestAFullQueue(t *testing.T) {
	t.Run("answers at once", func(t *testing.T) {
		s := newStage(t, Limits{Backlog: 2, Connect: time.Nanosecond}) // none: connect-timeout=0
		s.process(0, 1, 1)
		results := []<-chan Result{s.ask(s.group, "a")}
		s.waitServed(1)
		for i, name := range []string{"b", "c"} {
			results = append(results, s.ask(s.group, name))
			s.waitWaiting(i + 1)
		}
		began := time.Now()
		got := s.group.Run(named("d"))
		if took := time.Since(began); got.Result != 0 || got.Code != 116 || got.RetryAfter < 1 || took > 2*time.Second {
			t.Errorf("after %v: %+v", took, got)
		}
		close(s.gate)
		s.expectAll(0, 1, results...)
	})
	t.Run("makes room", func(t *testing.T) {
		s := newStage(t, Limits{Backlog: 2, Connect: 10 * time.Second})
		s.process(0, 1, 1)
		var results []<-chan Result
		for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
			results = append(results, s.ask(s.group, name))
			s.waitUntil("it has a thread or waits", func() bool { return len(s.served())+s.group.Board.Queue(0).Waiting == i+1 })
		}
		for range results {
			s.gate <- struct{}{}
		}
		s.expectAll(0, 1, results...)
		if got := s.served(); !slices.Equal(got, []string{"a", "b", "c", "d", "e", "f"}) {
			t.Errorf("served in the order %v", got)
		}
	})
}

func TestQueueTimeoutStrikesWhileARequestWaits(t *testing.T) {
	const limit = 200 * time.Millisecond
	s := newStage(t, Limits{})
	hasty, err := s.group.Sibling(Limits{Queue: limit, Connect: time.Second, Backlog: 100, Processes: 1, ResponseBuffer: 1 << 20, HeaderBuffer: 32768})
	if err != nil {
		t.Fatal(err)
	}
	s.process(0, 1, 1)
	results := []<-chan Result{s.ask(s.group, "a")}
	s.waitServed(1)
	results = append(results, s.ask(s.group, "b"))
	s.waitWaiting(1)
	began := time.Now()
	got := <-s.ask(hasty, "hasty")
	if took := time.Since(began); got.Result != 0 || got.Code != 84 || got.RetryAfter < 1 || took < limit/2 || took > limit+2*time.Second {
		t.Errorf("after %v: %+v", took, got)
	}
	results = append(results, s.ask(s.group, "c"))
	s.waitWaiting(2)
	close(s.gate)
	s.expectAll(0, 1, results...)
}

func TestEveryPermitOfANewProcessIsUsedAtOnce(t *testing.T) {
	s := newStage(t, Limits{})
	var results []<-chan Result
	for i := range 20 {
		results = append(results, s.ask(s.group, strconv.Itoa(i)))
		s.waitWaiting(i + 1)
	}
	s.process(0, 1, 15)
	s.waitServed(15)
	s.waitWaiting(5)
	close(s.gate)
	s.expectAll(0, 15, results...)
}

func TestRetryAfterIsTheTimeTheQueueNeeds(t *testing.T) {
	t.Run("turns as of late", func(t *testing.T) {
		s := newStage(t, Limits{Backlog: 30, Connect: time.Nanosecond})
		s.process(0, 1, 1)
		var results []<-chan Result
		for i := range 31 {
			results = append(results, s.ask(s.group, strconv.Itoa(i)))
			s.waitUntil("it has a thread or waits", func() bool { return len(s.served())+s.group.Board.Queue(0).Waiting == i+1 })
		}
		for i := range 3 {
			time.Sleep(100 * time.Millisecond) // what a request takes
			s.gate <- struct{}{}
			s.waitServed(i + 2)
			results = append(results, s.ask(s.group, "another"))
			s.waitWaiting(30)
		}
		if got := s.group.Run(named("too many")); got.Code != 116 || got.RetryAfter < 3 || got.RetryAfter > 30 { // 30 times a tenth of a second or more
			t.Errorf("%+v", got)
		}
		close(s.gate)
		s.expectAll(0, 1, results...)
	})
	t.Run("nobody there", func(t *testing.T) {
		g := newGroup(t, Limits{Connect: time.Nanosecond})
		g.Board.SetHopeless(0, true, 8*time.Second)
		if got := g.Run(plain()); got.Code != 116 || got.RetryAfter < 7 || got.RetryAfter > 8 {
			t.Errorf("%+v", got)
		}
	})
}

// After a graceful restart: those who wait for the processes of the last configuration go to the first one of the next.
func TestRequestsThatWaitGoElsewhereWhenToldToLook(t *testing.T) {
	former, next := newStage(t, Limits{}), newStage(t, Limits{})
	former.process(0, 7, 1)
	busy := former.ask(former.group, "busy")
	former.waitServed(1)
	const waiting = 5
	results := make(chan Result, waiting)
	for i := range waiting {
		r := named(strconv.Itoa(i))
		r.Elsewhere = next.group
		next.all.Go(func() { results <- former.group.Run(r) })
	}
	former.waitWaiting(waiting)
	close(next.gate)
	next.process(0, 1, 1)
	former.group.Board.Wake(0)
	for range waiting {
		if got := <-results; got.Result != answered || got.Code != 0 {
			t.Errorf("%+v", got)
		}
	}
	if got := next.served(); len(got) != waiting || len(former.served()) != 1 {
		t.Errorf("served by the next one %v, by the former one %v", got, former.served())
	}
	next.expectAll(0, 1)
	former.gate <- struct{}{}
	former.expectAll(0, 1, busy)
}

// What processes of the last configuration said of themselves does not hold for those of the next one, which count from 1 again.
func TestARequestThatWasSentBackGoesElsewhere(t *testing.T) {
	former, next := newStage(t, Limits{}), newStage(t, Limits{})
	start(t, former.group, 0, 7, 1, func(c *peer, _ *daemon.Request) bool {
		c.last = empty(daemon.Again)
		return true
	})
	result := make(chan Result, 1)
	r := named("sent back")
	r.Elsewhere = next.group
	next.all.Go(func() { result <- former.group.Run(r) })
	former.waitWaiting(1)
	close(next.gate)
	next.process(0, 1, 1)
	former.group.Board.Wake(0)
	next.expectAll(0, 1, result)
}
