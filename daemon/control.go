package daemon

import (
	"encoding/json"
	"fmt"
)

// Descriptors that a daemon process finds open when it is started, beside its error log, descriptor 2.
const (
	ControlFD   = 3 // a SOCK_SEQPACKET socket; one JSON message in each packet
	BoardFD     = 4
	ListenerFD  = 5 // the socket of this process, listening; -1 in its Assignment if the group takes no requests
	RecordingFD = 6 // the recording of the configuration; read with pread, other processes have the same description
)

// StartVariable of the environment tells mod_wsgi-daemon that it is a daemon process, whatever its arguments are: those are for `ps`.
const StartVariable = "MOD_WSGI_DAEMON"

// An Assignment is the first message to a daemon process: who it is.
type Assignment struct {
	Group  int    // index in directives.ProcessSettings.Groups, and of its queue on the board
	Slot   int    // on the board
	Serial uint32 // of this process
}

// OrderKind is what the supervisor wants of a daemon process.
type OrderKind string

const (
	Retire OrderKind = "retire" // take no more requests, finish what is there, then end
	Stop   OrderKind = "stop"   // end as after SIGTERM
	// These come with a descriptor for the answer: the writing end of a pipe, which is closed behind it.
	Report OrderKind = "report" // a ProcessReport as JSON
	Stacks OrderKind = "stacks" // a StacksReport as JSON
)

// An Order is a later message to a daemon process.
type Order struct {
	Kind   OrderKind
	Reason string // as in the reference's table, for the log: "maximum_requests"
}

// NoticeKind is what a daemon process tells the supervisor.
type NoticeKind string

const (
	Ready  NoticeKind = "ready"  // it takes requests
	Due    NoticeKind = "due"    // it should be replaced, and serves until then
	Ending NoticeKind = "ending" // it takes no more requests and is about to end
)

// A Notice is a message of a daemon process.
type Notice struct {
	Kind   NoticeKind
	Reason string // "script_reload", "maximum_requests"...; "" for Ready
}

// MaxMessage is the size of the largest message, in bytes.
const MaxMessage = 4096

// EncodeMessage makes one packet of an Assignment, an Order or a Notice.
func EncodeMessage(message any) ([]byte, error) {
	packet, err := json.Marshal(message)
	if err == nil && len(packet) > MaxMessage {
		err = fmt.Errorf("a control message of %d bytes", len(packet))
	}
	return packet, err
}

// DecodeMessage is the counterpart of EncodeMessage.
func DecodeMessage[T any](packet []byte) (T, error) {
	var message T
	if err := json.Unmarshal(packet, &message); err != nil {
		return message, fmt.Errorf("a control message that makes no sense: %w", err)
	}
	return message, nil
}
