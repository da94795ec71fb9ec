package interp

/*
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// A Victim is a request that has taken too long.
type Victim struct {
	ApplicationGroup string
	PythonID         uint64         // threading.get_ident() of its thread
	Request          unsafe.Pointer // to the thread's count of requests, an _Atomic uint64_t of C's
	Number           uint64         // what is counted there while this one runs
}

// Interrupt raises mod_wsgi.RequestTimeout in a request, at its thread's next bytecode; tell logs what the thread does. It may wait for the
// interpreter's GIL for ever. False: it was over.
func Interrupt(v Victim, tell bool) bool {
	defer onThread()()
	group := C.CString(v.ApplicationGroup)
	defer C.free(unsafe.Pointer(group))
	return bool(C.mw_interrupt(group, C.ulong(v.PythonID), (*C.mw_counter)(v.Request), C.uint64_t(v.Number), C.bool(tell)))
}

// Probe takes the main interpreter's GIL and lets go of it. How long that takes tells whether it is stuck. False where Python does not run.
func Probe() bool {
	defer onThread()()
	return bool(C.mw_probe())
}

// Stacks says where the threads of every interpreter are. It may wait for a GIL for ever.
func Stacks() string {
	defer onThread()()
	text := C.mw_stacks()
	defer C.free(unsafe.Pointer(text))
	return C.GoString(text)
}

// PrepareDump has DumpStacks write to a descriptor. False: this Python can't.
func PrepareDump(fd int) bool {
	defer onThread()()
	return bool(C.mw_stacks_prepare(C.int(fd)))
}

// DumpStacks is like Stacks, for a process whose lock is stuck and that is about to end: it waits for nothing.
func DumpStacks() bool { return bool(C.mw_stacks_dump()) }

// onThread keeps the goroutine on its thread: Python keeps states by thread, and deletes them when the thread ends.
func onThread() (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
