// Package interp is CPython's side: it starts Python in this process, keeps an interpreter for each application group, loads
// scripts, and runs requests through the WSGI gateway (PEP 3333).
//
// It knows neither Apache nor sockets. A transport hands a request to the gateway's C function mw_run together with a table of
// operations (gateway.h). The steady path of a request is C; Go is entered to create what is missing and to explain what failed.
package interp

/*
#cgo CFLAGS: -Wall -Wextra -Werror -fvisibility=hidden -Wno-cast-function-type
#cgo pkg-config: python3-embed
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	_ "embed"
	"fmt"
	"os"
	"unsafe"
)

//go:embed modules.py
var modulesSource string

//go:embed metrics.py
var metricsSource string

//go:embed bootstrap.py
var bootstrapSource string

// sources are what every interpreter is given, in the order in which they are run. Tracebacks show the names.
var sources = []struct{ name, text string }{
	{"<mod_wsgi modules>", modulesSource},
	{"<mod_wsgi metrics>", metricsSource},
	{"<mod_wsgi>", bootstrapSource},
}

// executable is the Python that this was built for: what sys.executable becomes unless the configuration names a home. Set by
// the linker.
var executable string

// Options say how to start Python in this process.
type Options struct {
	Home              string   // WSGIPythonHome: a Python installation or a virtual environment; "" is the one built for
	HomeSetting       string   // what the configuration calls Home, for messages; "" is WSGIPythonHome
	Warnings          []string // WSGIPythonWarnings: -W filters
	EggCache          string   // WSGIPythonEggs: PYTHON_EGG_CACHE; "" leaves it as it is
	FirstPath         string   // of sys.path, in front of everything; "" is nothing
	Optimize          int      // WSGIPythonOptimize: 0 to 2
	DontWriteBytecode bool
	HashSeed          *uint32 // nil: Python's default
	KeepStdio         bool    // sys.stdin and sys.stdout are a terminal's

	// Interpreter says what the interpreter of an application group is given, when it is created. nil gives nothing.
	Interpreter func(group string) InterpreterOptions

	FoldCase          bool // WSGICaseSensitivity Off: script paths that differ in case only are one script
	Embedded          bool // in a child of Apache's, not a daemon process
	ProcessGroup      string
	MaximumProcesses  int
	ThreadsPerProcess int
	ApacheVersion     [3]int
	ModuleVersion     [3]int
	Server            Server
	RequestLimit      string // " (request-timeout=60)": the limit of time of a request, for messages; "" if there is none
	MemoryLimit       string // " (memory-limit=1000000)": the same for memory

	// ServerMetrics makes what mod_wsgi.server_metrics() returns, as JSON; nil if it can't now. It may wait for a second or so. nil here:
	// applications are not to know.
	ServerMetrics func() []byte

	// Siblings tells what other processes of the group know of a script in an application group, which is in this version now. It may wait for a
	// second or so. nil: there are none.
	Siblings func(script, group string, now Version) Siblings

	Telemetry bool // WSGITelemetryService is set: applications get no metrics of their own
}

// A Server is what the module apache says of the server beside its version.
type Server struct {
	Description, MPM, Built string // "Apache/2.4.66 (Unix) mod_wsgi/...", "event", when it was built
	Processes, Threads      int    // the MPM's limits
}

// process is what the exports need to know of this process: CPython is one per process. Set once, before Python starts.
var process struct {
	foldCase, embedded bool
	interpreter        func(group string) InterpreterOptions
	serverMetrics      func() []byte
	siblings           func(script, group string, now Version) Siblings
	oddities           []*Fault // of the configured home
	failed             error    // why Python does not run here, nil if it does
	who                string   // this daemon process, for log records
	requestLimit       string   // what it means to take too long
	memoryLimit        string   // what may be why there is no memory
	slowFinished       func(*Glimpse) string
	beforeStop         func()
	afterStop          func()
}

// Start starts Python; the calling thread becomes its main thread and must stay with Python (see runtime.LockOSThread) if it is
// to run requests. ops is the mw_ops table for log records outside a request, and lives as long as the process. The error says why
// Python does not run here; what is odd about its surroundings, but works, is logged.
func Start(o Options, ops unsafe.Pointer) error {
	process.failed = start(o, ops)
	return process.failed
}

func start(o Options, ops unsafe.Pointer) error {
	process.foldCase, process.embedded = o.FoldCase, o.Embedded
	process.interpreter, process.serverMetrics, process.siblings = o.Interpreter, o.ServerMetrics, o.Siblings
	if !o.Embedded {
		process.who = fmt.Sprintf(" of group '%s', pid %d", o.ProcessGroup, os.Getpid())
	}
	process.requestLimit, process.memoryLimit = o.RequestLimit, o.MemoryLimit
	if process.interpreter == nil {
		process.interpreter = func(string) InterpreterOptions { return InterpreterOptions{} }
	}
	around := surroundings{
		setting: o.HomeSetting, home: o.Home, executable: executable, getenv: os.Getenv,
		needed: pythonVersion{C.PY_MAJOR_VERSION, C.PY_MINOR_VERSION},
	}
	if around.setting == "" {
		around.setting = "WSGIPythonHome"
	}
	found := examine(around)
	if found.fatal != nil {
		return found.fatal
	}
	process.oddities = found.oddities
	for _, odd := range found.oddities {
		logOutsideRequests(ops, C.MW_LOG_WARNING, odd.Error())
	}
	c := (*C.mw_python_options)(C.calloc(1, C.sizeof_mw_python_options))
	c.program, c.home = optional(found.program), optional(found.prefix)
	c.sources, c.n_sources = compileSources()
	c.process_group, c.egg_cache, c.first_path = C.CString(o.ProcessGroup), optional(o.EggCache), optional(o.FirstPath)
	c.optimize, c.dont_write_bytecode = C.int(o.Optimize), truth(o.DontWriteBytecode)
	if o.HashSeed != nil {
		c.has_hash_seed, c.hash_seed = 1, C.ulong(*o.HashSeed)
	}
	c.keep_stdio, c.telemetry = truth(o.KeepStdio), truth(o.Telemetry)
	fillInterpreterOptions(&c.main, process.interpreter(""), "")
	c.maximum_processes, c.threads_per_process = C.int(o.MaximumProcesses), C.int(o.ThreadsPerProcess)
	c.server_description, c.server_mpm, c.server_built = C.CString(o.Server.Description), C.CString(o.Server.MPM), C.CString(o.Server.Built)
	c.server_processes, c.server_threads = C.int(o.Server.Processes), C.int(o.Server.Threads)
	for i := range 3 {
		c.apache_version[i], c.module_version[i] = C.int(o.ApacheVersion[i]), C.int(o.ModuleVersion[i])
	}
	if n := len(o.Warnings); n > 0 {
		list := unsafe.Slice((**C.char)(C.calloc(C.size_t(n), C.size_t(unsafe.Sizeof(c.home)))), n)
		for i, w := range o.Warnings {
			list[i] = C.CString(w)
		}
		c.warnings, c.n_warnings = &list[0], C.size_t(n)
	}
	if reason := C.mw_python_start(c, (*C.mw_ops)(ops)); reason != nil {
		defer C.free(unsafe.Pointer(reason))
		return startFailure(C.GoString(reason), around, found, os.Environ())
	}
	return nil
}

// compileSources makes C's copy of the Python files, which lives as long as the process.
func compileSources() (*C.mw_source, C.size_t) {
	list := unsafe.Slice((*C.mw_source)(C.calloc(C.size_t(len(sources)), C.sizeof_mw_source)), len(sources))
	for i, s := range sources {
		list[i] = C.mw_source{name: C.CString(s.name), text: C.CString(s.text)}
	}
	return &list[0], C.size_t(len(list))
}

func logOutsideRequests(ops unsafe.Pointer, level int, text string) {
	record := C.CString(text)
	defer C.free(unsafe.Pointer(record))
	C.mw_log_outside((*C.mw_ops)(ops), C.int(level), record)
}

// Warn writes a record outside requests to the error log; ops is as for Start.
func Warn(ops unsafe.Pointer, text string) { logOutsideRequests(ops, C.MW_LOG_WARNING, text) }

func optional(s string) *C.char {
	if s == "" {
		return nil
	}
	return C.CString(s)
}

func truth(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
