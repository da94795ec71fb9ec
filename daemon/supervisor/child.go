package supervisor

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

// A child is a process that a launcher started.
type child struct {
	handle  *os.Process
	control *os.File // our end; non-blocking, so that Go waits for it
}

func (c *child) pid() int { return c.handle.Pid }

// order never waits: a process is sent a handful of orders in its life, and they fit into the socket. One that can't be reached gets a
// signal instead.
func (c *child) order(o daemon.Order) {
	message, err := daemon.EncodeMessage(o)
	if err == nil {
		_, err = c.control.Write(message)
	}
	if err != nil {
		_ = c.handle.Signal(unix.SIGTERM) // fails only if it has ended
	}
}

// ask does not wait either.
func (c *child) ask(kind daemon.OrderKind) (*os.File, error) {
	message, err := daemon.EncodeMessage(daemon.Order{Kind: kind})
	if err != nil {
		return nil, err
	}
	answer, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	raw, err := c.control.SyscallConn()
	if err == nil {
		err = raw.Write(func(fd uintptr) bool {
			_, err = unix.SendmsgN(int(fd), message, unix.UnixRights(int(end.Fd())), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			return true
		})
	}
	if err != nil {
		answer.Close()
		return nil, err
	}
	return answer, nil
}

func (c *child) kill() { _ = c.handle.Kill() } // fails only if it has ended

// watch reports what the process says, and its end after all of that.
func (c *child) watch(serial uint32, s *socket, report func(event)) {
	memory := watchMemory("/", c.pid())
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		c.read(serial, report)
	}()
	end := ending{}
	if state, err := c.handle.Wait(); err == nil {
		end.status = state.Sys().(syscall.WaitStatus)
		end.processor = state.UserTime() + state.SystemTime()
	}
	if end.killed() {
		end.means, end.limit = memory.judge()
	}
	s.remove()
	// A copy of the process may still hold the other end: no end of file then.
	_ = c.control.SetReadDeadline(time.Now())
	<-reading
	c.readRest(serial, report)
	c.control.Close()
	report(event{serial: serial, end: &end})
}

// read reports notices until nothing comes any more. What is no notice is ignored: processes run other people's code.
func (c *child) read(serial uint32, report func(event)) {
	packet := make([]byte, daemon.MaxMessage)
	for {
		n, err := c.control.Read(packet)
		if err != nil {
			return
		}
		reportNotice(serial, packet[:n], report)
	}
}

// mostRest bounds readRest: a copy of the process may still be writing.
const mostRest = 64

// readRest reports what was sent just before the end.
func (c *child) readRest(serial uint32, report func(event)) {
	_ = c.control.SetReadDeadline(time.Time{})
	raw, err := c.control.SyscallConn()
	if err != nil {
		return
	}
	packet := make([]byte, daemon.MaxMessage)
	_ = raw.Read(func(fd uintptr) bool {
		for range mostRest {
			n, err := unix.Read(int(fd), packet)
			if err != nil || n == 0 {
				break
			}
			reportNotice(serial, packet[:n], report)
		}
		return true
	})
}

func reportNotice(serial uint32, packet []byte, report func(event)) {
	if notice, err := daemon.DecodeMessage[daemon.Notice](packet); err == nil {
		report(event{serial: serial, notice: notice})
	}
}
