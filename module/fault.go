package module

import (
	"fmt"
	"net/http"
	"strings"

	"modwsgi/directives"
	"modwsgi/interp"
)

// Fault words the failures that the C edge meets before an application is called, and says which HTTP status they mean. detail is
// what the C edge knows: a header's value, a path info.
func Fault(code int, path, detail string) *interp.Fault {
	f := &interp.Fault{Code: code, Status: http.StatusInternalServerError, Op: "run script", Path: path}
	switch code {
	case 41, 44:
		f.Op = "check who asks for"
		f.Reason = "the provider 'wsgi' is asked, but no WSGIAuthUserScript applies here"
	case 58:
		f.Op = "find out the groups of who asks for"
		f.Reason = "wsgi-group is required, but no WSGIAuthGroupScript applies here"
	case 59, 60:
		user, groups, _ := strings.Cut(detail, "\n")
		f.Status, f.Op = http.StatusUnauthorized, "give"
		f.Reason = fmt.Sprintf("user '%s' is in none of the groups that are required (%s)", user, groups)
		if code == 59 {
			f.Reason = fmt.Sprintf("user '%s' is in no group, and required is one of: %s", user, groups)
		}
	case 57:
		f.Status, f.Op = http.StatusForbidden, "give"
		f.Reason = fmt.Sprintf("allow_access() refused the client %s", detail)
	case 134:
		f.Status, f.Reason = http.StatusForbidden, "Options ExecCGI is off for its directory"
	case 135:
		f.Status, f.Reason = http.StatusNotFound, "it does not exist, or may not be looked at"
	case 136:
		f.Status, f.Reason = http.StatusForbidden, "it is a directory; the URL must go on to a script in it"
	case 137:
		f.Status = http.StatusNotFound
		f.Reason = fmt.Sprintf("AcceptPathInfo is Off and the URL goes on with '%s'", detail)
	case 138:
		f.Status = http.StatusNotImplemented
		f.Reason = fmt.Sprintf("the request body has the transfer coding '%s', only chunked is known", detail)
	case 139:
		f.Status, f.Reason = http.StatusLengthRequired, "the request body is chunked and WSGIChunkedRequest is Off"
	case 140:
		f.Status, f.Reason = http.StatusBadRequest, "the request is chunked and has a Content-Length"
	case 141:
		f.Status, f.Reason = http.StatusBadRequest, fmt.Sprintf("the request's Content-Length '%s' is not a length", detail)
	case 143:
		f.Reason = "WSGIRestrictEmbedded is On and the request names no daemon process group"
	default:
		return groupFault(f, detail, declaredGroup(detail))
	}
	return f
}

// declaredGroup finds the group whose name the detail of a fault begins with.
func declaredGroup(detail string) *directives.DaemonGroup {
	name, _, _ := strings.Cut(detail, "\n")
	if child.config == nil {
		return nil
	}
	return child.config.Process.Group(name)
}
