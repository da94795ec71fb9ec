package integration

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// accessText lets those in who say the word; its reload_required() is not for scripts like this one.
func accessText(word string) string {
	return `def allow_access(environ, host):
    return environ.get("HTTP_X_WORD") == "` + word + `"

def reload_required(resource):
    raise KeyError("nobody asks for this")
`
}

func expectAccess(t *testing.T, s *apachetest.Server, word string, status int) {
	t.Helper()
	if r := s.Get(t, "/", hd("X-Word", word)); r.Status != status {
		t.Fatalf("%q is answered with %d, want %d", word, r.Status, status)
	}
}

func TestScriptThatDecidesIsReloadedInItsProcess(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const conf = "WSGIScriptAlias / {{.Apps}}/hello.wsgi\nWSGIApplicationGroup %{GLOBAL}\n<Location />\nWSGIAccessScript {{.Root}}/access.wsgi\n</Location>\n"
	files := map[string]string{"access.wsgi": accessText("first")}
	forEachModule(t, conf, files, func(t *testing.T, s *apachetest.Server) {
		expectAccess(t, s, "first", 200)
		children := s.Children()
		rewrite(t, s, "access.wsgi", accessText("second"), start)
		expectAccess(t, s, "first", 403)
		expectAccess(t, s, "second", 200)
		rewrite(t, s, "access.wsgi", "def allow_access(\n", start.Add(time.Hour))
		expectAccess(t, s, "second", 403)
		rewrite(t, s, "access.wsgi", accessText("older"), start.Add(-time.Hour))
		expectAccess(t, s, "older", 200)
		removeFile(t, s, "access.wsgi")
		expectAccess(t, s, "older", 403)
		rewrite(t, s, "access.wsgi", accessText("back"), start)
		expectAccess(t, s, "back", 200)
		if now := s.Children(); len(now) != 1 || now[0] != children[0] {
			t.Errorf("children were %v and are %v", children, now)
		}
	})
	forEachModule(t, conf+"WSGIScriptReloading Off\n", files, func(t *testing.T, s *apachetest.Server) {
		expectAccess(t, s, "first", 200)
		rewrite(t, s, "access.wsgi", accessText("second"), start)
		expectAccess(t, s, "second", 403)
		expectAccess(t, s, "first", 200)
	})
}

func removeFile(t *testing.T, s *apachetest.Server, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.Root, name)); err != nil {
		t.Fatal(err)
	}
}
