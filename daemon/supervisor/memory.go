package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"modwsgi/daemon/fate"
)

// A memoryWatch finds out whether the kernel has killed a process since it was out of memory. The kernel tells who was killed only in its own
// log, which is not for everybody; but it counts, for each cgroup and for the whole system.
type memoryWatch struct {
	root   string // of the file system, for tests
	cgroup string // the folder with the counter; "": there is none
	mount  string // of the hierarchy that it is in
	kills  int64  // of processes of the cgroup when the process was started
	system int64  // of all processes
}

// watchMemory notes the counters for a process that has just been started.
func watchMemory(root string, pid int) *memoryWatch {
	w := &memoryWatch{root: root}
	w.cgroup, w.mount = w.find(pid)
	w.kills, w.system = w.killsInCgroup(), w.killsInSystem()
	return w
}

// judge says whether memory may be why the process was killed by SIGKILL, and the limit of its cgroup, 0 if there is none.
func (w *memoryWatch) judge() (means fate.Means, limit int64) {
	switch {
	case w.cgroup != "" && w.killsInCgroup() > w.kills:
		return fate.CgroupMemory, w.limit()
	case w.killsInSystem() > w.system:
		return fate.SystemMemory, 0
	}
	return fate.ByItself, 0
}

// find looks for the folder of the process's cgroup that has counters of memory: cgroups(7), proc_pid_mountinfo(5). Version 1 has a hierarchy for
// memory; in version 2, there is one for everything.
func (w *memoryWatch) find(pid int) (folder, mount string) {
	for line := range w.lines(fmt.Sprintf("proc/%d/cgroup", pid)) {
		fields := strings.SplitN(line, ":", 3)
		switch {
		case len(fields) != 3:
		case hasWord(fields[1], "memory"):
			return w.mounted("cgroup", "memory", fields[2])
		case fields[1] == "":
			folder, mount = w.mounted("cgroup2", "", fields[2])
		}
	}
	return folder, mount
}

// mounted is where a cgroup can be seen. Containers see a part of the hierarchy.
func (w *memoryWatch) mounted(kind, option, cgroup string) (folder, mount string) {
	for line := range w.lines("proc/self/mountinfo") {
		fields, rest, _ := strings.Cut(line, " - ")
		about, super := strings.Fields(fields), strings.Fields(rest)
		if len(about) < 5 || len(super) < 3 || super[0] != kind || option != "" && !hasWord(super[2], option) {
			continue
		}
		below := cgroup
		if root := about[3]; root != "/" {
			below = strings.TrimPrefix(cgroup, root)
		}
		return filepath.Join(w.root, about[4], below), filepath.Join(w.root, about[4])
	}
	return "", ""
}

// killsInCgroup is the counter of a version, whichever is there.
func (w *memoryWatch) killsInCgroup() int64 {
	if w.cgroup == "" {
		return 0
	}
	return max(w.counter(filepath.Join(w.cgroup, "memory.events"), "oom_kill"), w.counter(filepath.Join(w.cgroup, "memory.oom_control"), "oom_kill"))
}

func (w *memoryWatch) killsInSystem() int64 {
	return w.counter(filepath.Join(w.root, "proc/vmstat"), "oom_kill")
}

// limit is the smallest of the cgroup and of those that it is in.
func (w *memoryWatch) limit() int64 {
	const unlimited = 1 << 62 // version 1 says so with a number of that size
	smallest := int64(unlimited)
	for folder := w.cgroup; ; folder = filepath.Dir(folder) {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			text, _ := os.ReadFile(filepath.Join(folder, name))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				smallest = min(smallest, n)
			}
		}
		if folder == w.mount || len(folder) <= len(w.mount) {
			break
		}
	}
	if smallest == unlimited {
		return 0
	}
	return smallest
}

// counter reads a file of names and numbers; what is not there counts 0.
func (w *memoryWatch) counter(path, name string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
		}
	}
	return 0
}

func (w *memoryWatch) lines(path string) func(yield func(string) bool) {
	text, _ := os.ReadFile(filepath.Join(w.root, path))
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(text)) {
			if !yield(strings.TrimRight(line, "\n")) {
				return
			}
		}
	}
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}
