package server

import (
	"encoding/json"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/interp"
)

// receive reads one message, and the file that came with it, if one did. It does not wait.
func receive(fd int) (packet []byte, with *os.File, err error) {
	packet, control := make([]byte, daemon.MaxMessage), make([]byte, unix.CmsgSpace(4))
	n, nControl, _, _, err := unix.Recvmsg(fd, packet, control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	messages, _ := unix.ParseSocketControlMessage(control[:nControl]) // the kernel made it
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil && len(fds) > 0 {
			with = os.NewFile(uintptr(fds[0]), "answer")
		}
	}
	return packet[:n], with, nil
}

// answer writes what the supervisor wants to know. It does not wait: an interpreter may be stuck, and who asked may have gone.
func (p *process) answer(kind daemon.OrderKind, to *os.File) {
	fd := int(to.Fd())
	own(fd)
	go func() {
		defer to.Close()
		defer disown(fd)
		switch kind {
		case daemon.Report:
			_ = json.NewEncoder(to).Encode(p.report()) // who asked does not listen any more
		case daemon.Stacks:
			_ = json.NewEncoder(to).Encode(stacksOnce())
		}
	}()
}

// lookingAtStacks keeps those who ask while an interpreter is stuck from using up threads.
var lookingAtStacks atomic.Bool

func stacksOnce() daemon.StacksReport {
	if !lookingAtStacks.CompareAndSwap(false, true) {
		return daemon.StacksReport{Error: "somebody else waits for them"}
	}
	defer lookingAtStacks.Store(false)
	return daemon.StacksReport{Text: interp.Stacks()}
}

func (p *process) report() daemon.ProcessReport {
	r := daemon.ProcessReport{Memory: uint64(p.memory.resident())}
	if !p.isServing() {
		return r
	}
	r.Requests = requestsStarted()
	for i := range p.group.Threads {
		r.Threads = append(r.Threads, reportThread(i))
	}
	return r
}
