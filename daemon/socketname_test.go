package daemon

import (
	"testing"

	"modwsgi/directives"
)

func TestSocketNamesBeginWithThePrefix(t *testing.T) {
	for prefix, want := range map[string]string{
		"":            "/run/apache/wsgi.17.3.2.9.sock",
		"/var/tmp/w":  "/var/tmp/w.17.3.2.9.sock",
		"/var/tmp/w/": "/var/tmp/w/.17.3.2.9.sock",
		"run/wsgi":    "/etc/apache/run/wsgi.17.3.2.9.sock",
		"run/":        "/etc/apache/run/.17.3.2.9.sock",
	} {
		config := &directives.Config{Facts: map[string]string{
			"server_root": "/etc/apache", "runtime_dir": "/run/apache/", "parent_pid": "17", "generation": "3",
		}}
		config.Process.SocketPrefix = prefix
		if got := SocketPath(SocketBase(config, 1), 9); got != want {
			t.Errorf("prefix %q: %s, want %s", prefix, got, want)
		}
	}
}
