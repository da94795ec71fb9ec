package interp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestScriptNameIsTheSameForTheSamePathOnly(t *testing.T) {
	for _, c := range []struct {
		path string
		fold bool
		want string // "_mod_wsgi_" and the MD5 of the path: applications' own tools compute it, too
	}{
		{"/srv/App.wsgi", false, "_mod_wsgi_b179dfaccf658e8c2e9a96fb061fe0dd"},
		{"/srv/App.wsgi", true, ScriptName("/srv/app.wsgi", false)},
		{"/srv/app.wsgi", true, ScriptName("/srv/app.wsgi", false)},
		{"/srv/\xc3\x84.wsgi", true, ScriptName("/srv/\xc3\x84.wsgi", false)}, // ASCII letters only
		{"", false, "_mod_wsgi_d41d8cd98f00b204e9800998ecf8427e"},
	} {
		if got := ScriptName(c.path, c.fold); got != c.want {
			t.Errorf("%q, fold %v: got %s, want %s", c.path, c.fold, got, c.want)
		}
	}
	if ScriptName("/srv/App.wsgi", false) == ScriptName("/srv/app.wsgi", false) {
		t.Error("paths that differ in case are one")
	}
	if bytes := "/srv/\xff.wsgi"; ScriptName(bytes, true) == ScriptName("/srv/\xfe.wsgi", true) {
		t.Errorf("%q and another path that is not UTF-8 are one", bytes)
	}
}

func TestReadScriptSaysWhatItReadAndWhenThatChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wsgi")
	if err := os.WriteFile(path, []byte("x = 1\n\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1_700_000_000, 123_456_789)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
	source, mtime, err := ReadScript(path)
	if string(source) != "x = 1\n\x00" || mtime != 1_700_000_000_123_456 || err != nil {
		t.Errorf("%q, %d, %v", source, mtime, err)
	}
}

func TestReadScriptSaysWhyItCannot(t *testing.T) {
	directory := t.TempDir()
	link := filepath.Join(directory, "loop")
	if err := os.Symlink(link, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(directory, "missing"): "the file does not exist",
		directory:                           "it is not a regular file",
		"/dev/null":                         "it is not a regular file",
		link:                                "too many levels of symbolic links",
	} {
		if source, _, err := ReadScript(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", path, source, err, want)
		}
	}
	if err := readError("/dev/null", os.ErrPermission); !strings.HasPrefix(err.Error(), "user ") || !strings.Contains(err.Error(), "may not read it") {
		t.Error(err)
	}
}
