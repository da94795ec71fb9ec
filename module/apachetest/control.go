package apachetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Signal sends a signal to the parent process.
func (s *Server) Signal(sig syscall.Signal) { s.parent.signal(sig) }

// Graceful replaces the children without interrupting requests (SIGUSR1), and waits until the new configuration is in
// force. Old children may still be finishing requests then.
func (s *Server) Graceful(t testing.TB) {
	t.Helper()
	s.restart(t, syscall.SIGUSR1)
}

// Restart replaces the children at once (SIGHUP), and waits until the new ones can be reached.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.settle() // the parent sends its children SIGTERM
	s.restart(t, syscall.SIGHUP)
}

func (s *Server) restart(t testing.TB, sig syscall.Signal) {
	t.Helper()
	s.ready = s.timesReady() + 1
	s.parent.signal(sig)
	if err := s.waitReady(); err != nil {
		t.Fatalf("after %v: %v\n%s", sig, err, s.output())
	}
}

// GracefulStop lets requests finish and ends the server (SIGWINCH). It returns at once; WaitStopped waits.
func (s *Server) GracefulStop() { s.parent.signal(syscall.SIGWINCH) }

// WaitStopped waits until no process of the server is left.
func (s *Server) WaitStopped(t testing.TB, deadline time.Duration) {
	t.Helper()
	if err := poll(deadline, s.stopped); err != nil {
		t.Errorf("the server does not stop: %v", err)
		s.kill()
	}
}

// TimeToStop ends the server (SIGTERM) and returns when all its processes have gone, or, past the deadline, were killed. It does not wait until
// the server is idle, as Stop does.
func (s *Server) TimeToStop(deadline time.Duration) (took time.Duration, done bool) {
	began := time.Now()
	s.parent.signal(syscall.SIGTERM)
	done = poll(deadline, s.stopped) == nil
	took = time.Since(began)
	if !done {
		s.kill()
	}
	return took, done
}

func (s *Server) stopped() (bool, error) {
	left := s.members()
	if len(left) == 0 && !s.parent.alive() {
		return true, nil
	}
	return false, fmt.Errorf("%d processes left: %v", len(left), left)
}

// Stop ends the server (SIGTERM), as soon as it is idle, and waits until all its processes have gone. It may be called twice.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.parent.pid == 0 {
		return
	}
	if s.config.Module.Path != classicPath {
		s.settle()
	}
	s.parent.signal(syscall.SIGTERM)
	if s.config.Module.Path == classicPath {
		if poll(classicGrace, s.stopped) != nil {
			s.kill()
		}
		return
	}
	s.WaitStopped(t, stopDeadline)
}

// kill ends what is left, by process id.
func (s *Server) kill() {
	_ = poll(stopDeadline, func() (bool, error) {
		for _, p := range s.members() {
			p.signal(syscall.SIGKILL)
		}
		return s.stopped()
	})
}

// finish stops the server at the end of its test, examines its log, and shows what is known when the test has failed.
func (s *Server) finish(t testing.TB) {
	if s.config.Module.Path == classicPath {
		s.examineLog(t) // before the processes are killed, which Apache would log as crashes
		s.Stop(t)
	} else {
		s.Stop(t)
		s.examineLog(t)
		s.examineRemains(t)
	}
	if t.Failed() {
		t.Logf("--- %s, %s, %s ---\nconfiguration:\n%s\nerror log (end):\n%s",
			s.config.Module.Name, s.config.MPM, s.config.Mode, s.confText, lastLines(s.output(), 120))
	}
	if os.Getenv("MODWSGI_KEEP") != "" {
		t.Logf("kept: %s", s.Root)
		return
	}
	if err := os.RemoveAll(s.Root); err != nil {
		t.Errorf("cleaning up: %v", err)
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Configtest runs `httpd -t` on the server's configuration; exit status 0 means it is fine.
func (s *Server) Configtest(t testing.TB) (status int, output string) {
	t.Helper()
	command, err := s.command("-t")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String()
}

// Configtest checks a configuration without starting a server.
func Configtest(t testing.TB, c Config) (status int, output string) {
	t.Helper()
	return New(t, c).Configtest(t)
}
