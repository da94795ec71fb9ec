package daemon

// A Fate is an mwd_fate (board.h): how a process ended. Package fate gives the numbers their meaning.
type Fate struct {
	Serial uint32 // of the process; 0: there is none
	PID    int
	Status uint32 // as waitpid(2) has it
	Cause  uint32
	Value  int64
}

// Where the fields of an mwd_fate are, and where fates are in a slot and in a queue.
const (
	fateSerial, fatePID, fateStatus, fateCause, fateValue = 0, 4, 8, 12, 16

	slotFate   = 24
	slotSilent = 20
	queueFate  = 48

	hopelessEver = 2
)

// SetFate says how the process of a slot ended, and wakes the requests that want to know.
func (b *Board) SetFate(i int, f Fate) { writeFate(b.slot(i)[slotFate:], f) }

// Fate is how the process ended that was the last to do so in a slot.
func (b *Board) Fate(i int) Fate { return readFate(b.slot(i)[slotFate:]) }

// SetTrouble says why a group has no process that is ready; the zero Fate: nothing is known to be wrong.
func (b *Board) SetTrouble(group int, f Fate) { writeFate(b.part(group)[queueFate:], f) }

// Trouble is what SetTrouble said.
func (b *Board) Trouble(group int) Fate { return readFate(b.part(group)[queueFate:]) }

// SetHopelessForEver says that a group has no process and will not have one: its requests need not wait.
func (b *Board) SetHopelessForEver(group int) {
	atomicAt32(b.part(group), 8).Store(hopelessEver)
	b.Wake(group)
}

// Silent counts the requests of a slot's processes that a child of Apache's has given up, since nothing came of their answers.
func (b *Board) Silent(i int) uint32 { return atomicAt32(b.slot(i), slotSilent).Load() }

// WaitForSilence returns when Silent may say something else than what is known.
func (b *Board) WaitForSilence(i int, known uint32) {
	futexWait(atomicAt32(b.slot(i), slotSilent), known, 0)
}

// writeFate lets nobody read half of it: the serial is there when the rest is.
func writeFate(memory []byte, f Fate) {
	serial := atomicAt32(memory, fateSerial)
	serial.Store(0)
	atomicAt32(memory, fatePID).Store(uint32(f.PID))
	atomicAt32(memory, fateStatus).Store(f.Status)
	atomicAt32(memory, fateCause).Store(f.Cause)
	atomicAt64(memory, fateValue).Store(uint64(f.Value))
	serial.Store(f.Serial)
	futexWake(serial, everybody)
}

// readFate is for who writes fates, and for tests: a reader beside a writer has to look at the serial twice, as client/fate.c does.
func readFate(memory []byte) Fate {
	return Fate{Serial: atomicAt32(memory, fateSerial).Load(), PID: int(int32(atomicAt32(memory, fatePID).Load())),
		Status: atomicAt32(memory, fateStatus).Load(), Cause: atomicAt32(memory, fateCause).Load(), Value: int64(atomicAt64(memory, fateValue).Load())}
}
