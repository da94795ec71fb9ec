package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"modwsgi/module/apachetest"
)

// A buffer that can't be: nothing is lost, and the log says why the application waits.

// smallDisk makes a folder below the server's in which next to nothing can be kept, and returns what the system says of it.
func smallDisk(t *testing.T, s *apachetest.Server, size string) (reason string) {
	t.Helper()
	folder := filepath.Join(s.Root, "var", "small")
	if os.Geteuid() != 0 {
		return "No such file or directory" // only root can make a small disk; a folder that is not there is like a disk without room
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "mode=1777,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return "No space left on device"
}

func TestAFullDiskLosesNothingOfAnAnswer(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{mpm, slowThreads + " buffer-directory={{.Root}}/var/small"}, ""))
			reason := smallDisk(t, s, "1m")
			for _, path := range []string{"/blocks?5", "/length?5"} {
				mark := s.Mark()
				conn, err := narrow(s.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				reader, err := readSlowly(conn, path)
				if err != nil {
					t.Fatal(err)
				}
				mark.Wait(t, `wsgi:error.*WSGI0310: .*/var/small: `+reason+` \(buffer-size=268435456, buffer-memory=262144 of process group 'test'\)`)
				expectBody(t, s, "/fast", "fast")
				if err := reader.rest(5 << 20); err != nil {
					t.Error(err)
				}
				if n := strings.Count(mark.Since(), "WSGI0310"); n != 1 {
					t.Errorf("%d records instead of one:\n%s", n, mark.Since())
				}
			}
		})
	}
}

func TestAFullDiskLosesNothingOfARequest(t *testing.T) {
	s := apachetest.Start(t, slowConfig(setting{apachetest.Event, slowThreads + " buffer-memory=100000 buffer-directory={{.Root}}/var/small"}, ""))
	reason := smallDisk(t, s, "200k")
	expectBody(t, s, "/fast", "fast")
	u := uploadSlowly(t, s, "/digest", 1000000, "")
	u.trickle(600000)
	mark := s.MarkStart("error.log")
	mark.Wait(t, `wsgi:error.*WSGI0311: .*/var/small: `+reason+` \(request-buffer=16777216, buffer-memory=100000 of process group 'test'\)`)
	u.finish(t)
	if n := strings.Count(s.Log(), "WSGI0311"); n != 1 {
		t.Errorf("%d records instead of one:\n%s", n, s.Log())
	}
}
