package interp

import (
	"strings"
	"testing"
)

func TestFaultSaysCodePlaceAndReason(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Code: 134, Op: "run script", Path: "/a.wsgi", Reason: "no"}, "WSGI0134: cannot run script /a.wsgi: no"},
		{Fault{Code: 7, Op: "run script"}, "WSGI0007: cannot run script"},
		{Fault{Code: 7, Op: "run script", Path: "/a"}, "WSGI0007: cannot run script /a"},
		{Fault{Code: 12345, Op: "start", Reason: "no"}, "WSGI12345: cannot start: no"},
	} {
		if got := c.fault.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestExplainAsked(t *testing.T) {
	for _, c := range []struct {
		code   int
		detail string
		want   string
	}{
		{42, "210", "WSGI0042: cannot ask f() of /a.wsgi: Python did not start in this process"},
		{48, "301", "WSGI0048: cannot ask f() of /a.wsgi: no more application groups fit into this process"},
		{54, "87", "WSGI0054: cannot ask f() of /a.wsgi: no interpreter for it: interpreter 'g', embedded mode could not be created"},
		{86, "191", "WSGI0086: cannot ask f() of /a.wsgi: out of memory"},
		{43, "dict", "WSGI0043: cannot ask f() of /a.wsgi: the script does not define it"},
		{50, "int", "WSGI0050: cannot ask f() of /a.wsgi: it returned int as a group name"},
		{55, "int", "WSGI0055: cannot ask f() of /a.wsgi: it returned int; wanted is"},
		{174, "KeyError", "WSGI0174: cannot ask f() of /a.wsgi: KeyError was raised, in interpreter 'g', embedded mode"},
		{109, "KeyError", "WSGI0109: cannot load script /a.wsgi: KeyError was raised"},
	} {
		if f := ExplainAsked(c.code, "f", "/a.wsgi", "g", c.detail, true); f.Code != c.code || !strings.HasPrefix(f.Error(), c.want) {
			t.Errorf("code %d: %q, want %q...", c.code, f, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		code     int
		group    string
		detail   string
		embedded bool
		status   int
		want     string
	}{
		{89, "", "application", true, 404, "WSGI0089: cannot run script /a.wsgi: it defines no 'application' (WSGICallableObject, callable-object=)"},
		{89, "", "application", false, 500, "WSGI0089: "},
		{105, "g", "the file does not exist", true, 500, "WSGI0105: cannot read or compile script /a.wsgi: the file does not exist"},
		{107, "g", "SystemExit", true, 500, "WSGI0107: cannot load script /a.wsgi: it raised SystemExit, in interpreter 'g', embedded mode"},
		{109, "g", "KeyError", false, 500, "WSGI0109: cannot load script /a.wsgi: KeyError was raised, in interpreter 'g', a daemon process"},
		{174, "", "KeyError", true, 500, "WSGI0174: cannot finish a request of /a.wsgi: KeyError was raised, in the main interpreter, embedded mode"},
		{175, "", "SystemExit", true, 500, "WSGI0175: "},
		{189, "g", "KeyError", true, 500, "WSGI0189: cannot set up interpreter 'g', embedded mode: KeyError"},
		{194, "g", "KeyError", true, 500, "WSGI0194: cannot close the answer of /a.wsgi: KeyError was raised when looking up close(), in interpreter 'g'"},
		{87, "g", "", true, 500, "WSGI0087: cannot run script /a.wsgi: no interpreter for it"},
		{191, "g", "", true, 500, "WSGI0191: "},
		{210, "g", "", true, 500, "WSGI0210: "},
		{9999, "g", "detail", true, 500, "WSGI9999: cannot run script /a.wsgi: internal error 9999: detail"},
	} {
		f := Explain(c.code, "/a.wsgi", c.group, c.detail, c.embedded)
		if f.Code != c.code || f.Status != c.status || !strings.HasPrefix(f.Error(), c.want) {
			t.Errorf("code %d, embedded %v: status %d, %q; want %d, %q...", c.code, c.embedded, f.Status, f, c.status, c.want)
		}
	}
}
