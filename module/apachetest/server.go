package apachetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startDeadline = 20 * time.Second
	stopDeadline  = 15 * time.Second
	// classicGrace is how long the classic module may take to stop before its processes are killed: with
	// sub-interpreters under Python 3.11 it may hang for seconds.
	classicGrace = 300 * time.Millisecond
	pollInterval = 10 * time.Millisecond
)

// Server is one Apache in its own temporary folder.
type Server struct {
	Root string // ServerRoot
	Port int    // on 127.0.0.1

	config   Config
	ports    map[string]int
	confText string
	parent   process
	exited   chan struct{} // closed when the started command has ended; the command is the parent unless daemonized
	ready    int           // how often "resuming normal operations" must be in the log for the server to be ready
}

// Start describes, starts and waits for a server. It is stopped when the test ends.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	s := New(t, c)
	s.Start(t)
	return s
}

// New prepares a server without starting it.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	c = c.withDefaults()
	c.Module.check(t)
	root, err := os.MkdirTemp("", "apachetest-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Root: root, config: c, ports: map[string]int{}}
	t.Cleanup(func() { s.finish(t) })
	if err := errors.Join(s.layOut(), s.write()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Start starts the server and waits until it accepts connections. A port that somebody else took in the meantime is
// replaced by another.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	for attempt := 0; ; attempt++ {
		err := s.launch()
		if err == nil {
			return
		}
		if attempt < 3 && strings.Contains(s.output(), "Address already in use") {
			s.ports = map[string]int{}
			if err := s.write(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Fatalf("%s does not start (%s, %s): %v\n%s", s.config.Module.Name, s.config.MPM, s.config.Mode, err, s.output())
	}
}

func (s *Server) launch() error {
	arguments := map[Mode][]string{
		Foreground: {"-DFOREGROUND"}, Daemonized: {"-k", "start"}, Single: {"-X"},
	}[s.config.Mode]
	command, err := s.command(arguments...)
	if err != nil {
		return err
	}
	s.ready = s.timesReady() + 1
	// Output goes to a file, not a pipe: a daemonized server would keep a pipe open for ever.
	output, err := os.Create(s.outputPath())
	if err != nil {
		return err
	}
	defer output.Close()
	command.Stdout, command.Stderr = output, output
	// A group of its own, so that everything can be found and ended.
	command.SysProcAttr.Setpgid = true
	if err := command.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	failure := new(error)
	go func(exited chan struct{}) { *failure = command.Wait(); close(exited) }(s.exited)
	if s.config.Mode == Daemonized {
		select {
		case <-s.exited:
		case <-time.After(startDeadline):
			_ = command.Process.Kill()
			return errors.New("`-k start` does not return")
		}
		if *failure != nil {
			return *failure
		}
	} else {
		s.parent = identify(command.Process.Pid)
	}
	return s.waitReady()
}

// command prepares httpd with our configuration, as the user wanted.
func (s *Server) command(arguments ...string) (*exec.Cmd, error) {
	command := exec.Command(httpdBinary, append([]string{"-f", s.Root + "/httpd.conf"}, arguments...)...)
	command.Dir = s.Root
	command.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"}, s.config.Env...)
	if s.config.Module.Name == "ours" {
		command.Env = append(command.Env, strings.Fields(os.Getenv("MODWSGI_HTTPD_ENV"))...)
	}
	command.SysProcAttr = &syscall.SysProcAttr{}
	if s.config.OrdinaryUser && os.Getuid() == 0 {
		uid, gid, err := ordinaryIDs()
		if err != nil {
			return nil, err
		}
		command.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return command, nil
}

func ordinaryIDs() (uid, gid int, err error) {
	account, err := user.Lookup(ordinaryUser)
	if err != nil {
		return 0, 0, err
	}
	uid, err = strconv.Atoi(account.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(account.Gid)
	return uid, gid, err
}

func (s *Server) openToOrdinaryUser() error {
	if !s.config.OrdinaryUser || os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := ordinaryIDs()
	if err != nil {
		return err
	}
	return filepath.WalkDir(s.Root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
}

// waitReady waits until the start (or restart) is announced in the log and the port accepts connections.
func (s *Server) waitReady() error {
	return poll(startDeadline, func() (bool, error) {
		if s.parent.pid == 0 {
			pid, err := s.readPid()
			if err != nil {
				return false, fmt.Errorf("no pid file: %w", err)
			}
			s.parent = identify(pid)
		}
		if !s.parent.alive() {
			return false, giveUp{errors.New("the server has exited")}
		}
		if s.config.Mode != Single && s.timesReady() < s.ready {
			return false, errors.New("it does not announce that it is ready")
		}
		conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err != nil {
			return false, err
		}
		_ = conn.Close()
		return true, nil
	})
}

// timesReady counts the starts and restarts that the log announces. Every MPM says it with these words, at notice
// level, which a log file always gets.
func (s *Server) timesReady() int {
	return strings.Count(s.Log(), "resuming normal operations")
}

func (s *Server) readPid() (int, error) {
	text, err := os.ReadFile(s.Root + "/run/httpd.pid")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(bytes.TrimSpace(text)))
}

func (s *Server) outputPath() string { return s.Root + "/logs/output.txt" }

// output is what httpd printed, which is where it complains before its log is open.
func (s *Server) output() string {
	text, _ := os.ReadFile(s.outputPath())
	return string(text) + s.Log()
}

// Addr is the server's address, "127.0.0.1:port".
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// URL is the address of a path, for ordinary HTTP clients.
func (s *Server) URL(path string) string { return "http://" + s.Addr() + path }

// Config returns the description, with defaults filled in.
func (s *Server) Config() Config { return s.config }

// SetConf replaces the configuration text; it takes effect at the next Graceful or Restart. Ports that have a name
// keep their number.
func (s *Server) SetConf(t testing.TB, conf string) {
	t.Helper()
	s.config.Conf = conf
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
}
