package apachetest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// clientDeadline bounds everything that a client waits for, unless it says otherwise.
const clientDeadline = 15 * time.Second

// Header is one header line.
type Header struct{ Name, Value string }

// Request is an ordinary request, or with Raw any bytes at all.
type Request struct {
	Method  string // default GET
	Target  string // default "/"
	Proto   string // default HTTP/1.1
	Host    string // default "localhost"; "-" sends none
	Headers []Header
	Body    []byte
	Chunked bool // send the body in two chunks instead of with a Content-Length
	// KeepAlive leaves out "Connection: close" (the default, so that the end of the answer is certain).
	KeepAlive bool
	Raw       string        // exact bytes instead of all that
	HalfClose bool          // close our sending side after the request
	Wait      time.Duration // how long to wait for the answer; default 15 s
}

// Bytes is the request as it is sent.
func (r Request) Bytes() []byte {
	if r.Raw != "" {
		return []byte(r.Raw)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", or(r.Method, "GET"), or(r.Target, "/"), or(r.Proto, "HTTP/1.1"))
	if r.Host != "-" {
		fmt.Fprintf(&b, "Host: %s\r\n", or(r.Host, "localhost"))
	}
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	if !r.KeepAlive {
		b.WriteString("Connection: close\r\n")
	}
	switch {
	case r.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		half := len(r.Body) / 2
		for _, part := range [][]byte{r.Body[:half], r.Body[half:]} {
			if len(part) > 0 {
				fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
			}
		}
		b.WriteString("0\r\n\r\n")
	case r.Body != nil:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.Body), r.Body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// Conn is a connection to a server; every operation has a deadline.
type Conn struct {
	t      testing.TB
	conn   net.Conn
	reader *bufio.Reader
	wait   time.Duration
}

// Dial opens a connection to the server; it is closed when the test ends.
func (s *Server) Dial(t testing.TB) *Conn {
	t.Helper()
	return DialAddr(t, s.Addr(), nil)
}

// DialAddr opens a connection to an address, with TLS when a configuration is given.
func DialAddr(t testing.TB, address string, config *tls.Config) *Conn {
	t.Helper()
	conn, err := dial(address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &Conn{t: t, conn: conn, reader: bufio.NewReader(conn), wait: clientDeadline}
}

func dial(address string, config *tls.Config) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: clientDeadline}
	if config != nil {
		return tls.DialWithDialer(dialer, "tcp", address, config)
	}
	return dialer.Dial("tcp", address)
}

// SetWait changes how long reads and writes may take.
func (c *Conn) SetWait(d time.Duration) { c.wait = d }

// Send sends exact bytes.
func (c *Conn) Send(text string) {
	c.t.Helper()
	if err := c.TrySend(text); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// TrySend sends bytes and returns what went wrong, for tests in which the server may have hung up.
func (c *Conn) TrySend(text string) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.wait))
	_, err := c.conn.Write([]byte(text))
	return err
}

// SendSlowly sends the parts one by one with a pause between them.
func (c *Conn) SendSlowly(pause time.Duration, parts ...string) {
	c.t.Helper()
	for i, part := range parts {
		if i > 0 {
			time.Sleep(pause) // the slowness is what is tested, not waited for
		}
		c.Send(part)
	}
}

// CloseWrite says that nothing more will be sent; answers can still be read.
func (c *Conn) CloseWrite() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Close closes the connection.
func (c *Conn) Close() { _ = c.conn.Close() }

// Reset closes the connection so that the server's next write fails at once (RST).
func (c *Conn) Reset() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Close()
}

// Read reads one answer to a request with this method. It always returns a Response; Response.Err and Ending say what
// was wrong with it.
func (c *Conn) Read(method string) *Response {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.wait))
	return readResponse(c.reader, method)
}

// ReadSome reads what arrives next, at most n bytes, undecoded.
func (c *Conn) ReadSome(n int) (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.wait))
	buffer := make([]byte, n)
	got, err := c.reader.Read(buffer)
	return string(buffer[:got]), err
}

// ReadUntil reads undecoded bytes until the text has arrived.
func (c *Conn) ReadUntil(text string) string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(c.wait))
	var got strings.Builder
	for !strings.HasSuffix(got.String(), text) {
		b, err := c.reader.ReadByte()
		if err != nil {
			c.t.Fatalf("waiting for %q: %v; read so far: %q", text, err, got.String())
		}
		got.WriteByte(b)
	}
	return got.String()
}

// Do sends a request on a connection of its own and reads the answer.
func (s *Server) Do(t testing.TB, request Request) *Response {
	t.Helper()
	return DoAddr(t, s.Addr(), nil, request)
}

// DoAddr is Do for an address, with TLS when a configuration is given. The answer is read while the request is
// still being sent, so that neither side has to wait for the other.
func DoAddr(t testing.TB, address string, config *tls.Config, request Request) *Response {
	t.Helper()
	conn, err := dial(address, config)
	if err != nil {
		return &Response{Ending: Refused, Err: err}
	}
	defer conn.Close()
	wait := request.Wait
	if wait == 0 {
		wait = clientDeadline
	}
	_ = conn.SetDeadline(time.Now().Add(wait))
	go func() {
		_, err := conn.Write(request.Bytes())
		if half, ok := conn.(interface{ CloseWrite() error }); ok && err == nil && request.HalfClose {
			_ = half.CloseWrite()
		}
	}()
	reader := bufio.NewReader(conn)
	method := request.Method
	if request.Raw != "" {
		method, _, _ = strings.Cut(request.Raw, " ")
	}
	response := readResponse(reader, method)
	if !request.KeepAlive && request.Raw == "" && response.Ending == Complete {
		response.readExtra(reader)
	}
	return response
}

// Get fetches a path.
func (s *Server) Get(t testing.TB, target string, headers ...Header) *Response {
	t.Helper()
	return s.Do(t, Request{Target: target, Headers: headers})
}

// Post sends a body to a path.
func (s *Server) Post(t testing.TB, target string, body []byte, headers ...Header) *Response {
	t.Helper()
	return s.Do(t, Request{Method: "POST", Target: target, Body: body, Headers: headers})
}
