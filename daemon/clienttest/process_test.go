package clienttest

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modwsgi/daemon"
)

// A test may run other children of Apache's: this program again.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		runChild()
	}
	os.Exit(m.Run())
}

// process plays a daemon process on a slot of a group.
type process struct {
	t           *testing.T
	group       *Group
	slot        int
	serial      uint32
	threads     int
	listener    *net.UnixListener
	connections atomic.Int32
	received    atomic.Int64 // requests, and permits given back for them
	returned    atomic.Int64
	mu          sync.Mutex
	dead        bool
	open        []net.Conn
}

const groupSlots = 4

// answerer deals with one request on its connection; false closes it.
type answerer func(c *peer, r *daemon.Request) bool

func newGroup(t testing.TB, l Limits) *Group {
	t.Helper()
	if l.Connect == 0 {
		l.Connect = time.Second
	}
	if l.ResponseBuffer == 0 {
		l.ResponseBuffer = 8 << 20
	}
	if l.HeaderBuffer == 0 {
		l.HeaderBuffer = 32768
	}
	if l.Backlog == 0 {
		l.Backlog = 100
	}
	if l.Processes == 0 {
		l.Processes = 1
	}
	g, err := NewGroup(filepath.Join(t.TempDir(), "s"), groupSlots, l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func start(t *testing.T, g *Group, slot int, serial uint32, threads int, answer answerer) *process {
	t.Helper()
	path := fmt.Sprintf("%s.%d.sock", g.Socket, serial)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, group: g, slot: slot, serial: serial, threads: threads, listener: listener}
	t.Cleanup(func() { listener.Close() })
	go p.serve(answer)
	g.Board.SetFate(slot, daemon.Fate{Serial: serial, PID: 1}) // as if it were known what will become of it: else a lost request waits for that
	g.Board.SetSlot(slot, daemon.SlotWord{Serial: serial, State: daemon.SlotReady, Permits: uint16(threads)}, 1, threads)
	g.Board.Wake(0)
	return p
}

func (p *process) serve(answer answerer) {
	for {
		connection, err := p.listener.AcceptUnix()
		if err != nil {
			return
		}
		p.connections.Add(1)
		if !p.keep(connection) {
			connection.Close()
			return
		}
		go func() {
			defer connection.Close()
			c := &peer{UnixConn: connection}
			if h, payload, err := c.frame(); err != nil || h.Type != daemon.ClientHello || daemon.ParseHello(payload) != nil {
				return
			}
			c.send(daemon.AppendHello(nil, daemon.ServerHello))
			for {
				_, payload, err := c.frame()
				if err != nil {
					return
				}
				r, err := daemon.ParseRequest(payload)
				if err != nil {
					p.t.Errorf("the client's request: %v", err)
					return
				}
				p.received.Add(1)
				good := answer(c, r)
				p.returned.Add(1)
				p.group.GiveBack(p.slot, p.serial, p.threads)
				if !good {
					return
				}
				c.send(c.last)
				c.last = nil
			}
		}()
	}
}

func (p *process) keep(connection net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, connection)
	return !p.dead
}

// kill ends the process as SIGKILL does, and empties its slot as the supervisor does.
func (p *process) kill() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	for _, connection := range p.open {
		connection.Close()
	}
	p.group.Board.SetSlot(p.slot, daemon.SlotWord{Serial: p.serial}, 0, 0)
}

// peer is a process's end of a connection.
type peer struct {
	*net.UnixConn
	last []byte // sent when the permit is back: the end of an answer
}

func (c *peer) frame() (daemon.Header, []byte, error) {
	var head [daemon.HeaderSize]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return daemon.Header{}, nil, err
	}
	h, err := daemon.ParseHeader(head)
	if err != nil {
		return h, nil, err
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c, payload)
	return h, payload, err
}

// send ignores failures: the client has gone, which its outcome shows.
func (c *peer) send(frames ...[]byte) {
	for _, f := range frames {
		_, _ = c.Write(f)
	}
}

func begin(headers ...daemon.Field) []byte {
	return daemon.AppendStart(nil, &daemon.Answer{Status: 200, Line: "200 OK", ContentLength: -1, Headers: headers})
}

func data(text string, flags uint8) []byte {
	return append(daemon.AppendHeader(nil, daemon.Header{Type: daemon.Data, Flags: flags, Length: uint32(len(text))}), text...)
}

func empty(kind daemon.Type) []byte {
	return daemon.AppendHeader(nil, daemon.Header{Type: kind})
}

// want asks for n bytes of the body; it returns what came, and the type of the frame.
func (c *peer) want(n uint32) (daemon.Type, []byte) {
	c.send(daemon.AppendWant(nil, n))
	h, payload, err := c.frame()
	if err != nil {
		return 0, nil
	}
	return h.Type, payload
}
