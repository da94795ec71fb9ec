package interp

/*
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	"slices"
	"sync/atomic"
	"unsafe"
)

// An Application is what this process has loaded: a script in an application group and, unless Callable is empty, a callable that was found in it.
// The texts are bytes, in no particular encoding.
type Application struct {
	Script, Group, Callable string
	Version                 Version // of the script when it was loaded
}

// ApplicationsKnown is how many Applications there are. It only grows.
func ApplicationsKnown() uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&C.mw_applications_known)))
}

// Applications are those that were loaded after the first `known`, in the order in which that happened.
func Applications(known int) []Application {
	var list []Application
	for a := C.mw_applications(); a != nil; a = a.next {
		list = append(list, Application{C.GoString(a.script), C.GoString(a.group), C.GoString(a.callable), versionOf(a.version)})
	}
	fresh := list[:max(len(list)-known, 0)]
	slices.Reverse(fresh)
	return fresh
}

// LoadApplication loads a script on the calling thread, unless it is loaded, and looks for its callable. What failed, "" if nothing did, is in the
// log, unless it is to be quiet.
func LoadApplication(a Application, quiet bool) (failure string) {
	script, group, callable := C.CString(a.Script), C.CString(a.Group), C.CString(a.Callable)
	defer C.free(unsafe.Pointer(script))
	defer C.free(unsafe.Pointer(group))
	defer C.free(unsafe.Pointer(callable))
	text := C.mw_load_application(script, group, callable, C.bool(quiet))
	if text == nil {
		return ""
	}
	defer C.free(unsafe.Pointer(text))
	return C.GoString(text)
}

// A Version is what a script's file is like at one moment; zero if there is none. Modified is in nanoseconds since the epoch.
type Version struct {
	Modified, Size int64
	Inode          uint64
}

// VersionOf looks at the file.
func VersionOf(path string) Version {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	return versionOf(C.mw_version_of(text))
}

func versionOf(v C.mw_version) Version {
	return Version{int64(v.modified), int64(v.size), uint64(v.inode)}
}

// Hold lets requests pass over scripts that have changed, until they change again: no process could be made of them as they are. The culprit is the
// one that could not be loaded, if it is known, in the version that could not.
func Hold(culprit string, v Version) {
	var text *C.char
	if culprit != "" {
		text = C.CString(culprit)
		defer C.free(unsafe.Pointer(text))
	}
	C.mw_hold(text, C.mw_version{modified: C.int64_t(v.Modified), size: C.int64_t(v.Size), inode: C.uint64_t(v.Inode)})
}

// Siblings are what the other processes of a group know of a script.
type Siblings struct {
	Have bool // one has loaded it
	Same bool // one in the version that the file is in now
	Bad  bool // a process could not load this version
}

// advise decides whether a process loads a script for the first time. One that has changed since others loaded it is left to them: they find out whether
// it can be loaded, and go on with what they have if it can't. Without reloading they don't look.
func advise(s Siblings, reloading bool) C.mw_advice {
	switch {
	case !s.Have:
		return C.MW_LOAD
	case s.Bad, reloading && !s.Same:
		return C.MW_LEAVE
	}
	return C.MW_TRY
}
