package errorlog

import "fmt"

// A Level is how important a record is: syslog's numbers, and Apache's trace1 to trace8 after them.
type Level int

const (
	Emergency Level = iota
	Alert
	Critical
	Error
	Warning
	Notice
	Info
	Debug
	Trace1
)

// Trace8 is the level of the least important records.
const Trace8 = Trace1 + 7

// String is the name that records carry.
func (l Level) String() string {
	names := [...]string{"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}
	switch {
	case l >= Trace1:
		return fmt.Sprintf("trace%d", l-Debug)
	case l >= 0:
		return names[l]
	}
	return "emerg"
}
