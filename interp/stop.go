package interp

/*
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	"time"
	"unsafe"
)

// Stop ends Python with its process: each interpreter's threads are waited for, for at most so long, and its exit functions run. False: they
// still run. Subscribers have been told by PublishStopping, or are told now.
func Stop(limit time.Duration) bool {
	return C.mw_python_stop(C.double(limit.Seconds()), false) != C.MW_STOP_LATE
}

// OnStop has functions called before and after what is done in Apache's children when Python ends, on a thread that C has made. To be called once,
// before there are requests.
func OnStop(before, after func()) { process.beforeStop, process.afterStop = before, after }

func stopping(over bool) {
	switch {
	case over && process.afterStop != nil:
		process.afterStop()
	case !over && process.beforeStop != nil:
		process.beforeStop()
	}
}

// PublishStopping tells the subscribers of every interpreter that the process is going to end, and why. It lasts as long as they like.
func PublishStopping(reason string) {
	defer onThread()()
	text := C.CString(reason)
	defer C.free(unsafe.Pointer(text))
	C.mw_publish_process_stopping(text)
}

// PublishSignal tells the subscribers of every interpreter that the process has received a signal. It lasts as long as they like.
func PublishSignal(name string, number int) {
	defer onThread()()
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	C.mw_publish_process_signal(text, C.int(number))
}
