package daemon

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func memory(t *testing.T) int {
	t.Helper()
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func formatted(t *testing.T, slots ...int) (*Board, int) {
	t.Helper()
	fd := memory(t)
	b, err := FormatBoard(fd, slots)
	if err != nil {
		t.Fatal(err)
	}
	return b, fd
}

func TestABoardIsTheSameForWhoeverOpensIt(t *testing.T) {
	made, fd := formatted(t, 4, 6, 8)
	opened, err := OpenBoard(fd, []int{4, 6, 8})
	if err != nil {
		t.Fatal(err)
	}
	for group, first := range []int{0, 4, 10} {
		if got := opened.FirstSlot(group); got != first {
			t.Errorf("group %d begins with slot %d, want %d", group, got, first)
		}
	}
	for i := range 18 {
		want := SlotWord{Serial: 1<<32 - 1 - uint32(i), State: SlotReady, Permits: uint16(65535 - i)}
		made.SetSlot(i, want, 1000+i, 15)
		if got := opened.Slot(i); got != want {
			t.Errorf("slot %d: %+v, want %+v", i, got, want)
		}
	}
	for i := range 17 { // nobody wrote over a neighbour
		if got := opened.Slot(i); got.Serial != 1<<32-1-uint32(i) {
			t.Errorf("slot %d has changed: %+v", i, got)
		}
	}
}

func TestAProcessSeesItsOwnGroup(t *testing.T) {
	slots := []int{4, 200, 8}
	whole, fd := formatted(t, slots...)
	part, err := OpenPart(fd, slots, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(part.memory), (partHead+200*boardLine+os.Getpagesize()-1)/os.Getpagesize()*os.Getpagesize(); got != want {
		t.Errorf("%d bytes are mapped, want %d", got, want)
	}
	part.SetSlot(4, SlotWord{Serial: 7}, 1, 1)
	part.SetSlot(203, SlotWord{Serial: 8}, 1, 1)
	part.SetHopeless(1, true, 0)
	if whole.Slot(4).Serial != 7 || whole.Slot(203).Serial != 8 || whole.Slot(3).Serial != 0 || whole.Slot(204).Serial != 0 {
		t.Error("the part and the whole differ")
	}
	if at := PartOffset(slots, 1); at != PartOffset(slots, 0)+(partHead+4*boardLine+os.Getpagesize()-1)/os.Getpagesize()*os.Getpagesize() || whole.Part(1) != unsafe.Pointer(&whole.memory[at]) {
		t.Errorf("the part is elsewhere: %d", at)
	}
	if part.Slots(1) != 200 {
		t.Errorf("the group has %d slots", part.Slots(1))
	}
}

func TestOnlyAProcessWithoutRequestsIsRetiredAsIdle(t *testing.T) {
	b, _ := formatted(t, 4)
	ready := SlotWord{Serial: 7, State: SlotReady, Permits: 15}
	for _, c := range []struct {
		found  SlotWord
		serial uint32
		want   bool
	}{
		{ready, 7, true},
		{ready, 6, false},
		{SlotWord{Serial: 7, State: SlotReady, Permits: 14}, 7, false},
		{SlotWord{Serial: 7, State: SlotRetiring, Permits: 15}, 7, false},
	} {
		b.SetSlot(2, c.found, 1, 15)
		if got := b.RetireIdle(2, c.serial, 15); got != c.want {
			t.Errorf("%+v: %v", c.found, got)
		}
		want := c.found
		if c.want {
			want.State = SlotRetiring
		}
		if got := b.Slot(2); got != want {
			t.Errorf("%+v became %+v", c.found, got)
		}
	}
}

func TestAFormattedBoardHasNoProcesses(t *testing.T) {
	b, fd := formatted(t, 2, 2)
	b.SetSlot(3, SlotWord{Serial: 7, State: SlotReady, Permits: 15}, 1, 15)
	again, err := FormatBoard(fd, []int{2, 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if w := again.Slot(i); w.State != SlotEmpty || w.Permits != 0 {
			t.Errorf("slot %d: %+v", i, w)
		}
	}
}

func TestABoardOfOtherGroupsIsRefused(t *testing.T) {
	slots := []int{2, 200}
	for name, size := range map[string]int64{"empty": 0, "too small": 4096, "too large": int64(BoardSize(slots)) + 4096} {
		t.Run(name, func(t *testing.T) {
			_, fd := formatted(t, slots...)
			if err := unix.Ftruncate(fd, size); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenBoard(fd, slots); err == nil {
				t.Error("it was opened")
			}
			if _, err := OpenPart(fd, slots, 1); err == nil {
				t.Error("a part of it was opened")
			}
		})
	}
}

func TestAPartIsTheBoardOfOneGroup(t *testing.T) {
	slots := []int{4, 200, 8}
	whole, fd := formatted(t, slots...)
	part, err := OpenPart(fd, slots, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4; i < 204; i++ {
		want := SlotWord{Serial: uint32(i), State: SlotStarting}
		part.SetSlot(i, want, i, 15)
		if got := whole.Slot(i); got != want {
			t.Errorf("slot %d: %+v, want %+v", i, got, want)
		}
	}
	for _, i := range []int{0, 3, 204, 211} {
		if w := whole.Slot(i); w != (SlotWord{}) {
			t.Errorf("slot %d of another group: %+v", i, w)
		}
	}
	if part.SetHopeless(1, true, 0); *part32(whole, 1, 8) != 1 || *part32(whole, 0, 8) != 0 || *part32(whole, 2, 8) != 0 {
		t.Error("not exactly the group is hopeless")
	}
	defer func() {
		if recover() == nil {
			t.Error("the part shows another group's slots")
		}
	}()
	part.Slot(204)
}

// part32 is a number in a group's part (board.h, mwd_queue).
func part32(b *Board, group, offset int) *uint32 {
	return (*uint32)(unsafe.Pointer(&b.part(group)[offset]))
}

func TestOnlyTheProcessWithTheSerialChangesItsSlot(t *testing.T) {
	b, _ := formatted(t, 1)
	b.SetSlot(0, SlotWord{Serial: 5, State: SlotStarting}, 1, 15)
	if b.SetState(0, 4, SlotReady) || b.AddPermits(0, 6, 3) {
		t.Error("another process changed the slot")
	}
	if w := b.Slot(0); w != (SlotWord{Serial: 5, State: SlotStarting}) {
		t.Errorf("the slot says %+v", w)
	}
	if !b.SetState(0, 5, SlotReady) || !b.AddPermits(0, 5, 3) {
		t.Error("the process can't change its slot")
	}
	if w := b.Slot(0); w != (SlotWord{Serial: 5, State: SlotReady, Permits: 3}) {
		t.Errorf("the slot says %+v", w)
	}
}

// Takers do what client/queue.c does with the word: a permit is had by one at a time, and none is lost, while the state changes.
func TestPermitsAreNeitherLostNorDoubled(t *testing.T) {
	const permits, takers, rounds = 3, 8, 3000
	b, _ := formatted(t, 1)
	b.SetSlot(0, SlotWord{Serial: 9, State: SlotReady, Permits: permits}, 1, permits)
	var held, most atomic.Int64
	var all sync.WaitGroup
	for range takers {
		all.Go(func() {
			for range rounds {
				take(b, 0)
				now := held.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				held.Add(-1)
				b.AddPermits(0, 9, 1)
			}
		})
	}
	over := make(chan struct{})
	var flicker sync.WaitGroup
	flicker.Go(func() {
		for state := SlotRetiring; ; state = SlotReady + SlotRetiring - state {
			select {
			case <-over:
				return
			default:
				b.SetState(0, 9, state)
			}
		}
	})
	all.Wait()
	close(over)
	flicker.Wait()
	if w := b.Slot(0); w.Permits != permits || w.Serial != 9 {
		t.Errorf("in the end the slot says %+v", w)
	}
	if most.Load() > permits {
		t.Errorf("%d permits were held at once, there are %d", most.Load(), permits)
	}
}

func take(b *Board, slot int) {
	for {
		old := b.word(slot).Load()
		w := unpack(old)
		if w.Permits == 0 {
			continue
		}
		w.Permits--
		if b.word(slot).CompareAndSwap(old, w.pack()) {
			return
		}
	}
}

func TestProcessesAreLentForAWhile(t *testing.T) {
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	mine, err := FormatBoard(fd, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := OpenBoard(fd, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	if mine.Lent() {
		t.Error("a new board is lent")
	}
	theirs.Lend(time.Hour)
	if !mine.Lent() {
		t.Error("it is not lent")
	}
	theirs.Lend(time.Nanosecond)
	for end := time.Now().Add(time.Second); mine.Lent(); {
		if time.Now().After(end) {
			t.Fatal("it is still lent")
		}
	}
	theirs.Lend(time.Hour)
	theirs.Lend(0)
	if mine.Lent() {
		t.Error("it is lent although that was revoked")
	}
}
