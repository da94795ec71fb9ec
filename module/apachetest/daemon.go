package apachetest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ProcessGroup is the name of the process group that Config.Daemon declares.
const ProcessGroup = "test"

// isDaemonBinary tells whether a process runs mod_wsgi-daemon: as supervisor, as daemon process, or checking a configuration.
func isDaemonBinary(pid int) bool {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && strings.TrimSuffix(filepath.Base(program), " (deleted)") == "mod_wsgi-daemon"
}

func commandLine(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

// CommandLine is what `ps` shows of a process.
func CommandLine(pid int) string { return strings.Join(commandLine(pid), " ") }

// isCommand tells whether a process runs this command of mod_wsgi-daemon.
func isCommand(pid int, command string) bool {
	words := commandLine(pid)
	return len(words) > 1 && words[1] == command
}

// Supervisors returns the ids of our supervisors: one, and during a graceful restart the old one as well.
func (s *Server) Supervisors() []int {
	var ids []int
	for _, p := range s.members() {
		if isDaemonBinary(p.pid) && isCommand(p.pid, "supervise") {
			ids = append(ids, p.pid)
		}
	}
	return ids
}

// DaemonProcesses returns the ids of our daemon processes, oldest first; copies that applications made of them are left out.
func (s *Server) DaemonProcesses() []int {
	type candidate struct {
		pid, started int
	}
	var found []candidate
	for _, p := range s.members() {
		st, err := readStat(p.pid)
		if err != nil || !isDaemonBinary(p.pid) || isCommand(p.pid, "supervise") || isCommand(p.pid, "check") {
			continue
		}
		if isDaemonBinary(st.parent) && !isCommand(st.parent, "supervise") {
			continue
		}
		started, _ := strconv.Atoi(p.start)
		found = append(found, candidate{p.pid, started})
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.started != b.started {
			return a.started - b.started
		}
		return a.pid - b.pid
	})
	ids := make([]int, len(found))
	for i, c := range found {
		ids[i] = c.pid
	}
	return ids
}

// Holding is what one process of a server holds.
type Holding struct {
	Role    string // "parent", "child", "supervisor" or "daemon process"
	Threads int
	Files   int // open descriptors
}

// Holdings looks at the parent, its children, the supervisors and the daemon processes, by process id.
func (s *Server) Holdings(t testing.TB) map[int]Holding {
	t.Helper()
	held := map[int]Holding{}
	for role, ids := range map[string][]int{
		"parent": {s.parent.pid}, "child": s.Children(), "supervisor": s.Supervisors(), "daemon process": s.DaemonProcesses(),
	} {
		for _, pid := range ids {
			threads, err := Threads(pid)
			if err != nil {
				continue // it has ended meanwhile
			}
			files, err := OpenFiles(pid)
			if err != nil {
				continue
			}
			held[pid] = Holding{role, threads, files}
		}
	}
	return held
}

// Sockets returns the socket files of process groups below Root.
func (s *Server) Sockets() []string { return s.sockets(".sock") }

// ControlSockets returns the sockets of supervisors below Root.
func (s *Server) ControlSockets() []string { return s.sockets(".control") }

func (s *Server) sockets(suffix string) []string {
	var found []string
	_ = filepath.WalkDir(s.Root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type()&fs.ModeSocket != 0 && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return nil // what vanishes meanwhile is no socket that stays
	})
	return found
}

// examineRemains fails the test when the stopped server has left something behind.
func (s *Server) examineRemains(t testing.TB) {
	t.Helper()
	if left := append(s.Sockets(), s.ControlSockets()...); len(left) > 0 {
		t.Errorf("%s (%s) leaves sockets behind: %v", s.config.Module.Name, s.config.MPM, left)
	}
	for _, p := range s.holders() {
		t.Errorf("%s (%s) leaves process %d behind: %s", s.config.Module.Name, s.config.MPM, p.pid, CommandLine(p.pid))
		p.signal(9)
	}
}

// holders are processes, in whatever process group, that work in the server's folder or hold a file there: a daemon process
// that lost its parents still writes to the error log.
func (s *Server) holders() []process {
	below := func(link string) bool {
		target, err := os.Readlink(link)
		return err == nil && strings.HasPrefix(target, s.Root+"/")
	}
	return processes(func(pid int, _ stat) bool {
		if pid == os.Getpid() {
			return false
		}
		folder := fmt.Sprintf("/proc/%d/", pid)
		if below(folder + "cwd") {
			return true
		}
		entries, _ := os.ReadDir(folder + "fd")
		for _, entry := range entries {
			if below(folder + "fd/" + entry.Name()) {
				return true
			}
		}
		return false
	})
}
