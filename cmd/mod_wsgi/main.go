// Command mod_wsgi is what mod_wsgi.so holds of Go: the functions that the C edge calls. They are bridges only; package module decides.
// It is built with -buildmode=c-archive and linked with its constructor moved aside (see module/README.md).
package main

/*
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdlib.h>
#include "../../module/edge.h"
*/
import "C"

import (
	"unsafe"

	"modwsgi/interp"
	"modwsgi/module"
)

func main() {}

//export goMwStart
func goMwStart(recording *C.mw_ctext, n C.size_t, facts *C.mw_cfacts, ops *C.mw_cops, report, failure **C.char) *C.mw_config {
	interp.CountEntry()
	config, line, err := module.Start(C.GoBytes(unsafe.Pointer(recording), C.int(n)), unsafe.Pointer(facts), unsafe.Pointer(ops))
	if line != "" {
		*report = C.CString(line)
	}
	if err != nil {
		*failure = C.CString(err.Error())
	}
	return (*C.mw_config)(config)
}

//export goMwPlan
func goMwPlan(server C.uint32_t, leaves *C.mw_cleaf, nLeaves C.size_t, local *C.mw_ctext, nLocal C.size_t, failure **C.char) *C.mw_cplan {
	interp.CountEntry()
	list := unsafe.Slice((*uint32)(unsafe.Pointer(leaves)), int(nLeaves))
	plan, err := module.Plan(uint32(server), list, C.GoBytes(unsafe.Pointer(local), C.int(nLocal)))
	if err != nil {
		*failure = C.CString(err.Error())
		return nil
	}
	return (*C.mw_cplan)(plan)
}

//export goMwLocalDirective
func goMwLocalDirective(directive C.uint32_t, args *C.mw_ctext) *C.char {
	interp.CountEntry()
	if err := module.LocalDirective(uint32(directive), goString(args)); err != nil {
		return C.CString(err.Error())
	}
	return nil
}

//export goMwFault
func goMwFault(code C.int, path, detail *C.mw_ctext, status *C.int) *C.char {
	interp.CountEntry()
	fault := module.Fault(int(code), goString(path), goString(detail))
	*status = C.int(fault.Status)
	return C.CString(fault.Error())
}

func goString(s *C.mw_ctext) string {
	if s == nil {
		return ""
	}
	return C.GoString((*C.char)(s))
}
