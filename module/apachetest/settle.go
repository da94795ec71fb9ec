package apachetest

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const settleDeadline = 2 * time.Second

// settle waits until the server does nothing: no connection is open and every thread of its children sleeps, twice in a row.
//
// It is needed before SIGTERM because Apache's threaded MPMs themselves have a race there: the main thread closes the sockets of
// threads that may just be releasing them, and about one child in sixty that has answered within the last millisecond dies
// of a segmentation fault (seen with Apache 2.4.71, event, and no WSGI module loaded at all). A test of ours must not
// fail of that; a server that stays busy is stopped all the same.
func (s *Server) settle() {
	calm := 0
	_ = poll(settleDeadline, func() (bool, error) {
		calm++
		if !s.childrenSleep() || calm >= 2 && s.connections() > 0 {
			calm = 0
		}
		return calm >= 2, nil
	})
}

// connections counts the sockets on the server's port that are neither listening nor long closed (TIME_WAIT).
func (s *Server) connections() int {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0
	}
	const listening, timeWait = "0A", "06"
	local := fmt.Sprintf("0100007F:%04X", s.Port)
	count := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 3 && f[1] == local && f[3] != listening && f[3] != timeWait {
			count++
		}
	}
	return count
}

func (s *Server) childrenSleep() bool {
	pids := s.Children()
	if s.config.Mode == Single {
		pids = []int{s.parent.pid}
	}
	for _, pid := range pids {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, task := range tasks {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
			if err != nil {
				continue // it has ended
			}
			rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
			if state := strings.Fields(rest)[0]; state != "S" && state != "Z" {
				return false
			}
		}
	}
	return true
}

// Settle does what Stop does before SIGTERM, for a process that a test started itself.
func (s *Server) Settle(pid int) {
	single := &Server{Port: s.Port, parent: identify(pid)}
	single.config.Mode = Single
	single.settle()
}
