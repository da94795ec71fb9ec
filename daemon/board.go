package daemon

import (
	"encoding/binary"
	"fmt"
	"os"
	"sort"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Board is the memory that Apache's children, the supervisor and the daemon processes of one configuration share; board.h says what it
// means, and is the same for C. Slots are numbered through all groups in the order of the configuration. Methods may be called by any goroutine.
type Board struct {
	memory   []byte
	layout   layout
	base     int    // of memory on the board: a process has mapped its group's part only
	children []byte // mwd_children; read only in a process
}

const (
	boardMagic  = 0x3142574d
	boardLine   = 64
	queueSize   = 2 * boardLine
	partHead    = queueSize + seatCount*boardLine // of a part: its queue and seats, before its slots
	childrenLen = childCount * 4

	servedOffset = 16 // in mwd_slot
	staleOffset  = 48
	lentOffset   = 8 // in the first page
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

// A layout says where the parts of a board are.
type layout struct {
	parts []int // offset of each group's part, then of the mailbox
	first []int // number of each group's first slot, then the number of slots
}

func layOut(slots []int) layout {
	page := os.Getpagesize()
	l := layout{parts: []int{page + childrenLen}, first: []int{0}}
	for i, n := range slots {
		pages := (partHead + n*boardLine + page - 1) / page
		l.parts = append(l.parts, l.parts[i]+pages*page)
		l.first = append(l.first, l.first[i]+n)
	}
	return l
}

func (l layout) mailbox() int { return l.parts[len(l.parts)-1] }
func (l layout) size() int    { return l.mailbox() + MailboxSize }

// ChildrenOffset is where on every board its mwd_children is.
func ChildrenOffset() int { return os.Getpagesize() }

// PartOffset is where on a board, for groups with so many slots each, a group's mwd_part is.
func PartOffset(slots []int, group int) int { return layOut(slots).parts[group] }

// BoardSize is how many bytes a board needs for groups with so many slots each.
func BoardSize(slots []int) int { return layOut(slots).size() }

// FormatBoard makes a board of the file, for groups with so many slots each, and maps it. A board that is there already is used again:
// every slot is emptied, and waiting children are left to wait.
func FormatBoard(fd int, slots []int) (*Board, error) {
	l := layOut(slots)
	if err := unix.Ftruncate(fd, int64(l.size())); err != nil {
		return nil, fmt.Errorf("size the board: %w", err)
	}
	b, err := mapBoard(fd, l, 0, l.size())
	if err != nil {
		return nil, err
	}
	for i := range l.first[len(slots)] {
		b.word(i).Store(SlotWord{}.pack())
	}
	for group := range slots {
		b.SetBell(group, 0)
	}
	made := atomicAt32(b.memory, 0)
	made.Store(boardMagic)
	futexWake(made, everybody) // children may be there before the board (module/relay.c)
	return b, nil
}

// AwaitBoard returns when what is mapped at an address has been made a board; nothing behind its first page may be touched before.
func AwaitBoard(board unsafe.Pointer) {
	made := (*atomic.Uint32)(board)
	for known := made.Load(); known != boardMagic; known = made.Load() {
		futexWait(made, known, 0)
	}
}

// OpenBoard maps a board that FormatBoard made for the same groups.
func OpenBoard(fd int, slots []int) (*Board, error) {
	l := layOut(slots)
	if err := l.fits(fd); err != nil {
		return nil, err
	}
	return mapBoard(fd, l, 0, l.size())
}

// OpenPart maps a group's part of such a board and, to be read, which children live: only the group and its slots may be asked for.
func OpenPart(fd int, slots []int, group int) (*Board, error) {
	l := layOut(slots)
	if err := l.fits(fd); err != nil {
		return nil, err
	}
	// Through a descriptor that can't write, so that the memory can't be made writable later.
	readable, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the board for reading: %w", err)
	}
	defer unix.Close(readable)
	children, err := unix.Mmap(readable, int64(ChildrenOffset()), childrenLen, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the board's children: %w", err)
	}
	b, err := mapBoard(fd, l, l.parts[group], l.parts[group+1]-l.parts[group])
	if err == nil {
		b.children = children
	}
	return b, err
}

func (l layout) fits(fd int) error {
	var about unix.Stat_t
	if err := unix.Fstat(fd, &about); err != nil {
		return fmt.Errorf("look at the board: %w", err)
	}
	if about.Size != int64(l.size()) {
		return fmt.Errorf("the board has %d bytes instead of %d", about.Size, l.size())
	}
	var magic [4]byte
	if _, err := unix.Pread(fd, magic[:], 0); err != nil || binary.NativeEndian.Uint32(magic[:]) != boardMagic {
		return fmt.Errorf("what should be the board is something else")
	}
	return nil
}

func mapBoard(fd int, l layout, base, size int) (*Board, error) {
	memory, err := unix.Mmap(fd, int64(base), size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the board: %w", err)
	}
	b := &Board{memory: memory, layout: l, base: base}
	if base == 0 {
		b.children = memory[ChildrenOffset():][:childrenLen]
	}
	return b, nil
}

// Part is a group's part for C, an *mwd_part.
func (b *Board) Part(group int) unsafe.Pointer { return unsafe.Pointer(&b.part(group)[0]) }

// Children is what says which children live for C, an *mwd_children.
func (b *Board) Children() unsafe.Pointer { return unsafe.Pointer(&b.children[0]) }

// Slots is how many slots a group has.
func (b *Board) Slots(group int) int { return b.layout.first[group+1] - b.layout.first[group] }

// FirstSlot is the number of a group's first slot; the others follow.
func (b *Board) FirstSlot(group int) int { return b.layout.first[group] }

// Slot reads a slot.
func (b *Board) Slot(i int) SlotWord { return unpack(b.word(i).Load()) }

// SetSlot gives a slot a new process, or none. The pid is for those who look.
func (b *Board) SetSlot(i int, w SlotWord, pid, threads int) {
	slot := b.slot(i)
	atomicAt32(slot, 8).Store(uint32(pid))
	atomicAt32(slot, 12).Store(uint32(threads))
	b.word(i).Store(w.pack())
}

// SetState changes a slot's state if it still belongs to the process with that serial; it tells whether it did.
func (b *Board) SetState(i int, serial uint32, state SlotState) bool {
	return b.change(i, serial, func(w *SlotWord) { w.State = state })
}

// AddPermits gives permits to a slot if it still belongs to the process with that serial, but no more than the process has threads.
func (b *Board) AddPermits(i int, serial uint32, n int) bool {
	most := int(atomicAt32(b.slot(i), 12).Load())
	return b.change(i, serial, func(w *SlotWord) { w.Permits = uint16(max(min(int(w.Permits)+n, most), 0)) })
}

// RetireIdle takes a process out of the choice of Apache's children if nobody has a permit of it: no request is on its way to it, then or later.
func (b *Board) RetireIdle(i int, serial uint32, threads int) bool {
	idle := SlotWord{Serial: serial, State: SlotReady, Permits: uint16(threads)}
	retiring := idle
	retiring.State = SlotRetiring
	return b.word(i).CompareAndSwap(idle.pack(), retiring.pack())
}

// Served is how many requests the process in a slot says that it has served; it begins anywhere and wraps around.
func (b *Board) Served(i int) uint32 { return atomicAt32(b.slot(i), servedOffset).Load() }

// SetFresh takes back what a process has said, that it serves old code until its successor is ready.
func (b *Board) SetFresh(i int) { atomicAt32(b.slot(i), staleOffset).Store(0) }

func (b *Board) change(i int, serial uint32, change func(*SlotWord)) bool {
	for {
		old := b.word(i).Load()
		w := unpack(old)
		if w.Serial != serial {
			return false
		}
		change(&w)
		if b.word(i).CompareAndSwap(old, w.pack()) {
			return true
		}
	}
}

func (b *Board) part(group int) []byte {
	return b.memory[b.layout.parts[group]-b.base : b.layout.parts[group+1]-b.base]
}

func (b *Board) slot(i int) []byte {
	group := sort.SearchInts(b.layout.first, i+1) - 1
	return b.part(group)[partHead+(i-b.layout.first[group])*boardLine:][:boardLine]
}

// Lent tells whether the children of the next configuration may use the board's processes.
func (b *Board) Lent() bool { return b.lent().Load() > monotonic() }

// Lend lets them for so long from now on.
func (b *Board) Lend(d time.Duration) { b.lent().Store(monotonic() + uint64(d)) }

func (b *Board) lent() *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&b.memory[lentOffset])) }

func (b *Board) word(i int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&b.slot(i)[0])) }

func atomicAt32(memory []byte, offset int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&memory[offset]))
}
