package daemon

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The queue of a group and its seats, as board.h lays them out.
const (
	seatCount  = 2048
	childCount = 16384

	queueTop      = 4
	queueHopeless = 8
	queueBell     = 12
	queueLifts    = 16
	queueRetry    = 24

	seatOwner   = 0
	seatArrived = 8
	seatCalled  = 20
)

// A Queue is what waits for a group at one moment.
type Queue struct {
	Waiting int           // requests
	Oldest  time.Duration // how long the first of them has waited
}

// Queue looks at a group's queue. It changes nothing, and what it finds may be wrong if a process has scribbled on the group's part.
func (b *Board) Queue(group int) Queue {
	var q Queue
	now := monotonic()
	for i := range b.seatsUsed(group) {
		seat := b.seat(group, i)
		arrived := atomicAt64(seat, seatArrived).Load()
		if arrived == 0 || !b.lives(atomicAt64(seat, seatOwner).Load()) {
			continue
		}
		q.Waiting++
		if arrived < now {
			q.Oldest = max(q.Oldest, time.Duration(now-arrived))
		}
	}
	return q
}

// lives tells whether the child with a seat is alive (seats.h, mwd_lives).
func (b *Board) lives(owner uint64) bool {
	const noWord = 1<<32 - 1
	number, thread := owner>>32, uint32(owner)
	switch {
	case number == noWord:
		return true
	case number < 1 || number > childCount || thread == 0:
		return false
	}
	return atomicAt32(b.children, int(number-1)*4).Load() == thread
}

// Waiting is how many requests wait for a group.
func (b *Board) Waiting(group int) int { return b.Queue(group).Waiting }

// SetBell says that the supervisor wants to be told when a request of the group has to wait; 0 that it does not. A child that tells puts 0 in the
// place of the number: one that was used lately could be that of an earlier time, which it has seen.
func (b *Board) SetBell(group int, number uint32) {
	atomicAt32(b.part(group), queueBell).Store(number)
}

// Lift lets every request of a group that waits for a newer process go to any.
func (b *Board) Lift(group int) {
	atomicAt32(b.part(group), queueLifts).Add(1)
	b.Wake(group)
}

// SetHopeless says whether a group has no process at all and none is being started; then also in how long that will be tried again.
func (b *Board) SetHopeless(group int, hopeless bool, retry time.Duration) {
	var v uint32
	if hopeless {
		v = 1
	}
	atomicAt64(b.part(group), queueRetry).Store(monotonic() + uint64(max(retry, 0)))
	atomicAt32(b.part(group), queueHopeless).Store(v)
	b.Wake(group)
}

// Wake lets every request that waits for the group look again.
func (b *Board) Wake(group int) {
	now := uint32(monotonic()/uint64(time.Millisecond)) | 1
	for i := range b.seatsUsed(group) {
		seat := b.seat(group, i)
		if called := atomicAt32(seat, seatCalled); atomicAt64(seat, seatArrived).Load() != 0 && called.CompareAndSwap(0, now) {
			futexWake(called, everybody)
		}
	}
}

// seatsUsed leaves out what was never used, and is no memory yet.
func (b *Board) seatsUsed(group int) int {
	return int(min(atomicAt32(b.part(group), queueTop).Load(), seatCount))
}

func (b *Board) seat(group, i int) []byte { return b.part(group)[queueSize+i*boardLine:][:boardLine] }

// monotonic is the time of the seats: CLOCK_MONOTONIC in nanoseconds.
func monotonic() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // fails only for an unknown clock
	return uint64(t.Nano())
}

func atomicAt64(memory []byte, offset int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&memory[offset]))
}
