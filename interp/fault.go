package interp

import (
	"fmt"
	"net/http"
)

// Fault is a failure as an operator needs it: a stable code, what failed, why, and what to do; and the HTTP status that it means
// for a request. Status 0 is a failure that no client sees.
type Fault struct {
	Code   int    // WSGI####, the classic module's numbers where the meaning is the same
	Status int    // HTTP
	Op     string // what failed: "load script"
	Path   string // of which script, file or folder; may be empty
	Reason string // why, and what to do
}

func (f *Fault) Error() string {
	text := fmt.Sprintf("WSGI%04d: cannot %s", f.Code, f.Op)
	if f.Path != "" {
		text += " " + f.Path
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}

// place names an interpreter as log records do.
func place(group string, embedded bool) string {
	if group == "" {
		return "the main interpreter, " + where(embedded)
	}
	return fmt.Sprintf("interpreter '%s', %s", group, where(embedded))
}

// where names this process.
func where(embedded bool) string {
	if embedded {
		return "embedded mode"
	}
	return "a daemon process" + process.who
}

// why repeats the reason for which Python does not run here.
func why() string {
	if process.failed == nil {
		return "; the error log says why where the process began"
	}
	return ": " + process.failed.Error()
}

// Explain words the failures that the gateway's C code meets; detail is what that code knows (an exception's type, a name). A
// code unknown to it is still reported, as an internal error.
func Explain(code int, script, group, detail string, embedded bool) *Fault {
	f := &Fault{Code: code, Status: http.StatusInternalServerError, Path: script}
	in := place(group, embedded)
	switch code {
	case 40:
		f.Op, f.Reason = "import script", "no interpreter for it: "+in+" could not be created"
	case 87:
		f.Op, f.Reason = "run script", "no interpreter for it: "+in+" could not be created"
	case 89:
		f.Op, f.Reason = "run script", fmt.Sprintf("it defines no '%s' (WSGICallableObject, callable-object=)", detail)
		if embedded {
			f.Status = http.StatusNotFound
		}
	case 90:
		f.Op, f.Path, f.Reason = "make SIGTERM raise SystemExit in "+in, "", detail+" was raised"
	case 105, 106:
		f.Op, f.Reason = "read or compile script", detail
	case 107, 108:
		f.Op, f.Reason = "load script", "it raised SystemExit, in "+in
	case 109, 110:
		f.Op, f.Reason = "load script", detail+" was raised, in "+in
	case 112:
		f.Op, f.Reason = "finish a callback for event", detail+" was raised and ignored, in "+in
	case 130:
		f.Op, f.Path, f.Reason = "run the exit functions of "+in, "", detail+" was raised"
	case 174:
		f.Op, f.Reason = "finish a request of", detail+" was raised, in "+in
		if detail == "MemoryError" {
			f.Reason += process.memoryLimit
		}
	case 175:
		f.Op, f.Reason = "finish a request of", "SystemExit was raised and ignored, in "+in
	case 188:
		f.Op, f.Reason = "import the installed package", detail+" was raised, in "+in+"; there is none as far as applications here are concerned"
	case 189:
		f.Op, f.Path, f.Reason = "set up "+in, "", detail
	case 190:
		f.Op, f.Reason = "finish a callback for event", "SystemExit was raised and ignored, in "+in
	case 191:
		f.Op, f.Reason = "run script", "out of memory for a thread state, in "+in
	case 301:
		f.Status = http.StatusServiceUnavailable
		f.Op, f.Reason = "run script", fmt.Sprintf("no more application groups fit into this process (the limit is %d), and %s is a new one; "+
			"give applications fixed names with WSGIApplicationGroup where clients can choose them (%%{HOST}, %%{RESOURCE})", mostInterpreters, in)
	case 194:
		f.Op, f.Reason = "close the answer of", detail+" was raised when looking up close(), in "+in
	case 210:
		f.Op, f.Reason = "run script", "Python did not start in this process"+process.who+why()
	case 316:
		f.Status = http.StatusGatewayTimeout
		f.Op, f.Reason = "finish a request of", "it took too long and was interrupted"+process.requestLimit+", in "+in
	default:
		f.Op, f.Reason = "run script", fmt.Sprintf("internal error %d: %s", code, detail)
	}
	return f
}
