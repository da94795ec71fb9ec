package interp

/*
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"time"
	"unsafe"
)

// OwnGILs tells whether this Python can give each interpreter a GIL of its own.
const OwnGILs = C.PY_VERSION_HEX >= 0x030C0000

// InterpreterOptions say what one interpreter is given.
type InterpreterOptions struct {
	OwnGIL         bool // ignored for the main interpreter, and without OwnGILs
	RestrictSignal bool
	RestrictStdin  bool
	RestrictStdout bool
	Path           [][]string // WSGIPythonPath: layers of directories, each in front of the one before

	SwitchInterval        time.Duration // of its GIL; 0 leaves it alone
	SwitchIntervalSkipped bool          // one was configured, but the GIL is not its own
}

func hasOwnGIL(group string) bool {
	return OwnGILs && group != "" && process.interpreter != nil && process.interpreter(group).OwnGIL
}

// fillInterpreterOptions makes the C struct, whose strings are C's from then on.
func fillInterpreterOptions(c *C.mw_interp_options, o InterpreterOptions, group string) {
	*c = C.mw_interp_options{
		own_gil: truth(o.OwnGIL && OwnGILs && group != ""), restrict_signal: truth(o.RestrictSignal),
		restrict_stdin: truth(o.RestrictStdin), restrict_stdout: truth(o.RestrictStdout),
		switch_interval: C.double(o.SwitchInterval.Seconds()),
	}
	if n := len(o.Path); n > 0 {
		list := unsafe.Slice((**C.char)(C.calloc(C.size_t(n), C.size_t(unsafe.Sizeof(*c.python_path)))), n)
		for i, layer := range o.Path {
			list[i] = C.CString(strings.Join(layer, ":"))
		}
		c.python_path, c.n_python_path = &list[0], C.size_t(n)
	}
	if o.SwitchIntervalSkipped {
		c.warning = C.CString(fmt.Sprintf("WSGI0199: WSGISwitchInterval is ignored for application group '%s': its interpreter shares the GIL of "+
			"others, whose interval it would change; give it WSGIPerInterpreterGIL On, or set the interval for all", group))
	}
}
