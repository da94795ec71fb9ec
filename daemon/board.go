package daemon

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Board is the memory that Apache's children, the supervisor and the daemon processes of one configuration share; board.h says what it
// means, and is the same for C. Methods may be called by any goroutine.
type Board struct {
	memory []byte
	groups int
}

const (
	boardMagic = 0x3142574d
	boardLine  = 64
)

// A SlotState says what a slot's process is doing.
type SlotState uint16

const (
	SlotEmpty SlotState = iota
	SlotStarting
	SlotReady    // takes requests
	SlotRetiring // finishes what it has
)

// A SlotWord is what a slot says at one moment.
type SlotWord struct {
	Serial  uint32
	State   SlotState
	Permits uint16
}

func (w SlotWord) pack() uint64 {
	return uint64(w.Serial)<<32 | uint64(w.State)<<16 | uint64(w.Permits)
}

func unpack(word uint64) SlotWord {
	return SlotWord{Serial: uint32(word >> 32), State: SlotState(word >> 16), Permits: uint16(word)}
}

// BoardSize is how many bytes a board needs for groups with so many slots each.
func BoardSize(slots []int) int {
	lines := 1 + len(slots)
	for _, n := range slots {
		lines += n
	}
	return lines * boardLine
}

// FormatBoard makes a board of the file, for groups with so many slots each, and maps it. A board that is there already is used again:
// every slot is emptied, and waiting children are left to wait.
func FormatBoard(fd int, slots []int) (*Board, error) {
	size := BoardSize(slots)
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, fmt.Errorf("size the board: %w", err)
	}
	b, err := mapBoard(fd, size)
	if err != nil {
		return nil, err
	}
	total := 0
	for i, n := range slots {
		queue := b.line(1 + i)
		*at[uint32](queue, 12), *at[uint32](queue, 16) = uint32(total), uint32(n)
		total += n
	}
	b.groups = len(slots)
	*at[uint32](b.line(0), 4), *at[uint32](b.line(0), 8) = uint32(len(slots)), uint32(total)
	for i := range total {
		(*atomic.Uint64)(unsafe.Pointer(at[uint64](b.slot(i), 0))).Store(SlotWord{}.pack())
	}
	(*atomic.Uint32)(unsafe.Pointer(at[uint32](b.line(0), 0))).Store(boardMagic)
	return b, nil
}

// OpenBoard maps a board that FormatBoard made.
func OpenBoard(fd int) (*Board, error) {
	var about unix.Stat_t
	if err := unix.Fstat(fd, &about); err != nil {
		return nil, fmt.Errorf("look at the board: %w", err)
	}
	if about.Size < boardLine {
		return nil, fmt.Errorf("the board has %d bytes", about.Size)
	}
	b, err := mapBoard(fd, int(about.Size))
	if err != nil {
		return nil, err
	}
	head := b.line(0)
	groups, slots := *at[uint32](head, 4), *at[uint32](head, 8)
	if *at[uint32](head, 0) != boardMagic || (1+int64(groups)+int64(slots))*boardLine != about.Size {
		return nil, fmt.Errorf("what should be the board is something else")
	}
	b.groups = int(groups)
	return b, nil
}

func mapBoard(fd, size int) (*Board, error) {
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the board: %w", err)
	}
	return &Board{memory: memory}, nil
}

// Pointer is the board's memory for C, an *mwd_board.
func (b *Board) Pointer() unsafe.Pointer { return unsafe.Pointer(&b.memory[0]) }

// FirstSlot is the number of a group's first slot; the others follow.
func (b *Board) FirstSlot(group int) int { return int(*at[uint32](b.line(1+group), 12)) }

// Slot reads a slot.
func (b *Board) Slot(i int) SlotWord { return unpack(b.word(i).Load()) }

// SetSlot gives a slot a new process, or none. The pid is for those who look.
func (b *Board) SetSlot(i int, w SlotWord, pid, threads int) {
	(*atomic.Uint32)(unsafe.Pointer(at[uint32](b.slot(i), 8))).Store(uint32(pid))
	*at[uint32](b.slot(i), 12) = uint32(threads)
	b.word(i).Store(w.pack())
}

// SetState changes a slot's state if it still belongs to the process with that serial; it tells whether it did.
func (b *Board) SetState(i int, serial uint32, state SlotState) bool {
	for {
		old := b.word(i).Load()
		w := unpack(old)
		if w.Serial != serial {
			return false
		}
		w.State = state
		if b.word(i).CompareAndSwap(old, w.pack()) {
			return true
		}
	}
}

// AddPermits gives permits to a slot if it still belongs to the process with that serial.
func (b *Board) AddPermits(i int, serial uint32, n int) bool {
	for {
		old := b.word(i).Load()
		w := unpack(old)
		if w.Serial != serial {
			return false
		}
		w.Permits += uint16(n)
		if b.word(i).CompareAndSwap(old, w.pack()) {
			return true
		}
	}
}

// Waiting is how many requests wait for a group.
func (b *Board) Waiting(group int) int {
	return int((*atomic.Uint32)(unsafe.Pointer(at[uint32](b.line(1+group), 4))).Load())
}

// SetHopeless says whether a group has no process at all and none is being started.
func (b *Board) SetHopeless(group int, hopeless bool) {
	var v uint32
	if hopeless {
		v = 1
	}
	(*atomic.Uint32)(unsafe.Pointer(at[uint32](b.line(1+group), 8))).Store(v)
	b.Wake(group)
}

// Wake lets every request that waits for the group look again.
func (b *Board) Wake(group int) {
	turn := at[uint32](b.line(1+group), 0)
	(*atomic.Uint32)(unsafe.Pointer(turn)).Add(1)
	const futexWake, everybody = 1, 1<<31 - 1
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(turn)), futexWake, everybody, 0, 0, 0) // fails only for a bad address
}

func (b *Board) word(i int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(at[uint64](b.slot(i), 0)))
}

func (b *Board) line(i int) []byte { return b.memory[i*boardLine : (i+1)*boardLine] }

func (b *Board) slot(i int) []byte { return b.line(1 + b.groups + i) }

// at is a field of a line. The fields that others change are accessed through sync/atomic.
func at[T uint32 | uint64](line []byte, offset int) *T { return (*T)(unsafe.Pointer(&line[offset])) }
