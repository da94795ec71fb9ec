package admin

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Find returns the paths of the control sockets of this machine's supervisors, as far as this user may see them: root all, others their own.
// It looks into /proc (proc(5)): what a supervisor listens on is there, wherever WSGISocketPrefix has put it.
func Find() ([]string, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, process := range processes {
		if !supervises(process) {
			continue
		}
		sockets, err := listening(process)
		if err != nil {
			return nil, err
		}
		for _, inode := range openSockets(process) {
			if path, ok := sockets[inode]; ok {
				found = append(found, path)
			}
		}
	}
	return found, nil
}

// supervises tells whether the command line is a supervisor's.
func supervises(process string) bool {
	line, err := os.ReadFile(process + "/cmdline")
	words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	return err == nil && len(words) == 2 && filepath.Base(words[0]) == "mod_wsgi-daemon" && words[1] == "supervise"
}

// openSockets are the inodes of a process's sockets: none if it may not be looked at or has ended.
func openSockets(process string) (inodes []uint64) {
	entries, _ := os.ReadDir(process + "/fd")
	for _, e := range entries {
		target, _ := os.Readlink(process + "/fd/" + e.Name())
		text, isSocket := strings.CutPrefix(target, "socket:[")
		if inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64); isSocket && err == nil {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// listening are the control sockets that processes in the same network namespace listen on, by inode.
func listening(process string) (map[uint64]string, error) {
	table, err := os.ReadFile(process + "/net/unix")
	if os.IsNotExist(err) {
		return nil, nil // it has ended
	}
	if err != nil {
		return nil, fmt.Errorf("look for control sockets: %w", err)
	}
	sockets := map[uint64]string{}
	for _, found := range controlSocket.FindAllSubmatch(table, -1) {
		if number, err := strconv.ParseUint(string(found[1]), 10, 64); err == nil {
			sockets[number] = string(found[2])
		}
	}
	return sockets, nil
}

// controlSocket matches a line of /proc/net/unix: a socket that accepts connections (its flags are __SO_ACCEPTCON), its inode, its path.
var controlSocket = regexp.MustCompile(`(?m)^\S+ +\S+ +\S+ +00010000 +\S+ +\S+ +(\d+) (.*\.control)$`)
