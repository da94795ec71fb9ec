package servetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/directives"
)

// A Process is a daemon process under test.
type Process struct {
	Socket string // path
	Board  *daemon.Board
	PID    int

	control *os.File
	ended   chan struct{}
	state   *os.ProcessState
	notices chan daemon.Notice
	loads   chan daemon.Notice // of what it loads
	preload *daemon.Preload
	reply   atomic.Pointer[daemon.Order] // to its questions; nil: it is alone
	log     lockedBuffer
}

const serial = 7

// A lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A Line is a directive of the configuration.
type Line struct{ Directive, Arguments string }

// Start starts a process of the first group of the configuration. As root it becomes the user nobody, unless the facts say otherwise.
func Start(program, dir string, facts map[string]string, lines ...Line) (*Process, error) {
	return StartSuccessor(program, dir, facts, nil, lines...)
}

// StartSuccessor starts one that loads something before it is ready.
func StartSuccessor(program, dir string, facts map[string]string, preload *daemon.Preload, lines ...Line) (*Process, error) {
	recording := record(facts, lines)
	config, err := directives.Compile(recording)
	if err != nil {
		return nil, err
	}
	p := &Process{Socket: filepath.Join(dir, "socket"), ended: make(chan struct{}), notices: make(chan daemon.Notice, 16), loads: make(chan daemon.Notice, 256), preload: preload}
	recorded, err := memoryFile("recording", recording.Encode())
	if err != nil {
		return nil, err
	}
	defer recorded.Close()
	board, err := p.makeBoard(config)
	if err != nil {
		return nil, err
	}
	defer board.Close()
	listener, err := listen(p.Socket)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return p, p.execute(program, board, listener, recorded)
}

func record(facts map[string]string, lines []Line) *directives.Recording {
	all := map[string]string{"euid": fmt.Sprint(os.Geteuid()), "uid": "65534", "gid": "65534", "server.0.log_level": "7", "timeout": "5",
		"apache_version": "2.4.62", "module_version": "6.0.5", "server_root": "/etc/apache2", "threaded": "1"}
	if os.Geteuid() != 0 {
		all["uid"], all["gid"] = fmt.Sprint(os.Geteuid()), fmt.Sprint(os.Getegid())
	}
	maps.Copy(all, facts)
	r := &directives.Recording{Facts: all, Servers: []directives.Server{{Name: "localhost", Port: 80}}}
	for i, l := range lines {
		r.Records = append(r.Records, directives.Record{Directive: directives.Find(l.Directive), Args: l.Arguments, File: "httpd.conf", Line: i + 1})
	}
	return r
}

func memoryFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	_, err = file.Write(content)
	return file, err
}

func (p *Process) makeBoard(config *directives.Config) (*os.File, error) {
	file, err := memoryFile("board", nil)
	if err != nil {
		return nil, err
	}
	p.Board, err = daemon.FormatBoard(int(file.Fd()), daemon.Slots(config.Process.Groups))
	if err == nil {
		p.Board.SetSlot(0, daemon.SlotWord{Serial: serial, State: daemon.SlotStarting}, 0, 0)
	}
	return file, err
}

func listen(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Listen(fd, 64)
	}
	return os.NewFile(uintptr(fd), path), err
}

func (p *Process) execute(program string, board, listener, recorded *os.File) error {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		return err
	}
	p.control = os.NewFile(uintptr(ends[0]), "control")
	theirs := os.NewFile(uintptr(ends[1]), "control")
	defer theirs.Close()
	command := exec.Command(program)
	command.Args = []string{"(wsgi:test)"}
	command.Env = append(os.Environ(), daemon.StartVariable+"=serve")
	command.Stderr = &p.log
	command.ExtraFiles = []*os.File{theirs, board, listener, recorded}
	if err := command.Start(); err != nil {
		return err
	}
	p.PID = command.Process.Pid
	go func() {
		_ = command.Wait()
		p.state = command.ProcessState
		close(p.ended)
	}()
	go p.readNotices()
	return p.send(daemon.Assignment{Group: 0, Slot: 0, Serial: serial, Preload: p.preload})
}

func (p *Process) send(message any) error {
	packet, err := daemon.EncodeMessage(message)
	if err == nil {
		_, err = p.control.Write(packet)
	}
	return err
}

// readNotices closes the channels when nothing more comes.
func (p *Process) readNotices() {
	defer close(p.notices)
	defer close(p.loads)
	packet := make([]byte, daemon.MaxMessage)
	for {
		n, err := p.control.Read(packet)
		if err != nil {
			return
		}
		notice, err := daemon.DecodeMessage[daemon.Notice](packet[:n])
		switch {
		case err != nil:
		case notice.Kind == daemon.Question:
			reply := daemon.Order{}
			if known := p.reply.Load(); known != nil {
				reply = *known
			}
			reply.Kind, reply.Number = daemon.Reply, notice.Number
			_ = p.send(reply)
		case notice.Kind == daemon.Loading || notice.Kind == daemon.Loaded:
			p.loads <- notice
		case notice.Kind == daemon.Due && notice.Reason == "shutdown_signal": // after a signal: as if a successor were ready at once
			_ = p.Order(daemon.Retire, notice.Reason)
		default:
			p.notices <- notice
		}
	}
}

// Siblings says what the process learns of other processes when it asks.
func (p *Process) Siblings(have, same, bad bool) {
	p.reply.Store(&daemon.Order{Have: have, Same: same, Bad: bad})
}

// Next waits for the next notice that is not about loading.
func (p *Process) Next() (daemon.Notice, error) { return p.next(p.notices) }

// NextLoad waits for the next notice that is.
func (p *Process) NextLoad() (daemon.Notice, error) { return p.next(p.loads) }

func (p *Process) next(from chan daemon.Notice) (daemon.Notice, error) {
	select {
	case n, ok := <-from:
		if !ok {
			return n, fmt.Errorf("no notice\n%s", p.log.String())
		}
		return n, nil
	case <-time.After(patience):
		return daemon.Notice{}, fmt.Errorf("no notice\n%s", p.log.String())
	}
}

// Keep orders the process to keep its code.
func (p *Process) Keep(culprit *daemon.Load, stillDue string, number uint32) error {
	return p.send(daemon.Order{Kind: daemon.Keep, Culprit: culprit, Reason: stillDue, Number: number})
}

// Order gives the process an order.
func (p *Process) Order(kind daemon.OrderKind, reason string) error {
	return p.send(daemon.Order{Kind: kind, Reason: reason})
}

// Signal sends it a signal.
func (p *Process) Signal(signal syscall.Signal) { _ = syscall.Kill(p.PID, signal) }

// Abandon closes the control socket, as the end of the supervisor would.
func (p *Process) Abandon() { p.control.Close() }

// Expect waits for the next notice, which must be that one.
func (p *Process) Expect(kind daemon.NoticeKind, reason string) error {
	select {
	case n, ok := <-p.notices:
		if ok && (n.Kind != kind || n.Reason != reason) {
			return fmt.Errorf("notice %+v instead of %s %q\n%s", n, kind, reason, p.log.String())
		}
		if ok {
			return nil
		}
		<-p.ended
		return fmt.Errorf("it ended (%v) before it said %s %q\n%s", p.state, kind, reason, p.log.String())
	case <-time.After(patience):
		return fmt.Errorf("no notice %s %q\n%s", kind, reason, p.log.String())
	}
}

const patience = 30 * time.Second

// ExpectEnd waits for the end of the process, which must have that status.
func (p *Process) ExpectEnd(status int) error {
	select {
	case <-p.ended:
		if got := p.state.ExitCode(); got != status {
			return fmt.Errorf("it ended with %v instead of status %d\n%s", p.state, status, p.log.String())
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("it did not end\n%s", p.log.String())
	}
}

// EndedBy is the signal that ended it, 0 if none did.
func (p *Process) EndedBy() syscall.Signal {
	<-p.ended
	if status, ok := p.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// ExpectLog waits for a text in the log.
func (p *Process) ExpectLog(text string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(p.log.String(), text) {
			return nil
		}
	}
	return fmt.Errorf("the log has no %q:\n%s", text, p.log.String())
}

// Log is what the process has written to its error log.
func (p *Process) Log() string { return p.log.String() }

// Kill ends it if a test has not.
func (p *Process) Kill() {
	_ = syscall.Kill(p.PID, syscall.SIGKILL)
	<-p.ended
	if err := p.control.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		panic(err)
	}
}
