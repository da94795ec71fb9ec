package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/directives"
)

const (
	// backlog of a listening socket. Connections are kept and used again, so that there are few at a time; the kernel lowers it to its limit.
	backlog = 4096
	// longestPath is what fits into sun_path, 108 bytes, with its final NUL.
	longestPath = 107
)

// socketOptions are what the sockets of a group have in common.
type socketOptions struct {
	owner                     int // -1: whoever runs the supervisor
	sendBuffer, receiveBuffer int // 0: the system's
}

// A socket is where a process listens. The supervisor closes its copy of the descriptor as soon as the process has its own, so that a dead
// process refuses connections.
type socket struct {
	fd   int
	path string
	file unix.Stat_t // tells our file from one that another generation put in its place
}

// listen makes a socket. Only its owner, and root, may connect.
func listen(path string, o socketOptions, log *errorlog.Log) (*socket, error) {
	if len(path) > longestPath {
		return nil, &fault{codeLongPath, "listen on " + path, fmt.Errorf("the path has %d bytes, %d are possible: set WSGISocketPrefix", len(path), longestPath)}
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, &fault{codeNoSocket, "create a socket", err}
	}
	s := &socket{fd: fd, path: path}
	if err := s.prepare(o, log); err != nil {
		s.close()
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *socket) prepare(o socketOptions, log *errorlog.Log) error {
	s.setBuffer(unix.SO_SNDBUF, o.sendBuffer, codeSendBuffer, "send", log)
	s.setBuffer(unix.SO_RCVBUF, o.receiveBuffer, codeReceiveBuffer, "receive", log)
	// The file gets the mode of the descriptor (unix(7) leaves it open, Linux does): at no time can others connect.
	if err := unix.Fchmod(s.fd, 0o600); err != nil {
		return &fault{codeNoBind, "set the mode of " + s.path, err}
	}
	if err := s.bind(log); err != nil {
		return &fault{codeNoBind, "bind " + s.path, err}
	}
	if err := unix.Lstat(s.path, &s.file); err != nil {
		return &fault{codeNoBind, "look at " + s.path, err}
	}
	if err := unix.Listen(s.fd, backlog); err != nil {
		return &fault{codeNoListen, "listen on " + s.path, err}
	}
	if o.owner >= 0 {
		if err := os.Lchown(s.path, o.owner, -1); err != nil {
			return &fault{codeNoOwner, "change the owner of " + s.path, err}
		}
	}
	return nil
}

func (s *socket) setBuffer(option, size, code int, name string, log *errorlog.Log) {
	if size == 0 {
		return
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, option, size); err != nil {
		log.Printf(errorlog.Warning, code, "cannot give %s a %s buffer of %d bytes: %v", s.path, name, size, err)
	}
}

// bind replaces a file that an earlier server left behind. The name carries the pid of the parent and the serial of the process, so that
// no living process can own it.
func (s *socket) bind(log *errorlog.Log) error {
	address := &unix.SockaddrUnix{Name: s.path}
	err := unix.Bind(s.fd, address)
	if !errors.Is(err, unix.EADDRINUSE) {
		return err
	}
	log.Printf(errorlog.Warning, codeStaleSocket, "%s is there already, from a server that did not remove it; it is replaced", s.path)
	if err := unix.Unlink(s.path); err != nil {
		return err
	}
	return unix.Bind(s.fd, address)
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// remove takes the name away, if it is still that of this socket.
func (s *socket) remove() {
	var now unix.Stat_t
	if s.file.Ino != 0 && unix.Lstat(s.path, &now) == nil && now.Ino == s.file.Ino && now.Dev == s.file.Dev {
		_ = unix.Unlink(s.path)
	}
}

// removeLeft removes what a supervisor of the same configuration left that was killed: the names of its processes' sockets, up to its last
// serial. Those processes end by themselves, and nobody connects to them any more.
func removeLeft(base string, last uint32) {
	entries, _ := os.ReadDir(filepath.Dir(base)) // what can't be read can't be removed
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), filepath.Base(base)+".")
		number, isSocket := strings.CutSuffix(rest, ".sock")
		serial, err := strconv.ParseUint(number, 10, 32)
		if ok && isSocket && err == nil && uint32(serial) <= last && entry.Type()&fs.ModeSocket != 0 {
			_ = os.Remove(daemon.SocketPath(base, uint32(serial)))
		}
	}
}

// socketOwner is the number of the user that Apache's children run as, who is to own the sockets: -1 if the supervisor can't give files away.
func socketOwner(g *directives.DaemonGroup, facts map[string]string) (int, error) {
	if facts["euid"] != "0" {
		return -1, nil
	}
	name := string(g.SocketUser)
	if name == "" {
		name = "#" + facts["uid"]
	}
	text, isNumber := strings.CutPrefix(name, "#")
	if !isNumber {
		u, err := user.Lookup(name)
		if err != nil {
			return 0, err
		}
		text = u.Uid
	}
	uid, err := strconv.Atoi(text)
	if err != nil || uid < 0 {
		return 0, fmt.Errorf("'%s' is no user", name)
	}
	return uid, nil
}
