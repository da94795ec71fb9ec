package interp

/*
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// ImportScript loads a script into the interpreter of an application group, on the calling thread, so that requests find it there. With
// isProgram it may end with SystemExit. It tells whether the script was loaded; why it was not is in the log.
func ImportScript(script, applicationGroup string, isProgram bool) bool {
	path, group := C.CString(script), C.CString(applicationGroup)
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(group))
	return bool(C.mw_import_script(path, group, C.bool(isProgram)))
}

// ExitOnSIGTERM makes SIGTERM raise SystemExit in the main interpreter, for a process that only runs scripts. To be called on Python's
// main thread. A failure is in the log.
func ExitOnSIGTERM() bool { return bool(C.mw_exit_on_sigterm()) }

// ToldToExit tells whether SIGTERM has done so.
func ToldToExit() bool { return bool(C.mw_told_to_exit()) }

// ScriptsLoaded is how many scripts were loaded in this process, by requests and before them.
func ScriptsLoaded() uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&C.mw_scripts_loaded)))
}
