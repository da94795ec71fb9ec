// Package gatewaytest runs requests through the gateway of package interp without Apache: its transport is memory (transport.c), its
// threads are locked OS threads that a test starts and ends. It is for the tests beside it.
package gatewaytest

/*
#cgo CFLAGS: -Wall -Wextra -Werror
#cgo pkg-config: python3-embed
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdlib.h>
#include "transport.h"
*/
import "C"

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"modwsgi/interp"
)

// The first thread of the process never ends, so no Thread of a test may be on it.
func init() { runtime.LockOSThread() }

// Results of a request that are no HTTP status (gateway.h).
const (
	Answered = C.MW_ANSWERED
	Cut      = C.MW_CUT
	Short    = C.MW_SHORT
)

// Flags of a request (gateway.h).
const (
	Reloading    = C.MW_CALL_RELOADING
	Multithread  = C.MW_CALL_MULTITHREAD
	Multiprocess = C.MW_CALL_MULTIPROCESS
	RunOnce      = C.MW_CALL_RUN_ONCE
	HTTPS        = C.MW_CALL_HTTPS
)

// What a script is asked (gateway.h), and what it answers: the Result where there are questions.
const (
	Access           = C.MW_ASK_ACCESS
	Password         = C.MW_ASK_PASSWORD
	RealmHash        = C.MW_ASK_REALM_HASH
	Groups           = C.MW_ASK_GROUPS
	ProcessGroup     = C.MW_ASK_PROCESS_GROUP
	ApplicationGroup = C.MW_ASK_APPLICATION_GROUP
	Callable         = C.MW_ASK_CALLABLE

	Failed  = C.MW_FAILED
	Yes     = C.MW_YES
	No      = C.MW_NO
	Nothing = C.MW_NOTHING
	Text    = C.MW_TEXT
)

// Question is for a script that decides about a request.
type Question struct {
	Subject int
	Texts   [2]string // as many as the subject takes
}

// How a piece of a request's body arrives.
const (
	Now  = C.GT_NOW  // it is there
	Late = C.GT_LATE // a read that does not block would block
	Gate = C.GT_GATE // as Late, and the read lasts until a byte comes out of Piece.FD
	Fail = C.GT_FAIL // the read fails with Data as the reason
)

// Piece is a part of a request's body.
type Piece struct {
	Kind int
	Data string
	FD   int
}

// Request is what a transport would hand to the gateway.
type Request struct {
	Group, Script string
	Callable      string // "" is application
	Resource      string
	ScriptMtime   int64 // microseconds; 0: the gateway asks
	UnknownLength bool  // of the body; otherwise the sum of its pieces is announced
	Flags         uint
	Environ       []string // "KEY=value"; "KEY" alone is None
	Body          []Piece
	ClientTakes   int64 // with ClientLeaves: bytes before writing fails
	ClientLeaves  bool
	WriteGate     int        // if > 0: writing waits for a byte out of this descriptor
	Native        bool       // the application gets an apache.request_rec
	Questions     []Question // to ask the script instead; the answers are the Answer's Body, in words
}

// Answer is what the gateway handed over.
type Answer struct {
	Result  int // of mw_run: Answered, Cut, Short or an HTTP status
	Status  int
	Line    string
	Headers []string // "Name: value"
	Length  int64    // announced Content-Length, -1 if none
	Body    string
	Trace   string   // the operations in their order
	Log     []string // "level text"
	Loads   []string // the records among them that say which script was loaded or reloaded: "loading script ..."
}

// Breaches counts what no transport may see. In a correct gateway all are 0.
type Breaches struct {
	GILHeld, GILMissing, Crowded, Late, Forked, Exited, Newline int
}

var started struct {
	once   sync.Once
	err    error
	shared *C.gt_shared
	main   *Thread
}

// Start starts Python, once per process, and returns the thread that did, Python's main thread.
func Start(options interp.Options) (*Thread, error) {
	started.once.Do(func() {
		if started.shared = C.gt_set_up(); started.shared == nil {
			started.err = errors.New("no shared memory")
			return
		}
		started.main = NewThread()
		started.main.do(func() { started.err = interp.Start(options, unsafe.Pointer(&C.gt_ops)) })
	})
	return started.main, started.err
}

// Thread is an OS thread that runs requests, one at a time.
type Thread struct {
	work     chan func()
	ended    chan struct{}
	id       int
	exchange *C.gt_exchange
	owned    []unsafe.Pointer // C memory of the exchange's request
}

// NewThread starts a thread; End ends it.
func NewThread() *Thread {
	t := &Thread{work: make(chan func()), ended: make(chan struct{}), exchange: C.gt_exchange_new()}
	begun := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the OS thread ends with this function
		t.id = gettid()
		close(begun)
		for f := range t.work {
			f()
		}
	}()
	<-begun
	return t
}

func (t *Thread) do(f func()) {
	done := make(chan struct{})
	t.work <- func() { f(); close(done) }
	<-done
}

// End ends the OS thread and returns when the system has forgotten it. Its exchange stays: whoever uses it too late is to be noticed.
func (t *Thread) End() error {
	close(t.work)
	return waitForThreadEnd(t.id)
}

// Begin starts a request; the answer comes out of the channel.
func (t *Thread) Begin(r *Request) <-chan *Answer {
	answer := make(chan *Answer, 1)
	t.work <- func() {
		t.prepare(r)
		C.gt_run(t.exchange, 1, 0)
		answer <- t.answer()
	}
	return answer
}

// Run runs a request.
func (t *Thread) Run(r *Request) *Answer { return <-t.Begin(r) }

// Repeat runs a request n times, in C, and returns the last answer and how many had another result.
func (t *Thread) Repeat(r *Request, n, result int) (last *Answer, others int) {
	t.do(func() {
		t.prepare(r)
		others = int(C.gt_run(t.exchange, C.long(n), C.int(result)))
		last = t.answer()
	})
	return last, others
}

func (t *Thread) bytes(s string) *C.char {
	p := C.CBytes(append([]byte(s), 0))
	t.owned = append(t.owned, p)
	return (*C.char)(p)
}

func (t *Thread) array(n int, size uintptr) unsafe.Pointer {
	p := C.calloc(C.size_t(n)+1, C.size_t(size))
	t.owned = append(t.owned, p)
	return p
}

func (t *Thread) prepare(r *Request) {
	for _, p := range t.owned {
		C.free(p)
	}
	t.owned = t.owned[:0]
	x := t.exchange
	call := &x.call
	*call = C.mw_call{flags: C.uint(r.Flags), script_mtime: C.int64_t(math.MinInt64), request_start: 1.5}
	callable := r.Callable
	if callable == "" {
		callable = "application"
	}
	call.application_group, call.script = t.bytes(r.Group), t.bytes(r.Script)
	call.callable, call.resource = t.bytes(callable), t.bytes(r.Resource)
	if len(r.Questions) > 0 {
		call.callable, call.resource = nil, nil
	}
	x.n_questions = C.size_t(len(r.Questions))
	for i, q := range r.Questions {
		x.questions[i] = C.mw_question{subject: C.mw_subject(q.Subject), texts: [2]*C.char{t.bytes(q.Texts[0]), t.bytes(q.Texts[1])}}
	}
	if r.ScriptMtime != 0 {
		call.script_mtime = C.int64_t(r.ScriptMtime)
	}
	pairs := unsafe.Slice((*C.mw_pair)(t.array(len(r.Environ), C.sizeof_mw_pair)), len(r.Environ)+1)
	for i, text := range r.Environ {
		key, value, given := strings.Cut(text, "=")
		pairs[i].key = t.bytes(key)
		if given {
			pairs[i].value = t.bytes(value)
		}
	}
	call.environ, call.n_environ = &pairs[0], C.size_t(len(r.Environ))
	t.prepareBody(r)
	if r.Native {
		call.native_request = unsafe.Pointer(x)
	}
	x.write_gate, x.takes = -1, -1
	if r.WriteGate > 0 {
		x.write_gate = C.int(r.WriteGate)
	}
	if r.ClientLeaves {
		x.takes = C.int64_t(r.ClientTakes)
	}
}

func (t *Thread) prepareBody(r *Request) {
	length := 0
	pieces := unsafe.Slice((*C.gt_piece)(t.array(len(r.Body), C.sizeof_gt_piece)), len(r.Body)+1)
	for i, p := range r.Body {
		pieces[i] = C.gt_piece{kind: C.int(p.Kind), data: t.bytes(p.Data), n: C.size_t(len(p.Data)), fd: C.int(p.FD)}
		if p.Kind != Fail {
			length += len(p.Data)
		}
	}
	t.exchange.pieces, t.exchange.n_pieces = &pieces[0], C.size_t(len(r.Body))
	t.exchange.call.content_length = C.int64_t(length)
	if r.UnknownLength {
		t.exchange.call.content_length = -1
	}
}

func text(b *C.gt_buffer) string { return C.GoStringN(b.data, C.int(b.n)) }

func (t *Thread) answer() *Answer {
	x := t.exchange
	a := &Answer{Result: int(x.result), Status: int(x.status), Line: text(&x.line), Length: int64(x.length),
		Body: text(&x.body), Trace: strings.TrimSpace(text(&x.trace))}
	for _, record := range lines(text(&x.log)) {
		if load, ok := strings.CutPrefix(record, "6 "); ok && strings.Contains(load, "loading script ") {
			a.Loads = append(a.Loads, load)
		} else {
			a.Log = append(a.Log, record)
		}
	}
	fields := strings.Split(text(&x.headers), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		a.Headers = append(a.Headers, fields[i]+": "+fields[i+1])
	}
	return a
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// ServerLog returns the records that belonged to no request, since the last call, without those that announce an interpreter.
func ServerLog() []string {
	var n C.size_t
	text := C.gt_server_log(&n)
	defer C.free(unsafe.Pointer(text))
	announces := func(line string) bool { return strings.Contains(line, " creating the interpreter of ") }
	if others := slices.DeleteFunc(lines(C.GoStringN(text, C.int(n))), announces); len(others) > 0 {
		return others
	}
	return nil
}

// ForkedLog returns what forked copies of the process logged since the last call.
func ForkedLog() []string {
	s := started.shared
	n := s.forked_log_n
	s.forked_log_n = 0
	return lines(C.GoStringN(&s.forked_log[0], C.int(n)))
}

// TakeBreaches returns the breaches of the transport's contract since the last call.
func TakeBreaches() Breaches {
	s := started.shared
	b := Breaches{int(s.gil_held), int(s.gil_missing), int(s.crowded), int(s.late), int(s.forked), int(s.exited), int(s.newline)}
	s.gil_held, s.gil_missing, s.crowded, s.late, s.forked, s.exited, s.newline = 0, 0, 0, 0, 0, 0, 0
	return b
}

// GoEntries is the number of calls from the gateway's C into Go so far.
func GoEntries() uint64 { return uint64(C.mw_go_entries) }

// ThreadStates is the number of Python's thread states, of all interpreters. Call it while no request runs.
func ThreadStates() int { return int(C.gt_thread_states()) }

// Malloced is the number of bytes in use on the C heap.
func Malloced() int { return int(C.gt_malloced()) }
