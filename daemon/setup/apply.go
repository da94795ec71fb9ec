package setup

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Apply does what was planned, in the classic module's order. After a Failure the process must end; Warnings are for the log.
func (p *Plan) Apply() (warnings []*Warning, failure *Failure) {
	if p.Priority != 0 {
		if err := setPriority(p.Priority); err != nil {
			warnings = append(warnings, &Warning{75, fmt.Sprintf("set the priority %d (cpu-priority)", p.Priority), err.Error()})
		}
	}
	for _, step := range []func() *Failure{p.changeRoot, p.changeIdentity, refuseRoot, p.changeDirectory} {
		if failure := step(); failure != nil {
			return warnings, failure
		}
	}
	if p.Dumpable {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			warnings = append(warnings, &Warning{Code: 61, Op: "allow core dumps (CoreDumpDirectory)", Reason: err.Error()})
		}
	}
	if p.Umask >= 0 {
		syscall.Umask(p.Umask)
	}
	for _, l := range p.Limits {
		if err := l.set(); err != nil {
			warnings = append(warnings, &Warning{l.Code, fmt.Sprintf("set the limit %d (%s)", l.Soft, l.Option), err.Error()})
		}
	}
	for _, v := range p.Environment {
		if err := os.Setenv(v.Name, v.Value); err != nil {
			warnings = append(warnings, &Warning{79, "set the variable " + v.Name, err.Error()})
		}
	}
	return warnings, nil
}

func (p *Plan) changeRoot() *Failure {
	if p.Chroot == "" {
		return nil
	}
	err := syscall.Chroot(p.Chroot)
	if err == nil {
		err = os.Chdir("/")
	}
	if err != nil {
		return &Failure{3, "change the root directory to " + p.Chroot, err.Error()}
	}
	return nil
}

// changeIdentity uses package syscall, which changes all threads of the process.
func (p *Plan) changeIdentity() *Failure {
	id := p.Identity
	if id == nil {
		return nil
	}
	if err := syscall.Setgid(id.GID); err != nil {
		return &Failure{4, fmt.Sprintf("set the group %d", id.GID), err.Error()}
	}
	if err := syscall.Setgroups(id.Groups); err != nil {
		code := 5
		if id.asUser {
			code = 6
		}
		return &Failure{code, fmt.Sprintf("set the supplementary groups %v", id.Groups), err.Error()}
	}
	if err := syscall.Setuid(id.UID); err != nil {
		return &Failure{7, fmt.Sprintf("set the user %d", id.UID), err.Error()}
	}
	return id.verify()
}

// verify asks whether the system did what it said.
func (id *Identity) verify() *Failure {
	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	if ruid != id.UID || euid != id.UID || suid != id.UID || rgid != id.GID || egid != id.GID || sgid != id.GID {
		return &Failure{8, fmt.Sprintf("become uid %d, gid %d", id.UID, id.GID),
			fmt.Sprintf("afterwards the ids are uid %d, %d, %d and gid %d, %d, %d", ruid, euid, suid, rgid, egid, sgid)}
	}
	return nil
}

// refuseRoot is asked last: whatever the plan was, no Python runs as root.
func refuseRoot() *Failure {
	ruid, euid, suid := unix.Getresuid()
	if ruid == 0 || euid == 0 || suid == 0 {
		return &Failure{8, "run a daemon process as root", "set User, or user= of WSGIDaemonProcess"}
	}
	return nil
}

func (p *Plan) changeDirectory() *Failure {
	d := p.Directory
	if d.Path == "" {
		return nil
	}
	if err := os.Chdir(d.Path); err != nil {
		reason := err.Error()
		if errors.Is(err, os.ErrPermission) {
			reason += fmt.Sprintf(" for uid %d, gid %d", os.Geteuid(), os.Getegid())
		}
		return &Failure{d.Code, "change to the working directory " + d.Path, reason}
	}
	return nil
}

// setPriority sets that of every thread there is; later ones inherit it. Linux keeps it by thread.
func setPriority(priority int) error {
	done := map[int]bool{}
	for again := true; again; {
		again = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || done[tid] {
				continue
			}
			done[tid], again = true, true
			if err := unix.Setpriority(unix.PRIO_PROCESS, tid, priority); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

func (l Limit) set() error {
	if l.OnTop {
		used, err := usedNow(l.Resource)
		if err != nil {
			return err
		}
		l.Soft, l.Hard = l.Soft+used, l.Hard+used
	}
	return syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
}

// usedNow is how much of a resource the process uses, in bytes (proc(5), /proc/pid/status).
func usedNow(resource int) (uint64, error) {
	name := "VmSize:"
	if resource == unix.RLIMIT_DATA {
		name = "VmData:"
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
			kilobytes, err := strconv.ParseUint(fields[1], 10, 54)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", name)
}
