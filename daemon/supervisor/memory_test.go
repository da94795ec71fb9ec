package supervisor

import (
	"os"
	"path/filepath"
	"testing"

	"modwsgi/daemon/fate"
)

// files makes a tree that looks like /proc and /sys.
func files(t *testing.T, root string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	mountsOfVersion2 = "22 1 0:20 / /proc rw - proc proc rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
	mountsOfVersion1 = "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
		"33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	mountsOfContainer = "32 30 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)

func TestTheKernelsCountersTellWhoWasKilledForMemory(t *testing.T) {
	const v1, v2 = "sys/fs/cgroup/memory/", "sys/fs/cgroup/"
	for name, c := range map[string]struct {
		before, after map[string]string
		means         fate.Means
		limit         int64
	}{
		"version 2": {
			before: map[string]string{"proc/7/cgroup": "0::/system.slice/apache2.service\n", "proc/self/mountinfo": mountsOfVersion2,
				v2 + "system.slice/apache2.service/memory.events": "low 0\nmax 3\noom 1\noom_kill 1\n", v2 + "system.slice/apache2.service/memory.max": "max\n",
				v2 + "system.slice/memory.max": "500000\n", "proc/vmstat": "oom_kill 4\n"},
			after: map[string]string{v2 + "system.slice/apache2.service/memory.events": "low 0\nmax 9\noom 2\noom_kill 2\n", "proc/vmstat": "oom_kill 5\n"},
			means: fate.CgroupMemory, limit: 500000},
		"version 1": {
			before: map[string]string{"proc/7/cgroup": "5:cpu:/\n4:memory:/web\n0::/\n", "proc/self/mountinfo": mountsOfVersion1,
				v1 + "web/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", v1 + "web/memory.limit_in_bytes": "104857600\n",
				v1 + "memory.limit_in_bytes": "9223372036854771712\n"},
			after: map[string]string{v1 + "web/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"},
			means: fate.CgroupMemory, limit: 104857600},
		"a container, which sees its own part": {
			before: map[string]string{"proc/7/cgroup": "4:memory:/docker/abc\n", "proc/self/mountinfo": mountsOfContainer,
				v1 + "memory.oom_control": "oom_kill 8\n", v1 + "memory.limit_in_bytes": "9223372036854771712\n"},
			after: map[string]string{v1 + "memory.oom_control": "oom_kill 9\n"},
			means: fate.CgroupMemory},
		"the whole system": {
			before: map[string]string{"proc/7/cgroup": "0::/\n", "proc/self/mountinfo": mountsOfVersion2, "proc/vmstat": "pgfault 9\noom_kill 1\n"},
			after:  map[string]string{"proc/vmstat": "pgfault 10\noom_kill 2\n"},
			means:  fate.SystemMemory},
		"nothing of the kind": {
			before: map[string]string{"proc/7/cgroup": "0::/a\n", "proc/self/mountinfo": mountsOfVersion2, v2 + "a/memory.events": "oom_kill 3\n", "proc/vmstat": "oom_kill 3\n"}},
		"a system that tells nothing": {},
		"what is no number":           {before: map[string]string{"proc/7/cgroup": "::\nx\n0:", "proc/self/mountinfo": "1 - \n - cgroup2\n", "proc/vmstat": "oom_kill many\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			files(t, root, c.before)
			watch := watchMemory(root, 7)
			if means, _ := watch.judge(); means != fate.ByItself {
				t.Errorf("means %d before anything has happened", means)
			}
			files(t, root, c.after)
			if means, limit := watch.judge(); means != c.means || limit != c.limit {
				t.Errorf("means %d, limit %d; want %d, %d", means, limit, c.means, c.limit)
			}
		})
	}
}
