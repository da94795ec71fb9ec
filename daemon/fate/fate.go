package fate

import (
	"modwsgi/daemon"
	"modwsgi/daemon/life"
)

// A Fate is why a process is not there any more.
type Fate struct {
	Serial uint32
	PID    int
	Status uint32      // as waitpid(2) has it; of no meaning if the process was not started
	Reason life.Reason // why it was ending, as it said or was told; "": it was not
	Means  Means
	Spent  Spent
	Value  int64 // see Means
}

// Means are what ended the process, beside what Status says.
type Means uint8

const (
	ByItself      Means = iota // or by a signal that says enough
	BySupervisor               // it did not end in time
	CgroupMemory               // the kernel, since its cgroup was out of memory; Value: the limit in bytes, 0 if that is not known
	SystemMemory               // the kernel, since the system was
	ProcessorTime              // the kernel, at the hard limit that goes with cpu-time-limit; Value: seconds
	NotStarted                 // there was no process: Value is a Failure
	NotSetUp                   // it could not become what its group says: Value is a Failure
	unknownMeans               // of a supervisor of another build
)

// Spent are the times that were given to the requests of a process and are over.
type Spent uint8

const (
	DrainSpent    Spent = 1 << iota // graceful-timeout or eviction-timeout
	ShutdownSpent                   // shutdown-timeout
)

// A Failure is what the log has already told where it happened.
type Failure struct {
	Code  int // WSGI####
	Errno int // of the system; 0: it is not the system's
}

// Pack makes a Failure the Value of a Fate.
func (f Failure) Pack() int64 { return int64(f.Code)<<32 | int64(uint32(f.Errno)) }

func unpackFailure(value int64) Failure {
	return Failure{Code: int(value >> 32), Errno: int(int32(value))}
}

// Pack makes the numbers for the board.
func (f Fate) Pack() daemon.Fate {
	return daemon.Fate{Serial: f.Serial, PID: f.PID, Status: f.Status, Value: f.Value,
		Cause: uint32(f.Reason.Number()) | uint32(f.Means)<<8 | uint32(f.Spent)<<16}
}

// Unpack is the counterpart of Pack. It makes something of any numbers.
func Unpack(f daemon.Fate) Fate {
	return Fate{Serial: f.Serial, PID: f.PID, Status: f.Status, Value: f.Value,
		Reason: life.ReasonOf(int(f.Cause & 0xff)), Means: min(Means(f.Cause>>8), unknownMeans), Spent: Spent(f.Cause>>16) & (DrainSpent | ShutdownSpent)}
}
