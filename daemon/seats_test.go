package daemon

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const noChild = (1<<32 - 1) << 32 // the owner of a seat without a word (seats.h, MWD_NO_WORD)

func sit(b *Board, group, i int, owner, arrived uint64) {
	seat := b.seat(group, i)
	atomicAt64(seat, seatOwner).Store(owner)
	atomicAt64(seat, seatArrived).Store(arrived)
	top := atomicAt32(b.part(group), queueTop)
	top.Store(max(top.Load(), uint32(i+1)))
}

func TestTheQueueOfAGroupCanBeSeen(t *testing.T) {
	whole, fd := formatted(t, 4, 4)
	part, err := OpenPart(fd, []int{4, 4}, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := monotonic()
	sit(whole, 1, 0, noChild, now-uint64(2*time.Second))
	sit(whole, 1, seatCount-1, noChild, now-uint64(9*time.Second))
	atomicAt32(whole.children, 4*7).Store(4711)
	sit(whole, 1, 3, 8<<32|4711, now)                // its child lives
	sit(whole, 1, 4, 8<<32|4712, now-1e12)           // was another one
	sit(whole, 1, 5, 9<<32|4711, now-1e12)           // has no word
	sit(whole, 1, 6, (childCount+1)<<32|1, now-1e12) // is none
	sit(whole, 1, 7, 10<<32, now-1e12)
	sit(whole, 1, 8, noChild, now+1e12) // from the future
	sit(whole, 0, 0, noChild, 0)
	for name, b := range map[string]*Board{"whole": whole, "part": part} {
		if q := b.Queue(1); q.Waiting != 4 || q.Oldest < 9*time.Second || q.Oldest > time.Minute {
			t.Errorf("%s: %+v", name, q)
		}
	}
	if q := whole.Queue(0); q != (Queue{}) {
		t.Errorf("the other group's: %+v", q)
	}
}

func TestAProcessCanNotDeclareChildrenDead(t *testing.T) {
	_, fd := formatted(t, 4)
	part, err := OpenPart(fd, []int{4}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mprotect(part.children, unix.PROT_READ|unix.PROT_WRITE); err == nil {
		t.Error("the memory can be made writable")
	}
}

// Those who wait do what client/queue.c does: note that they were not called, look, sleep if they are not called since.
func TestEveryWaiterIsWoken(t *testing.T) {
	const waiters, rounds = 6, 200
	b, _ := formatted(t, 1, 1)
	const group = 1
	var round atomic.Uint32
	var seen sync.WaitGroup
	seen.Add(waiters)
	var all sync.WaitGroup
	for i := range waiters {
		sit(b, group, i, noChild, uint64(i+1))
		all.Go(func() {
			called := atomicAt32(b.seat(group, i), seatCalled)
			for last := uint32(0); last < rounds; {
				called.Store(0)
				if r := round.Load(); r != last {
					last = r
					seen.Done()
					continue
				}
				deadline := unix.NsecToTimespec((20 * time.Second).Nanoseconds())
				const futexWait = 0
				if _, _, err := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(called)), futexWait, 0,
					uintptr(unsafe.Pointer(&deadline)), 0, 0); err == unix.ETIMEDOUT {
					t.Error("nobody woke a waiter")
					return
				}
			}
		})
	}
	for r := range uint32(rounds) {
		if r > 0 {
			seen.Add(waiters)
		}
		round.Store(r + 1)
		b.Wake(group)
		done := make(chan struct{})
		go func() {
			seen.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatalf("round %d: waiters sleep", r)
		}
	}
	all.Wait()
}

func TestHopelessCallsOfItsGroupAndSaysWhenItEnds(t *testing.T) {
	b, _ := formatted(t, 1, 1)
	for group := range 2 {
		sit(b, group, 5, noChild, 1)
	}
	called := atomicAt32(b.seat(1, 5), seatCalled)
	for _, want := range []uint32{1, 0} {
		called.Store(0)
		before := monotonic()
		b.SetHopeless(1, want == 1, 5*time.Second)
		if got := *part32(b, 1, queueHopeless); got != want || called.Load() == 0 {
			t.Errorf("hopeless %d, want %d; called %d", got, want, called.Load())
		}
		if retry := atomicAt64(b.part(1), queueRetry).Load(); retry < before+5e9 || retry > before+60e9 {
			t.Errorf("the next attempt is at %d, now is %d", retry, before)
		}
	}
	if *part32(b, 0, queueHopeless) != 0 || atomicAt32(b.seat(0, 5), seatCalled).Load() != 0 {
		t.Error("the other group is concerned too")
	}
}

func TestNoNumberOnTheBoardLeadsOutOfIt(t *testing.T) {
	b, _ := formatted(t, 1)
	atomicAt32(b.part(0), queueTop).Store(1<<32 - 1)
	if q := b.Queue(0); q != (Queue{}) {
		t.Errorf("%+v", q)
	}
	b.Wake(0)
}
