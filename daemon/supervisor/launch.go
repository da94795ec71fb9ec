package supervisor

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/directives"
)

// startValue is what daemon.StartVariable says.
const startValue = "serve"

// A launcher starts processes in earnest: this program again, with the descriptors that daemon/control.go lists and no other.
type launcher struct {
	program     string
	arguments   []string
	environment []string
	base        string // daemon.SocketBase; "": the processes take no requests
	socket      socketOptions
	log         *errorlog.Log

	null, board, recording, errors int
}

func commandLine(g *directives.DaemonGroup) []string {
	if g.DisplayName != "" {
		return []string{g.DisplayName}
	}
	return []string{"mod_wsgi-daemon", "serve", g.Name}
}

func (l *launcher) start(a daemon.Assignment, report func(event)) (process, error) {
	s := &socket{fd: l.null}
	if l.base != "" {
		made, err := listen(daemon.SocketPath(l.base, a.Serial), l.socket, l.log)
		if err != nil {
			return nil, err
		}
		s = made
		defer s.close()
	}
	p, err := l.spawn(a, s.fd)
	if err != nil {
		s.remove()
		return nil, &fault{codeNoProcess, "start a process", err}
	}
	go p.watch(a.Serial, s, report)
	return p, nil
}

// spawn executes the program and tells it who it is.
func (l *launcher) spawn(a daemon.Assignment, listener int) (*child, error) {
	message, err := daemon.EncodeAssignment(a)
	if err != nil {
		return nil, err
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("create a pair of sockets: %w", err)
	}
	defer unix.Close(ends[1])
	if err := unix.SetNonblock(ends[0], true); err != nil {
		unix.Close(ends[0])
		return nil, fmt.Errorf("set up a socket: %w", err)
	}
	control := os.NewFile(uintptr(ends[0]), "control")
	pid, err := syscall.ForkExec(byName(l.program), l.arguments, &syscall.ProcAttr{Env: l.environment,
		Files: descriptors(l.null, l.null, l.errors, ends[1], l.board, listener, l.recording)})
	if err != nil {
		control.Close()
		return nil, err
	}
	handle, err := os.FindProcess(pid) // our child, not reaped: it is this one
	if err != nil {
		control.Close()
		return nil, err
	}
	_, _ = control.Write(message) // a process that is gone already is reaped soon
	return &child{handle: handle, control: control}, nil
}

// byName is the name of the file behind a link of /proc, if that name still means it: tools show processes under the name that was executed.
func byName(link string) string {
	name, err := os.Readlink(link)
	if err != nil {
		return link
	}
	named, err := os.Stat(name)
	if err != nil {
		return link
	}
	if meant, err := os.Stat(link); err != nil || !os.SameFile(named, meant) {
		return link
	}
	return name
}

// descriptors are the files of a process, by number.
func descriptors(list ...int) []uintptr {
	files := make([]uintptr, len(list))
	for i, fd := range list {
		files[i] = uintptr(fd)
	}
	return files
}
