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
	// Preload is what it loads before it is ready; nil: nothing but what the configuration says.
	Preload *Preload `json:",omitempty"`
}

// OrderKind is what the supervisor wants of a daemon process.
type OrderKind string

const (
	Retire OrderKind = "retire" // take no more requests, finish what is there, then end
	Stop   OrderKind = "stop"   // end as after SIGTERM
	Reply  OrderKind = "reply"  // to a Question
	Keep   OrderKind = "keep"   // go on with the code that is loaded: there is no successor with what has changed
	// These come with a descriptor for the answer: the writing end of a pipe, which is closed behind it.
	Report OrderKind = "report" // a ProcessReport as JSON
	Stacks OrderKind = "stacks" // a StacksReport as JSON
)

// An Order is a later message to a daemon process.
type Order struct {
	Kind   OrderKind
	Reason string // as in the reference's table, for the log: "maximum_requests"; of Keep: why it is still due, "" if it is not
	// Of Keep: what could not be loaded, nil if that is not known, and a number for Kept.
	Culprit *Load  `json:",omitempty"`
	Number  uint32 `json:",omitempty"` // of Reply: the Question's
	// Of Reply: whether others of the group have loaded the application, whether one has it in this version, whether one could not load that.
	Have, Same, Bad bool `json:",omitempty"`
}

// NoticeKind is what a daemon process tells the supervisor.
type NoticeKind string

const (
	Ready  NoticeKind = "ready"  // it takes requests
	Due    NoticeKind = "due"    // it should be replaced, and serves until then
	Ending NoticeKind = "ending" // it takes no more requests and is about to end
	Late   NoticeKind = "late"   // shutdown-timeout is over: it ends although something in it still runs
	Unfit  NoticeKind = "unfit"  // it can't be set up, and ends

	Loading NoticeKind = "loading" // it begins to load what Load says, in advance
	Loaded  NoticeKind = "loaded"  // it has loaded an application, or found a callable in it
	Failed  NoticeKind = "failed"  // it could not load what Load says, and ends; Reason is why, for the log
	Kept    NoticeKind = "kept"    // it goes on, after Keep with that Number

	Question NoticeKind = "question" // have others of the group loaded what Load says? The Reply has its Number
)

// A Notice is a message of a daemon process.
type Notice struct {
	Kind   NoticeKind
	Reason string // "script_reload", "maximum_requests"...; "" for Ready
	Load   *Load  `json:",omitempty"` // of Loading, Loaded, Failed, Question
	Number uint32 `json:",omitempty"` // of Kept, Question
	Spent  bool   `json:",omitempty"` // of Ending: graceful-timeout or eviction-timeout is over, and requests are not done
	Code   int    `json:",omitempty"` // of Unfit: WSGI#### in the log
}

// MaxMessage is the size of the largest message that is no Assignment, in bytes: the names of files in it can be long.
const MaxMessage = 16 << 10

// EncodeMessage makes one packet of an Order or a Notice.
func EncodeMessage(message any) ([]byte, error) { return encode(message, MaxMessage) }

func encode(message any, most int) ([]byte, error) {
	packet, err := json.Marshal(message)
	if err == nil && len(packet) > most {
		err = fmt.Errorf("a control message of %d bytes", len(packet))
	}
	return packet, err
}

// DecodeMessage is the counterpart of EncodeMessage and EncodeAssignment.
func DecodeMessage[T any](packet []byte) (T, error) {
	var message T
	if err := json.Unmarshal(packet, &message); err != nil {
		return message, fmt.Errorf("a control message that makes no sense: %w", err)
	}
	return message, nil
}
