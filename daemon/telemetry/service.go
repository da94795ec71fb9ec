package telemetry

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/telemetry/datagram"
	"modwsgi/interp"
)

// An identity says which process reports.
type identity struct {
	module, python, apache, mpm string // versions; the name
	group                       string // "" is embedded mode
	parent                      uint64 // process id of Apache's parent
}

// identify takes it from the facts of a configuration.
func identify(facts map[string]string, group string) identity {
	parent, _ := strconv.ParseUint(facts["parent_pid"], 10, 64)
	return identity{module: facts["module_version"], python: facts["python_version"], apache: "Apache/" + facts["apache_version"],
		mpm: facts["mpm"], group: group, parent: parent}
}

// A service sends what happens to a collector. Whether somebody listens makes no difference: nothing waits, and nothing is sent again.
type service struct {
	identity identity
	interval time.Duration
	slow     time.Duration // 0: slow requests are not reported
	agents   bool          // they have the client's User-Agent
	began    time.Time
	hostname string
	socket   int
	address  unix.SockaddrUnix
	warn     func(string)

	over *recent // slow requests that are over

	mu             sync.Mutex // guards what follows, and the order of datagrams
	sequence       uint32
	switchInterval float64
	warned         bool   // of a collector that can't be reached
	reason         string // of the end
	stopping       bool
	stopped        bool
}

// newService opens the socket. The error says why the collector can never be reached.
func newService(target string) (*service, error) {
	const sendBuffer = 64 << 10
	address := unix.SockaddrUnix{Name: target}
	if longest := len(unix.RawSockaddrUnix{}.Path) - 1; len(target) > longest {
		return nil, fmt.Errorf("the path of the socket is longer than %d bytes", longest)
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("create a socket: %w", err)
	}
	_ = unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // the system's will do
	hostname, _ := os.Hostname()                                                // left out then
	return &service{socket: socket, address: address, hostname: hostname, began: time.Now()}, nil
}

// run never ends.
func (s *service) run() {
	const patience = 2 * time.Second // with an interpreter lock, which may be stuck
	known := make(chan float64, 1)
	go func() { known <- interp.SwitchInterval() }()
	select {
	case interval := <-known:
		s.mu.Lock()
		s.switchInterval = interval
		s.mu.Unlock()
	case <-time.After(patience):
	}
	s.sendStarted()
	look := make(chan struct{})
	go s.watchCollectors(look)
	for range time.Tick(s.interval) {
		select {
		case look <- struct{}{}:
		default: // it waits for a lock
		}
		s.report()
	}
}

// report sends what an interval has brought.
func (s *service) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.sendSample()
	s.sendSlowRequests()
}

// send never waits. The mutex is held.
func (s *service) send(kind datagram.Kind, fill func(*datagram.Record)) {
	s.sendAt(kind, time.Now(), fill)
}

func (s *service) sendAt(kind datagram.Kind, at time.Time, fill func(*datagram.Record)) {
	r := datagram.New(kind, os.Getpid(), s.sequence, epoch(at))
	s.sequence++
	fill(r)
	err := unix.Sendto(s.socket, r.Bytes(), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &s.address)
	if reason := unreachable[err]; reason != "" && !s.warned {
		s.warned = true
		s.warn(fmt.Sprintf("WSGI0132: telemetry does not reach its collector: %s; nothing is sent until that changes (WSGITelemetryService unix:%s)", reason, s.address.Name))
	}
}

// unreachable are failures that only the administrator can end. A collector that is not there may come, a full one may catch up.
var unreachable = map[error]string{
	unix.EACCES:     "this process's user may not write to the socket or pass through a folder above it",
	unix.EPROTOTYPE: "it is not a datagram socket",
	unix.ENOTDIR:    "a folder in the path of the socket is none",
	unix.ELOOP:      "the path of the socket has a circle of symbolic links",
}

// epoch is a moment in seconds.
func epoch(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func (s *service) sendStarted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.sendAt(datagram.ProcessStarted, s.began, func(r *datagram.Record) {
		s.addIdentity(r)
		s.addSwitchInterval(r)
	})
}

// stop says that the process is to end, and why.
func (s *service) stop(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping, s.reason = true, reason
	active := len(interp.RunningRequests())
	s.send(datagram.ProcessStopping, func(r *datagram.Record) {
		r.Text(datagram.Reason, longestName, reason)
		r.Unsigned(datagram.ActiveRequestsAtDecision, uint64(active))
	})
}

// end sends the last sample and says that the process ends, once.
func (s *service) end(drained bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	lifetime := s.sendSample()
	s.sendSlowRequests()
	active := len(interp.RunningRequests())
	s.send(datagram.ProcessStopped, func(r *datagram.Record) {
		r.Text(datagram.Reason, longestName, s.reason)
		r.Double(datagram.ProcessUptime, time.Since(s.began).Seconds())
		r.Unsigned(datagram.LifetimeRequestCount, lifetime)
		r.Unsigned(datagram.ActiveRequestsAtExit, uint64(active))
		r.Unsigned(datagram.GracefulDrain, truth(drained))
	})
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
