package interp

/*
#include <stdlib.h>
#include "meter.h"
*/
import "C"

import (
	"strings"
	"time"
	"unsafe"
)

// A Running is a request that runs.
type Running struct {
	Request RequestID
	Elapsed time.Duration // since Apache received it
}

// A RequestID tells a request that runs from all others of this process.
type RequestID struct {
	Meter  unsafe.Pointer // C's, of its thread; never freed
	Number uint64         // what is counted there while it runs
}

// A Glimpse is a request as it is seen from outside, while it runs or at its end. Texts are as the application gets them; cut ones end in "...".
// Moments are seconds since the epoch, 0 where there is none.
type Glimpse struct {
	ID       RequestID // while it runs
	ThreadID int       // mod_wsgi.thread_id
	PythonID uint64    // threading.get_ident()
	Elapsed  time.Duration

	ApplicationGroup, Script, URI                           string
	Method, Scheme, Host, ScriptName, PathInfo, Protocol    string
	Peer, UserAgent, LogID                                  string
	ServerPID                                               int
	RequestStart, QueueStart, DaemonStart, ApplicationStart float64
	ActiveAtStart                                           uint64

	End *RequestEnd // nil while it runs
}

// A RequestEnd is what is known when a request is over. Times are seconds.
type RequestEnd struct {
	Status                                             int
	ApplicationFinish                                  float64 // a moment
	GILWait, InputTime, OutputTime, CPUUser, CPUSystem float64
	GILWaits, InputBytes, InputReads, OutputBytes      uint64
	OutputWrites, Active                               uint64
}

// WatchRequests has requests told to `finished` at their end that took as long as the limit, on their own threads; what it returns is logged for
// them, unless it is "". To be called once, before there are requests.
func WatchRequests(limit time.Duration, finished func(*Glimpse) string) {
	process.slowFinished = finished
	C.mw_slow_watch(C.double(limit.Seconds()))
}

// RunningRequests lists what runs now.
func RunningRequests() []Running {
	room := 32
	for {
		list := make([]C.mw_running, room)
		n := int(C.mw_running_requests(&list[0], C.size_t(room)))
		if n > room {
			room = 2 * n
			continue
		}
		running := make([]Running, n)
		for i, r := range list[:n] {
			running[i] = Running{RequestID{unsafe.Pointer(r.meter), uint64(r.number)}, seconds(r.elapsed)}
		}
		return running
	}
}

// Look describes a request. False if it is over.
func (id RequestID) Look() (*Glimpse, bool) {
	g := (*C.mw_glimpse)(C.malloc(C.sizeof_mw_glimpse))
	defer C.free(unsafe.Pointer(g))
	if !C.mw_glimpse_of((*C.mw_meter)(id.Meter), C.uint64_t(id.Number), g) {
		return nil, false
	}
	return glimpse(g), true
}

// Stack is where the request's thread is, in lines. It may wait for the interpreter's GIL for ever. Empty if the request is over.
func (g *Glimpse) Stack() string {
	defer onThread()()
	c := (*C.mw_glimpse)(C.calloc(1, C.sizeof_mw_glimpse))
	defer C.free(unsafe.Pointer(c))
	c.meter, c.number, c.python_id = (*C.mw_meter)(g.ID.Meter), C.uint64_t(g.ID.Number), C.ulong(g.PythonID)
	for i := range len(g.ApplicationGroup) { // it came from there, so it fits
		c.application_group[i] = C.char(g.ApplicationGroup[i])
	}
	text := C.mw_glimpse_stack(c)
	defer C.free(unsafe.Pointer(text))
	return C.GoString(text)
}

// Warn writes each line as a record of its own to the request's log. False if it is over.
func (g *Glimpse) Warn(text string) bool {
	c := (*C.mw_glimpse)(C.calloc(1, C.sizeof_mw_glimpse))
	defer C.free(unsafe.Pointer(c))
	c.meter, c.number = (*C.mw_meter)(g.ID.Meter), C.uint64_t(g.ID.Number)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		record := C.CString(line)
		there := bool(C.mw_glimpse_log(c, C.MW_LOG_WARNING, record, C.size_t(len(line))))
		C.free(unsafe.Pointer(record))
		if !there {
			return false
		}
	}
	return true
}

func glimpse(g *C.mw_glimpse) *Glimpse {
	return &Glimpse{
		ID: RequestID{unsafe.Pointer(g.meter), uint64(g.number)}, ThreadID: int(g.thread_id), PythonID: uint64(g.python_id), Elapsed: seconds(g.elapsed),
		ApplicationGroup: C.GoString(&g.application_group[0]), Script: C.GoString(&g.script[0]), URI: C.GoString(&g.uri[0]),
		Method: C.GoString(&g.method[0]), Scheme: C.GoString(&g.scheme[0]), Host: C.GoString(&g.host[0]),
		ScriptName: C.GoString(&g.script_name[0]), PathInfo: C.GoString(&g.path_info[0]), Protocol: C.GoString(&g.protocol[0]),
		Peer: C.GoString(&g.peer[0]), UserAgent: C.GoString(&g.user_agent[0]), LogID: C.GoString(&g.log_id[0]), ServerPID: int(g.server_pid),
		RequestStart: float64(g.request_start), QueueStart: float64(g.queue_start), DaemonStart: float64(g.daemon_start),
		ApplicationStart: float64(g.application_start), ActiveAtStart: uint64(g.active_at_start),
	}
}

func slowFinished(g *C.mw_glimpse) string {
	end := glimpse(g)
	end.End = &RequestEnd{
		Status: int(g.status), ApplicationFinish: float64(g.application_finish), GILWait: float64(g.gil_wait), InputTime: float64(g.input_time),
		OutputTime: float64(g.output_time), CPUUser: float64(g.cpu_user), CPUSystem: float64(g.cpu_system), GILWaits: uint64(g.gil_waits),
		InputBytes: uint64(g.input_bytes), InputReads: uint64(g.input_reads), OutputBytes: uint64(g.output_bytes),
		OutputWrites: uint64(g.output_writes), Active: uint64(g.active_at_end),
	}
	return process.slowFinished(end)
}

func seconds(s C.double) time.Duration { return time.Duration(float64(s) * float64(time.Second)) }
