package supervisor

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSocketsOfADeadSupervisorAreRemovedAndNothingElse(t *testing.T) {
	folder, err := os.MkdirTemp("", "left-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	for _, name := range []string{"wsgi.1.0.1.1.sock", "wsgi.1.0.1.2.sock", "wsgi.1.0.1.3.sock", "wsgi.1.0.2.1.sock", "wsgi.1.1.1.1.sock", "wsgi.1.0.1.x.sock"} {
		listener, err := net.Listen("unix", filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
	if err := os.WriteFile(filepath.Join(folder, "wsgi.1.0.1.0.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	removeLeft(filepath.Join(folder, "wsgi.1.0.1"), 2)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if want := []string{"wsgi.1.0.1.0.sock", "wsgi.1.0.1.3.sock", "wsgi.1.0.1.x.sock", "wsgi.1.0.2.1.sock", "wsgi.1.1.1.1.sock"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
