package interp

/*
#include "python.h"
*/
import "C"

import "time"

// Stop ends Python with its process: each interpreter's threads are waited for, for at most so long, and its exit functions run. False: they
// still run.
func Stop(limit time.Duration) bool {
	return C.mw_python_stop(C.double(limit.Seconds())) != C.MW_STOP_LATE
}
