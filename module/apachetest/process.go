package apachetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a process id together with the start time that tells it from a later process with the same id.
type process struct {
	pid   int
	start string
}

// stat is the part of /proc/<pid>/stat that matters here.
type stat struct {
	state         string
	parent, group int
	start         string
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The second field is the command in brackets and may contain anything: count from the last bracket.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 20 {
		return stat{}, errors.New("short stat line")
	}
	parent, _ := strconv.Atoi(f[1])
	group, _ := strconv.Atoi(f[2])
	return stat{state: f[0], parent: parent, group: group, start: f[19]}, nil
}

func identify(pid int) process {
	s, _ := readStat(pid)
	return process{pid: pid, start: s.start}
}

// alive is false for a zombie: in a container nobody may come to bury it.
func (p process) alive() bool {
	s, err := readStat(p.pid)
	return err == nil && s.start == p.start && s.state != "Z" && s.state != "X"
}

// signal does nothing when the process has gone, whoever has its number now.
func (p process) signal(sig syscall.Signal) {
	if p.alive() {
		_ = syscall.Kill(p.pid, sig)
	}
}

// processes lists every living process that the condition accepts.
func processes(accept func(pid int, s stat) bool) []process {
	entries, _ := os.ReadDir("/proc")
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if err == nil && s.state != "Z" && s.state != "X" && accept(pid, s) {
			found = append(found, process{pid, s.start})
		}
	}
	return found
}

// giveUp wraps an error that waiting can't cure.
type giveUp struct{ error }

// poll repeats a check until it is done, gives up, or the deadline has passed; then it returns the last error.
func poll(deadline time.Duration, check func() (bool, error)) error {
	end := time.Now().Add(deadline)
	for {
		done, err := check()
		if done {
			return nil
		}
		if fatal := (giveUp{}); errors.As(err, &fatal) {
			return fatal.error
		}
		if time.Now().After(end) {
			if err == nil {
				err = errors.New("it did not happen")
			}
			return fmt.Errorf("within %v: %w", deadline, err)
		}
		time.Sleep(pollInterval)
	}
}

// Eventually waits until the condition holds; past the deadline the test fails with the description.
func Eventually(t interface {
	Helper()
	Fatalf(string, ...any)
}, deadline time.Duration, what string, condition func() bool) {
	t.Helper()
	if poll(deadline, func() (bool, error) { return condition(), nil }) != nil {
		t.Fatalf("not within %v: %s", deadline, what)
	}
}

// Pid is the process id of Apache's parent process (with -X: of the only process).
func (s *Server) Pid() int { return s.parent.pid }

// Children returns the ids of the parent's direct children that are Apache's: its worker processes, and with mod_cgid its daemon.
// The classic module's daemon processes are among them, ours are not.
func (s *Server) Children() []int {
	return slices.DeleteFunc(s.directChildren(), isDaemonBinary)
}

func (s *Server) directChildren() []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.parent.pid, s.parent.pid))
	var ids []int
	if err != nil { // a kernel without that file, or the parent has gone
		for _, p := range processes(func(_ int, st stat) bool { return st.parent == s.parent.pid }) {
			ids = append(ids, p.pid)
		}
		return ids
	}
	for _, field := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && Alive(pid) {
			ids = append(ids, pid)
		}
	}
	return ids
}

// members are all living processes of the server's process group, the parent included, and whatever descends from them.
func (s *Server) members() []process {
	if s.parent.pid == 0 {
		return nil
	}
	parents := map[int]int{}
	var found []process
	member := map[int]bool{}
	others := processes(func(pid int, st stat) bool {
		parents[pid] = st.parent
		member[pid] = st.group == s.parent.pid
		return true
	})
	for _, p := range others {
		for pid := p.pid; pid > 1; pid = parents[pid] {
			if member[pid] {
				found = append(found, p)
				break
			}
		}
	}
	return found
}

// Alive tells whether a process (one of Children, say) is still running.
func Alive(pid int) bool { return identify(pid).alive() }

// ResidentKB is the resident memory of a process.
func ResidentKB(pid int) (int, error) { return statusNumber(pid, "status", "VmRSS:") }

// ProportionalKB is the same, but of what processes share only the part that falls to this one: sums count everything once.
func ProportionalKB(pid int) (int, error) { return statusNumber(pid, "smaps_rollup", "Pss:") }

// Threads is the number of threads of a process.
func Threads(pid int) (int, error) { return statusNumber(pid, "status", "Threads:") }

func statusNumber(pid int, file, key string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, key)
}

// OpenFiles is the number of open descriptors of a process.
func OpenFiles(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}
