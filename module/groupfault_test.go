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
