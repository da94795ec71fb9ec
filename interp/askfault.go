package interp

import (
	"fmt"
	"net/http"
	"strconv"
)

// ExplainAsked words the failures of asking a script about a request: asked is the function, detail the type of what it returned or
// raised. What can happen to any script is Explain's. The status is of no use here: it depends on whom the failure keeps out.
func ExplainAsked(code int, asked, script, group, detail string, embedded bool) *Fault {
	f := &Fault{Code: code, Status: http.StatusInternalServerError, Op: fmt.Sprintf("ask %s() of", asked), Path: script}
	in := place(group, embedded)
	switch code {
	case 42, 45, 48, 54, 86:
		inner, _ := strconv.Atoi(detail)
		f.Reason = Explain(inner, script, group, "", embedded).Reason
	case 43, 46, 52, 56:
		f.Reason = "the script does not define it"
	case 49:
		f.Reason = "it returned a group name that is not latin-1"
	case 50:
		f.Reason = "it returned " + detail + " as a group name; names are str or bytes"
	case 51:
		f.Reason = "it returned " + detail + "; wanted is a list or another iterable of group names"
	case 55:
		f.Reason = "it returned " + detail + "; wanted is True, False or None (no opinion)"
	case 174:
		f.Reason = detail + " was raised, in " + in
	case 175:
		f.Reason = "SystemExit was raised and ignored, in " + in
	case 176:
		f.Reason = "it returned an empty str; a str is the name under which the user goes on"
	case 177:
		f.Reason = "it returned " + detail + "; wanted is True, False, None (no such user) or the name under which the user goes on"
	case 178:
		f.Reason = "it returned an empty hash"
	case 179:
		f.Reason = "it returned " + detail + "; wanted is the MD5 of 'user:realm:password' in hexadecimal, or None (no such user)"
	default:
		return Explain(code, script, group, detail, embedded)
	}
	return f
}
