package server

/*
#include "server.h"

static int mwd_close_own(int unused) { (void)unused; return mwd_close_own_in_copies(); }
*/
import "C"

import (
	"fmt"
	"syscall"
)

// keepFromCopies has copies of the process, which applications fork, close these descriptors and the connections of the request threads.
func keepFromCopies(fds ...int) error {
	for _, fd := range fds {
		C.mwd_own(C.int(fd))
	}
	if errno := C.mwd_close_own(0); errno != 0 {
		return fmt.Errorf("register what is done in copies: %w", syscall.Errno(errno))
	}
	return nil
}
