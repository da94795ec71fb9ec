package daemon

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MailboxSize is how much of a board the mailbox takes up. What is never written to needs no memory.
const MailboxSize = 8 << 20

// A Mailbox is the part of a board through which daemon processes ask Apache's children for what only those know: the scoreboard. It is
// mapped where the configuration wants that only. There is no lock, so that anybody may die at any time: questions are numbered, any child may
// answer all of them at once, and a checksum tells whether what is there is whole. Methods may be called by any goroutine.
type Mailbox struct{ memory []byte }

// Where in the mailbox are: the number of the last question, of the last one that was answered, and of the last one that a child is about to
// answer; the length and the checksum of the answer; the answer.
const (
	mailboxWanted   = 0
	mailboxAnswered = 4
	mailboxClaimed  = 8
	mailboxLength   = 12
	mailboxChecksum = 16
	mailboxAnswer   = boardLine
)

const (
	questionPatience = 50 * time.Millisecond // how long one child has to answer before another one is asked
	wordSize         = 8
)

// OpenMailbox maps the mailbox of a board that FormatBoard made for groups with so many slots each.
func OpenMailbox(fd int, slots []int) (*Mailbox, error) {
	l := layOut(slots)
	if err := l.fits(fd); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(fd, int64(l.mailbox()), MailboxSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the board's mailbox: %w", err)
	}
	return &Mailbox{memory}, nil
}

// MailboxOf is the mailbox of a whole board that is mapped already.
func MailboxOf(board unsafe.Pointer, slots []int) *Mailbox {
	return &Mailbox{unsafe.Slice((*byte)(unsafe.Add(board, layOut(slots).mailbox())), MailboxSize)}
}

// Ask returns an answer that was made after it was called or, if no child gives one for so long, the last one there was: nil if there never was one.
func (m *Mailbox) Ask(limit time.Duration) []byte {
	wanted, answered := m.number(mailboxWanted), m.number(mailboxAnswered)
	mine := wanted.Add(1)
	for end := time.Now().Add(limit); ; {
		futexWake(wanted, 1)
		last := answered.Load()
		fresh, late := int32(last-mine) >= 0, time.Now().After(end)
		if fresh || late {
			answer, whole := m.read()
			if whole || late {
				return answer
			}
			mine = wanted.Add(1) // somebody writes another one at this moment
			continue
		}
		futexWait(answered, last, questionPatience)
	}
}

// Serve answers questions for ever.
func (m *Mailbox) Serve(answer func() []byte) {
	wanted, answered, claimed := m.number(mailboxWanted), m.number(mailboxAnswered), m.number(mailboxClaimed)
	for {
		question, done, other := wanted.Load(), answered.Load(), claimed.Load()
		switch {
		case question == done:
			futexWait(wanted, question, 0)
			continue
		case question == other: // a child is at it; one that has died meanwhile is not waited for any longer than others are
			futexWait(answered, done, questionPatience)
			if answered.Load() != done {
				continue
			}
		case !claimed.CompareAndSwap(other, question):
			continue
		}
		m.write(answer())
		answered.Store(question)
		futexWake(answered, everybody)
	}
}

// write leaves an answer that is too long out: there is none then.
func (m *Mailbox) write(answer []byte) {
	if len(answer) > MailboxSize-mailboxAnswer {
		answer = nil
	}
	words := make([]byte, (len(answer)+wordSize-1)/wordSize*wordSize)
	copy(words, answer)
	m.number(mailboxLength).Store(uint32(len(answer)))
	m.number(mailboxChecksum).Store(crc32.ChecksumIEEE(answer))
	for i := 0; i < len(words); i += wordSize {
		m.word(i).Store(binary.NativeEndian.Uint64(words[i:]))
	}
}

// read returns nil if there is no answer, or not a whole one.
func (m *Mailbox) read() (answer []byte, whole bool) {
	n := int(m.number(mailboxLength).Load())
	if n == 0 || n > MailboxSize-mailboxAnswer {
		return nil, n == 0
	}
	var words []byte
	for i := 0; i < n; i += wordSize {
		words = binary.NativeEndian.AppendUint64(words, m.word(i).Load())
	}
	if crc32.ChecksumIEEE(words[:n]) != m.number(mailboxChecksum).Load() {
		return nil, false
	}
	return words[:n], true
}

func (m *Mailbox) number(offset int) *atomic.Uint32 { return atomicAt32(m.memory, offset) }

func (m *Mailbox) word(i int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&m.memory[mailboxAnswer+i]))
}

const everybody = 1<<31 - 1

// futexWake lets so many of those who wait for a number to change look again.
func futexWake(number *atomic.Uint32, n int) {
	const wake = 1
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(number)), wake, uintptr(n), 0, 0, 0) // fails only for a bad address
}

// futexWait returns when a number may be another one, or after so long; 0 is no limit.
func futexWait(number *atomic.Uint32, known uint32, limit time.Duration) {
	const wait = 0
	var timeout *unix.Timespec
	if limit > 0 {
		t := unix.NsecToTimespec(limit.Nanoseconds())
		timeout = &t
	}
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(number)), wait, uintptr(known), uintptr(unsafe.Pointer(timeout)), 0, 0)
}
