package apachetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Ending says how an answer ended.
type Ending string

const (
	Complete     Ending = "complete"           // as its framing promises; without framing: by closing
	Cut          Ending = "cut"                // closed before the promised length
	NoTerminator Ending = "no last chunk"      // closed within a chunked body
	Stalled      Ending = "stalled"            // still open and silent when the deadline came
	Nothing      Ending = "closed, no answer"  // closed before a status line
	Refused      Ending = "connection refused" // not even a connection
	Garbled      Ending = "garbled"            // not HTTP
)

// Framing says how the end of the body is marked.
type Framing string

const (
	ByLength Framing = "length"
	ByChunks Framing = "chunked"
	ByClose  Framing = "close"
	NoBody   Framing = "none" // HEAD, 1xx, 204, 304
)

// Response is one answer, as it came.
type Response struct {
	Interim []*Response // 100 Continue and the like, before the final one
	Proto   string
	Status  int
	Reason  string
	Headers []Header // in order, with duplicates
	Body    []byte   // decoded
	Chunks  []int    // sizes of the chunks
	Trailer []Header
	Framing Framing
	Ending  Ending
	Extra   []byte // what came after a complete answer although the connection was to be closed
	Err     error  // the cause of an Ending that is not Complete
}

// Get returns the header's value; several are joined with ", ".
func (r *Response) Get(name string) string { return strings.Join(r.Values(name), ", ") }

// Values returns all values of the header, in order.
func (r *Response) Values(name string) []string {
	var values []string
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// String shows the answer for a failure message; a long body is shortened.
func (r *Response) String() string {
	var b strings.Builder
	for _, interim := range r.Interim {
		fmt.Fprintf(&b, "(before: %d %s)\n", interim.Status, interim.Reason)
	}
	fmt.Fprintf(&b, "%s %d %s\n", r.Proto, r.Status, r.Reason)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	body := string(r.Body)
	if len(body) > 4000 {
		body = fmt.Sprintf("%s… (%d bytes)", body[:4000], len(body))
	}
	fmt.Fprintf(&b, "\n%s\n[framing %s, %s", body, r.Framing, r.Ending)
	if r.Err != nil {
		fmt.Fprintf(&b, ": %v", r.Err)
	}
	if len(r.Extra) > 0 {
		fmt.Fprintf(&b, ", then %q", r.Extra)
	}
	b.WriteString("]")
	return b.String()
}

// readResponse reads one answer with its interim ones.
func readResponse(reader *bufio.Reader, method string) *Response {
	r := &Response{Ending: Complete}
	for {
		if err := r.readHead(reader); err != nil {
			return r
		}
		if r.Status < 100 || r.Status > 199 || r.Status == 101 {
			break
		}
		r = &Response{Ending: Complete, Interim: append(r.Interim, &Response{Status: r.Status, Reason: r.Reason, Headers: r.Headers})}
	}
	r.readBody(reader, method)
	return r
}

func (r *Response) readHead(reader *bufio.Reader) error {
	line, err := readLine(reader)
	if err != nil {
		r.end(err, Nothing)
		return err
	}
	var status string
	r.Proto, status, _ = strings.Cut(line, " ")
	status, r.Reason, _ = strings.Cut(status, " ")
	if r.Status, err = strconv.Atoi(status); err != nil || !strings.HasPrefix(r.Proto, "HTTP/") {
		rest, _ := io.ReadAll(reader)
		r.Body = append([]byte(line+"\n"), rest...)
		r.end(fmt.Errorf("status line %q", line), Garbled)
		return r.Err
	}
	r.Headers, err = readHeaders(reader)
	if err != nil {
		r.end(err, Cut)
	}
	return err
}

func readLine(reader *bufio.Reader) (string, error) {
	line, err := reader.ReadString('\n')
	if err != nil {
		if line != "" && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return line, err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func readHeaders(reader *bufio.Reader) ([]Header, error) {
	var headers []Header
	for {
		line, err := readLine(reader)
		if err != nil || line == "" {
			return headers, err
		}
		name, value, _ := strings.Cut(line, ":")
		headers = append(headers, Header{name, strings.Trim(value, " \t")})
	}
}

func (r *Response) readBody(reader *bufio.Reader, method string) {
	length := r.Get("Content-Length")
	switch {
	case method == "HEAD" || r.Status == 204 || r.Status == 304 || r.Status < 200:
		r.Framing = NoBody
	case strings.EqualFold(r.Get("Transfer-Encoding"), "chunked"):
		r.Framing = ByChunks
		r.readChunks(reader)
	case length != "":
		r.Framing = ByLength
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n < 0 {
			r.end(fmt.Errorf("Content-Length %q", length), Garbled)
			return
		}
		r.Body, err = io.ReadAll(io.LimitReader(reader, n))
		if err == nil && int64(len(r.Body)) < n {
			err = io.ErrUnexpectedEOF
		}
		r.end(err, Cut)
	default:
		r.Framing = ByClose
		var err error
		r.Body, err = io.ReadAll(reader)
		r.end(err, Cut)
	}
}

func (r *Response) readChunks(reader *bufio.Reader) {
	for {
		line, err := readLine(reader)
		if err != nil {
			r.end(err, NoTerminator)
			return
		}
		text, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseUint(strings.TrimSpace(text), 16, 62)
		if err != nil {
			r.end(fmt.Errorf("chunk size %q", line), Garbled)
			return
		}
		if size == 0 {
			r.Trailer, err = readHeaders(reader)
			r.end(err, NoTerminator)
			return
		}
		r.Chunks = append(r.Chunks, int(size))
		part := make([]byte, size)
		n, err := io.ReadFull(reader, part)
		r.Body = append(r.Body, part[:n]...)
		if err != nil {
			r.end(err, NoTerminator)
			return
		}
		if line, err = readLine(reader); err != nil || line != "" {
			r.end(errors.Join(err, fmt.Errorf("after a chunk: %q", line)), Garbled)
			return
		}
	}
}

// end notes how it ended: a time-out is Stalled, any other error what the caller says.
func (r *Response) end(err error, otherwise Ending) {
	if err == nil {
		return
	}
	r.Err, r.Ending = err, otherwise
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		r.Ending = Stalled
	}
}

// readExtra reads to the end of a connection on which nothing more should come.
func (r *Response) readExtra(reader *bufio.Reader) {
	rest, err := io.ReadAll(reader)
	r.Extra = rest
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		r.Ending, r.Err = Stalled, err
	}
}
