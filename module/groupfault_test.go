package module

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"modwsgi/directives"
)

// Statuses are those of the classic module's table of what clients see.
func TestFailuresOnTheWayToAProcessGroupHaveTheirStatusAndNameTheGroup(t *testing.T) {
	limits := &directives.DaemonGroup{Name: "blog", QueueTimeout: 45 * time.Second, ConnectTimeout: 15 * time.Second, ListenBacklog: 100,
		Processes: 2, ScriptUser: "alice"}
	for _, c := range []struct {
		code, status int
		says         string
	}{
		{80, http.StatusBadGateway, "detail"},
		{84, http.StatusGatewayTimeout, "queue-timeout=45"},
		{115, http.StatusInternalServerError, "detail"},
		{116, http.StatusServiceUnavailable, "detail"},
		{117, http.StatusServiceUnavailable, "detail"},
		{121, http.StatusInternalServerError, "detail"},
		{124, http.StatusServiceUnavailable, "5 processes"},
		{144, http.StatusInternalServerError, "32766"},
		{145, http.StatusGatewayTimeout, "Timeout"},
		{146, http.StatusBadGateway, "detail"},
		{147, http.StatusBadGateway, "detail"},
		{149, http.StatusInternalServerError, "WSGIRestrictProcess"},
		{150, http.StatusInternalServerError, "no WSGIDaemonProcess"},
		{151, http.StatusInternalServerError, "not declared"},
		{152, http.StatusInternalServerError, "another virtual host"},
		{155, http.StatusForbidden, "another group"},
		{173, http.StatusForbidden, "folder detail"},
	} {
		f := groupFault(Fault(c.code, "/srv/app.wsgi", ""), "blog\ndetail", limits)
		text := f.Error()
		if f.Status != c.status || !strings.Contains(text, c.says) || !strings.Contains(text, "'blog'") || !strings.Contains(text, "/srv/app.wsgi") {
			t.Errorf("%d: status %d, %q; want %d and %q", c.code, f.Status, text, c.status, c.says)
		}
	}
}

func TestALostRequestSaysWhatBecameOfItsProcess(t *testing.T) {
	limits := &directives.DaemonGroup{Name: "blog", ConnectTimeout: 15 * time.Second, ListenBacklog: 100, ShutdownTimeout: 5 * time.Second}
	for _, c := range []struct {
		code         int
		detail, says string
	}{
		{146, "it closed the connection\n7 77 139 0 0", "before it answered, process 77 of process group 'blog' was killed by SIGSEGV (segmentation fault), core dumped"},
		{119, "it closed the connection\n7 77 9 0 0", "in the middle of its answer, process 77 of process group 'blog' was killed by SIGKILL (killed): not by its supervisor"},
		{146, "it closed the connection\n7 77 65280 131083 0", "process 77 of process group 'blog' ended with exit status 255: it was told to stop, and was not done within shutdown-timeout=5"},
		{146, "it closed the connection\n0 77 0 0 0", "process 77 of process group 'blog' broke the connection, and has not ended: it closed the connection"},
		{147, "reset\n0 0 0 0 0", "a process of process group 'blog' broke the connection, and nobody has said how it ended: reset"},
		{145, "nothing\n0 77 0 0 60000", "process 77 of process group 'blog' did not begin an answer in time (Timeout 60)"},
		{119, "nothing\n0 77 0 0 60000", "in the middle of its answer, process 77 of process group 'blog' did nothing for too long (Timeout 60): nothing"},
		{145, "", "no thread of process group 'blog' became free in time (Timeout)"},
		{116, "\n0 0 0 0 0", "within connect-timeout=15: none is running"},
		{116, "\n4 0 0 1280 103079215117", "the last one that was to start, number 4, could not be started: permission denied; see WSGI0024"},
		{116, "\n4 44 256 0 0", "the last one that was to start, process 44, ended with exit status 1"},
		{120, "60", "(Timeout 60; process group 'blog')"},
		{146, "a line\nof something else", "a line\nof something else"},
	} {
		f := groupFault(Fault(c.code, "/srv/app.wsgi", ""), "blog\n"+c.detail, limits)
		if text := f.Error(); !strings.Contains(text, c.says) {
			t.Errorf("%d, %q:\n%s\nwant:\n%s", c.code, c.detail, text, c.says)
		}
	}
}
