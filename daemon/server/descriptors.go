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

// own has copies of the process close a descriptor, too, once keepFromCopies was called; disown before it is closed.
func own(fd int)    { C.mwd_own(C.int(fd)) }
func disown(fd int) { C.mwd_disown(C.int(fd)) }

// keepFromCopies has copies of the process, which applications fork, close these descriptors and the connections of the request threads.
func keepFromCopies(fds ...int) error {
	for _, fd := range fds {
		own(fd)
	}
	if errno := C.mwd_close_own(0); errno != 0 {
		return fmt.Errorf("register what is done in copies: %w", syscall.Errno(errno))
	}
	return nil
}
