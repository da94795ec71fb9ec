package server

/*
#include <stdlib.h>
#include "server.h"

// For Go: cgo knows neither atomics nor, with these warnings, functions without arguments and results. What it asks of a request thread:
typedef struct mwd_look {
    int64_t since;
    uint64_t request;
} mwd_look;

// False if the thread has no request, or is between two.
static int mwd_look_at(int i, mwd_look *look)
{
    mwd_watch *watch = &mwd_this.threads[i];
    look->request = atomic_load(&watch->request);
    look->since = atomic_load(&watch->since);
    return look->since != 0 && atomic_load(&watch->request) == look->request;
}

static mwd_slot *mwd_slot_of(mwd_part *part, int i) { return &part->slots[i]; }
static uint64_t mwd_python_id(int i) { return atomic_load(&mwd_this.threads[i].python_id); }
static void *mwd_request_count(int i) { return (void *)&mwd_this.threads[i].request; }
static char *mwd_group_of(int i) { return mwd_this.threads[i].group; }
static char *mwd_method_of(int i) { return mwd_this.threads[i].method; }
static char *mwd_uri_of(int i) { return mwd_this.threads[i].uri; }
static uint32_t mwd_take_events(int unused) { (void)unused; return atomic_exchange(&mwd_this.events, 0); }
static int mwd_report_ends(int on) { atomic_store(&mwd_this.report_end, (uint32_t)on); return on; }
static int64_t mwd_active(int unused) { (void)unused; return atomic_load(&mwd_this.active); }
static const char *mwd_start(int unused) { (void)unused; return mwd_server_start(); }
static int mwd_stop(int unused) { (void)unused; mwd_server_stop(); return 0; }
static uint32_t mwd_left(int unused) { (void)unused; return atomic_load(&mwd_this.left); }
static uint64_t mwd_started(int unused) { (void)unused; return atomic_load(&mwd_this.started); }
static int mwd_under_way(int unused) { (void)unused; return mwd_permits_under_way(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/life"
	"modwsgi/interp"
)

// serve starts the request threads and tells everybody, unless the process is to stop.
func (p *process) serve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping.Load() {
		return
	}
	if failure := C.mwd_start(0); failure != nil {
		p.cannotServe(errors.New(C.GoString(failure)))
	}
	p.serving = true
	p.ready(p.group.Threads)
	go p.watchSilence()
	if p.group.DeadlockTimeout > 0 {
		go probing.run(p.group.DeadlockTimeout)
	}
}

func (p *process) cannotServe(err error) {
	logAt(levelAlert, "WSGI0022: %s can't serve requests, and ends: %v", p.name(), err)
	os.Exit(exitFailed)
}

// ready says on the board and to the supervisor that so many requests can be taken. p.mu is held.
func (p *process) ready(permits int) {
	state := daemon.SlotReady
	if p.retired {
		state = daemon.SlotRetiring
	}
	p.board.SetSlot(p.assignment.Slot, daemon.SlotWord{Serial: p.assignment.Serial, State: state, Permits: uint16(permits)}, os.Getpid(), permits)
	p.board.Wake(p.assignment.Group)
	p.notify(daemon.Ready, "")
	p.logf(levelInfo, "is ready, with %d request threads", permits)
}

// prepareThreads starts the first request thread, for what is to be loaded before there are requests.
func (p *process) prepareThreads() error {
	if err := unix.SetNonblock(daemon.ListenerFD, true); err != nil {
		return fmt.Errorf("its socket: %w", err)
	}
	g, part := p.group, (*C.mwd_part)(p.board.Part(p.assignment.Group))
	o := (*C.mwd_server_options)(C.calloc(1, C.sizeof_mwd_server_options)) // C uses it until the process ends
	*o = C.mwd_server_options{
		listener: daemon.ListenerFD, peer_uid: C.uint32_t(p.childrensUID()), hall: C.mwd_hall{part: part,
			children: (*C.mwd_children)(p.board.Children()), slots: C.uint32_t(p.board.Slots(p.assignment.Group))},
		slot: C.mwd_slot_of(part, C.int(p.assignment.Slot-p.board.FirstSlot(p.assignment.Group))), serial: C.uint32_t(p.assignment.Serial),
		threads: C.unsigned(g.Threads), stack_size: C.size_t(g.StackSize), flags: C.unsigned(p.callFlags()),
		socket_timeout: C.int64_t(milliseconds(p.socketTimeout())), maximum_requests: C.uint64_t(g.MaximumRequests),
		process_group: C.CString(g.Name), wake: C.int(p.wake),
	}
	if g.Chroot != "" {
		o.chroot = C.CString(g.Chroot)
	}
	if failure := C.mwd_server_prepare(o); failure != nil {
		return errors.New(C.GoString(failure))
	}
	return nil
}

// callFlags are the facts of the group that applications are told.
func (p *process) callFlags() (flags int) {
	g := p.group
	if g.Threads != 1 {
		flags |= C.MW_CALL_MULTITHREAD
	}
	if g.Multiprocess() {
		flags |= C.MW_CALL_MULTIPROCESS
	}
	if g.Threads == 1 && g.MaximumRequests == 1 {
		flags |= C.MW_CALL_RUN_ONCE
	}
	return flags
}

// childrensUID is the user of Apache's children, who connect.
func (p *process) childrensUID() int {
	if p.config.Facts["euid"] == "0" {
		if uid, err := strconv.Atoi(p.config.Facts["uid"]); err == nil {
			return uid
		}
	}
	return os.Geteuid()
}

// socketTimeout is the option's, or else the Timeout of the server that declares the group.
func (p *process) socketTimeout() time.Duration {
	if p.group.SocketTimeout > 0 {
		return p.group.SocketTimeout
	}
	for _, fact := range []string{fmt.Sprintf("server.%d.timeout", p.group.Server), "timeout"} {
		if seconds, err := strconv.Atoi(p.config.Facts[fact]); err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return time.Minute // httpd 2.4, default of Timeout
}

// view is what the process looks like now.
func (p *process) view() life.View {
	v := life.View{Now: now(), Loaded: interp.ScriptsLoaded() > 0 || C.mwd_left(0) != 0, ProbeBegan: probing.began()}
	if !p.isServing() {
		return v
	}
	if p.group.MemoryRecycle > 0 {
		v.Resident = p.memory.resident()
	}
	v.Active, v.UnderWay = life.Time(C.mwd_active(0)), int(C.mwd_under_way(0))
	for i := range p.group.Threads {
		var look C.mwd_look
		if C.mwd_look_at(C.int(i), &look) != 0 {
			v.Requests = append(v.Requests, life.Request{Thread: i, Number: uint64(look.request), Since: life.Time(look.since)})
		}
	}
	return v
}

// reportThread looks at a request thread. One that is between two requests is idle.
func reportThread(thread int) daemon.ThreadReport {
	i := C.int(thread)
	var before, after C.mwd_look
	busy := C.mwd_look_at(i, &before) != 0
	r := daemon.ThreadReport{Number: thread, State: daemon.ThreadIdle, Requests: uint64(before.request)}
	if !busy {
		return r
	}
	request := &daemon.RequestReport{ApplicationGroup: C.GoString(C.mwd_group_of(i)), Method: C.GoString(C.mwd_method_of(i)),
		URI: C.GoString(C.mwd_uri_of(i)), Age: time.Duration(now() - life.Time(before.since)).Seconds()}
	if C.mwd_look_at(i, &after) != 0 && after.request == before.request { // otherwise these are pieces of two requests
		r.State, r.Request = daemon.ThreadRunning, request
	}
	return r
}

// requestsStarted are those that the process has taken.
func requestsStarted() uint64 { return uint64(C.mwd_started(0)) }

// victim describes the request of a thread, if it is still that one.
func victim(thread int, number uint64) (v interp.Victim, uri string, ok bool) {
	i := C.int(thread)
	v = interp.Victim{ApplicationGroup: C.GoString(C.mwd_group_of(i)), PythonID: uint64(C.mwd_python_id(i)),
		Request: C.mwd_request_count(i), Number: number}
	uri = C.GoString(C.mwd_uri_of(i))
	var look C.mwd_look
	return v, uri, C.mwd_look_at(i, &look) != 0 && uint64(look.request) == number
}

func takeEvents() int { return int(C.mwd_take_events(0)) }

// reportEnds has the end of each request wake the monitor.
func reportEnds() { C.mwd_report_ends(1) }

// stopThreads lets each request thread end when it has nothing to do; runningThreads are those that have not.
func stopThreads()        { C.mwd_stop(0) }
func runningThreads() int { return int(C.mwd_server_running()) }

const (
	eventRequestsDone  = C.MWD_EVENT_MAXIMUM_REQUESTS
	eventScriptChanged = C.MWD_EVENT_SCRIPT_CHANGED
	eventFirstRequest  = C.MWD_EVENT_FIRST
	eventLoaded        = C.MWD_EVENT_LOADED
)
