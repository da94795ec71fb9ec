package interp

/*
#include <stdlib.h>
#include "meter.h"
*/
import "C"

import (
	"strings"
	"sync/atomic"
	"unsafe"
)

// mostInterpreters is how many application groups a process may have.
const mostInterpreters = C.MW_MOST_INTERPRETERS

// CountEntry counts a call from C into Go; every export begins with it. Read through the C variable, see gateway.h.
func CountEntry() {
	atomic.AddUint64((*uint64)(unsafe.Pointer(&C.mw_go_entries)), 1)
}

//export goMwInterpreterOptions
func goMwInterpreterOptions(group *C.mw_text, options *C.mw_interp_options) {
	CountEntry()
	name := goString(group)
	fillInterpreterOptions(options, process.interpreter(name), name)
}

//export goMwScriptName
func goMwScriptName(path *C.mw_text) *C.char {
	CountEntry()
	return C.CString(ScriptName(goString(path), process.foldCase))
}

//export goMwScriptRead
func goMwScriptRead(path *C.mw_text, n *C.size_t, mtime *C.int64_t, reason **C.char) *C.char {
	CountEntry()
	source, modified, err := ReadScript(goString(path))
	if err != nil {
		*reason = C.CString(err.Error())
		return nil
	}
	*n, *mtime = C.size_t(len(source)), C.int64_t(modified)
	return (*C.char)(C.CBytes(append(source, 0)))
}

//export goMwAdvise
func goMwAdvise(script, group *C.mw_text, version *C.mw_version, reloading C.int) C.mw_advice {
	CountEntry()
	if process.siblings == nil {
		return C.MW_LOAD
	}
	return advise(process.siblings(goString(script), goString(group), versionOf(*version)), reloading != 0)
}

//export goMwServerMetrics
func goMwServerMetrics(n *C.size_t) *C.char {
	CountEntry()
	if process.serverMetrics == nil {
		return nil
	}
	text := process.serverMetrics()
	if text == nil {
		return nil
	}
	*n = C.size_t(len(text))
	return (*C.char)(C.CBytes(text))
}

//export goMwSlowRequest
func goMwSlowRequest(g *C.mw_glimpse) *C.char {
	CountEntry()
	return optional(slowFinished(g))
}

//export goMwStopping
func goMwStopping(over C.bool) {
	CountEntry()
	stopping(bool(over))
}

//export goMwExplain
func goMwExplain(code C.int, script, group, asked, detail *C.mw_text, status *C.int) *C.char {
	CountEntry()
	what, trace, _ := strings.Cut(goString(detail), "\n")
	f := Explain(int(code), goString(script), goString(group), what, process.embedded)
	if function := goString(asked); function != "" {
		f = ExplainAsked(int(code), function, goString(script), goString(group), what, process.embedded)
	}
	f.Reason += advice(trace, goString(group), process.oddities)
	*status = C.int(f.Status)
	return C.CString(f.Error())
}

//export goMwRefused
func goMwRefused(module, exception, group *C.mw_text) *C.char {
	CountEntry()
	f := Refused(goString(module), goString(exception), goString(group), process.embedded)
	if f == nil {
		return nil
	}
	return C.CString(f.Error())
}

func goString(s *C.mw_text) string {
	if s == nil {
		return ""
	}
	return C.GoString((*C.char)(s))
}
