// Package clienttest drives the client of package daemon/client, which is C, against processes that a test plays itself: with the frames
// of package daemon, so that C's and Go's understanding of the protocol are held against each other.
package clienttest

/*
#cgo CFLAGS: -D_GNU_SOURCE -Wall -Wextra -Werror
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdlib.h>
#include "transport.h"
#include "../seats.h"

static void ct_give_back(const mwd_group *g, unsigned slot, uint32_t serial, uint32_t threads)
{
    mwd_hall hall = {g->part, g->children, g->slots};
    mwd_give_back(&hall, &g->part->slots[slot], serial, threads);
}
*/
import "C"

import (
	"os"
	"time"
	"unsafe"

	"modwsgi/daemon"
	_ "modwsgi/daemon/client"

	"golang.org/x/sys/unix"
)

// A Group is a process group, the only one of its board, as a child of Apache's sees it. Its memory is never given back.
type Group struct {
	Board  *daemon.Board
	Socket string // path of its processes' sockets, without the serial
	fd     int    // of the board
	slots  int
	limits Limits
	c      *C.mwd_group
}

// Limits are a group's; see client.h.
type Limits struct {
	Connect, Socket, Queue, FlushDelay time.Duration
	ResponseBuffer, HeaderBuffer       int
	Backlog, Processes                 int
}

// NewGroup makes a group with so many slots, all empty.
func NewGroup(socket string, slots int, l Limits) (*Group, error) {
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if _, err := daemon.FormatBoard(fd, []int{slots}); err != nil {
		return nil, err
	}
	return OpenGroup(fd, socket, slots, l)
}

// Sibling is the same group as another child sees it.
func (g *Group) Sibling(l Limits) (*Group, error) { return OpenGroup(g.fd, g.Socket, g.slots, l) }

// OpenGroup opens the group whose board is behind the descriptor, which it keeps.
func OpenGroup(fd int, socket string, slots int, l Limits) (*Group, error) {
	board, err := daemon.OpenBoard(fd, []int{slots})
	if err != nil {
		return nil, err
	}
	c := (*C.mwd_group)(C.calloc(1, C.sizeof_mwd_group))
	*c = C.mwd_group{
		name: C.CString("group"), socket: C.CString(socket), part: (*C.mwd_part)(board.Part(0)), slots: C.uint32_t(slots),
		children: (*C.mwd_children)(board.Children()), self: C.mwd_self_new((*C.mwd_children)(board.Children())),
		backlog: C.uint32_t(l.Backlog), uid: C.uint32_t(os.Getuid()), processes: C.uint(l.Processes),
		connect_timeout: C.int64_t(l.Connect.Milliseconds()), socket_timeout: C.int64_t(l.Socket.Milliseconds()),
		queue_timeout: C.int64_t(l.Queue.Milliseconds()), flush_delay: C.int64_t(l.FlushDelay.Milliseconds()),
		response_buffer: C.size_t(l.ResponseBuffer), header_buffer: C.size_t(l.HeaderBuffer), pool: C.mwd_pool_new(C.uint32_t(slots)),
	}
	return &Group{Board: board, Socket: socket, fd: fd, slots: slots, limits: l, c: c}, nil
}

// GiveBack gives back a permit of the process with that serial, which has so many threads, as a daemon process does.
func (g *Group) GiveBack(slot int, serial uint32, threads int) {
	C.ct_give_back(g.c, C.unsigned(slot), C.uint32_t(serial), C.uint32_t(threads))
}

// A Request is what a child of Apache's has to get answered.
type Request struct {
	Body           []byte
	AtOnce         int // bytes of it that may be had without blocking
	ContentLength  int64
	Environ        []string // keys and values in turn
	FailRead       bool
	FailWriteAfter int           // bytes; negative: never
	Collect        time.Duration // in which the body is completed before a process is asked for
	Await          int           // what waiting for the process answers once something was written: 1, 0 (the time is up) or -1 (the client is gone)
	Elsewhere      *Group        // is waited for instead as soon as its first slot is ready; or nil
	DropWith       int
	Timeout        time.Duration // the server's
}

// A Result is what became of it: the result of mwd_run, its report, what the transport was asked to do, and the answer's body.
type Result struct {
	Result, Code       int
	Detail, Trace      string
	Answer             []byte
	Connects, Restarts int
	RetryAfter         int
}

// Run runs a request on the calling goroutine's thread.
func (g *Group) Run(r Request) Result {
	body := C.CBytes(r.Body)
	defer C.free(body)
	pairs := (*[129]*C.char)(C.calloc(129, C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	defer C.free(unsafe.Pointer(pairs))
	for i, s := range r.Environ {
		pairs[i] = C.CString(s)
		defer C.free(unsafe.Pointer(pairs[i]))
	}
	c := (*C.ct_request)(C.calloc(1, C.sizeof_ct_request))
	defer C.free(unsafe.Pointer(c))
	defer C.ct_free(c)
	c.body, c.n_body, c.at_once = (*C.char)(body), C.size_t(len(r.Body)), C.size_t(r.AtOnce)
	c.fail_write_after, c.drop_with = C.int(r.FailWriteAfter), C.int(r.DropWith)
	c.collect, c.await = C.int(r.Collect.Milliseconds()), C.int(r.Await)
	if r.Elsewhere != nil {
		c.elsewhere = r.Elsewhere.c
	}
	if r.FailRead {
		c.fail_read = 1
	}
	out := C.ct_run(g.c, c, &pairs[0], C.int64_t(r.ContentLength), C.int64_t(r.Timeout.Milliseconds()))
	return Result{
		Result: int(out.result), Code: int(out.report.code), Detail: C.GoString(&out.report.detail[0]),
		Trace: C.GoStringN(c.trace.data, C.int(c.trace.n)), Answer: C.GoBytes(unsafe.Pointer(c.answer.data), C.int(c.answer.n)),
		Connects: int(out.report.connects), Restarts: int(out.report.restarts),
		RetryAfter: int(out.report.retry_after),
	}
}

// SetBell lets requests that wait ring: with the number of the group, on this descriptor.
func (g *Group) SetBell(fd int, number uint32) { g.c.bell, g.c.number = C.int(fd), C.uint32_t(number) }
