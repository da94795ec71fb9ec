package life

import "slices"

// A Reason is why a process ends: the word that applications and the supervisor are told. The first one counts.
type Reason string

const (
	MaximumRequests   Reason = "maximum_requests"
	RestartInterval   Reason = "restart_interval"
	CPUTimeLimit      Reason = "cpu_time_limit"
	EvictionSignal    Reason = "eviction_signal"
	GracefulSignal    Reason = "graceful_signal"
	RequestTimeout    Reason = "request_timeout"
	DeadlockTimeout   Reason = "deadlock_timeout"
	InactivityTimeout Reason = "inactivity_timeout"
	StartupTimeout    Reason = "startup_timeout"
	ScriptReload      Reason = "script_reload"
	ShutdownSignal    Reason = "shutdown_signal"

	// Ours; the others are the reference's.

	RestartCommand Reason = "restart_command"
	MemoryRecycle  Reason = "memory_recycle"
	IdleTimeout    Reason = "idle_timeout" // the supervisor's: an elastic group can do without the process
	BadDeployment  Reason = "bad_deployment"
)

// numbered are the reasons that have a number on the board, from 1 on.
var numbered = []Reason{MaximumRequests, RestartInterval, CPUTimeLimit, EvictionSignal, GracefulSignal, RequestTimeout, DeadlockTimeout,
	InactivityTimeout, StartupTimeout, ScriptReload, ShutdownSignal, RestartCommand, MemoryRecycle, IdleTimeout}

// Number is the reason's on the board. 0: it has none.
func (r Reason) Number() int { return slices.Index(numbered, r) + 1 }

// ReasonOf is the reason with that number, "" if there is none.
func ReasonOf(number int) Reason {
	if number < 1 || number > len(numbered) {
		return ""
	}
	return numbered[number-1]
}

// Text says it in a log record.
func (r Reason) Text() string {
	if text := texts[r]; text != "" {
		return text
	}
	return string(r)
}

var texts = map[Reason]string{
	MaximumRequests:   "it has served as many requests as maximum-requests allows",
	RestartInterval:   "it is as old as restart-interval allows",
	CPUTimeLimit:      "it has used the processor time that cpu-time-limit allows",
	EvictionSignal:    "it received SIGUSR1",
	GracefulSignal:    "it received SIGUSR1",
	RequestTimeout:    "a request takes longer than request-timeout allows",
	DeadlockTimeout:   "Python's interpreter lock has been stuck for deadlock-timeout",
	InactivityTimeout: "nothing happened in it for inactivity-timeout",
	StartupTimeout:    "no script was loaded within startup-timeout after the first request",
	ScriptReload:      "a script has changed",
	ShutdownSignal:    "it was told to stop",
	RestartCommand:    "an administrator wants it to be replaced",
	MemoryRecycle:     "it holds as much memory as memory-recycle allows",
	IdleTimeout:       "it had no request for idle-timeout, and its group can do without it",
	BadDeployment:     "it can't load what the process before it serves",
}
