package daemon

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Text is a file's name or another text in no particular encoding. In a control message each of its bytes is a character.
type Text string

// MarshalText is for encoding/json.
func (t Text) MarshalText() ([]byte, error) {
	var text []byte
	for i := range len(t) {
		text = utf8.AppendRune(text, rune(t[i]))
	}
	return text, nil
}

// UnmarshalText is the counterpart of MarshalText.
func (t *Text) UnmarshalText(text []byte) error {
	var raw []byte
	for _, c := range string(text) {
		if c > 0xff {
			return fmt.Errorf("%q is no byte", c)
		}
		raw = append(raw, byte(c))
	}
	*t = Text(raw)
	return nil
}

// An Application is what a daemon process has loaded: a script in an application group and, unless Callable is empty, a callable in it.
type Application struct{ Script, Group, Callable Text }

// A FileVersion is what a script's file is like at one moment. Modified is in nanoseconds since the epoch.
type FileVersion struct {
	Modified, Size int64
	Inode          uint64
}

// A Load is an application that a process loads before it is ready, from this version of the script.
type Load struct {
	Application
	Version FileVersion
}

// A Preload is what a new process loads before it is ready.
type Preload struct {
	Applications []Application // what the process before it had loaded
	// Strict: if one of them can't be loaded, the process says so, with Failed, and ends. Otherwise it goes on.
	Strict bool
	// Limit is how long loading may take in all; 0: as long as it likes. A process that is not done then says Failed and ends.
	Limit time.Duration `json:",omitempty"`
	// Known is what the last process could not load: it is in the log.
	Known *Load
}

// MaxAssignment is the size of the largest Assignment, in bytes.
const MaxAssignment = 64 << 10

// EncodeAssignment makes one packet. What does not fit is not loaded in advance.
func EncodeAssignment(a Assignment) ([]byte, error) {
	for {
		packet, err := encode(a, MaxAssignment)
		if err == nil || a.Preload == nil || len(a.Preload.Applications) == 0 {
			return packet, err
		}
		fewer := *a.Preload
		fewer.Applications = fewer.Applications[:len(fewer.Applications)/2]
		a.Preload = &fewer
	}
}
