package steadyload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// A client sends one request after the other. Not net/http's: that one sends a request again without a word.
type client struct {
	address  string
	patience time.Duration
	oneShot  bool

	connection net.Conn // nil: none is open
	reader     *bufio.Reader
}

func (c *client) close() {
	if c.connection != nil {
		_ = c.connection.Close()
	}
	c.connection = nil
}

func (c *client) get(path string, s *Shot) {
	deadline := time.Now().Add(c.patience)
	reused := c.connection != nil
	err := c.try(path, s, deadline)
	if reused && errors.Is(err, errClosed) {
		s.Reconnected = true
		err = c.try(path, s, deadline)
	}
	if s.Err = err; err != nil {
		s.Status = 0
		c.close()
	}
}

// errClosed: the server closed the connection before it sent anything.
var errClosed = errors.New("the connection was closed before anything was answered")

func (c *client) try(path string, s *Shot, deadline time.Time) error {
	if err := c.open(deadline); err != nil {
		return err
	}
	if err := c.ask(path, s.Number); err != nil {
		c.close()
		return err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.close()
		return fmt.Errorf("read the answer: %w", err)
	}
	body, err := io.ReadAll(answer.Body)
	s.Status, s.Body = answer.StatusCode, string(body)
	if answer.Close || c.oneShot || err != nil {
		c.close()
	}
	if err != nil {
		return fmt.Errorf("read the body, %d bytes came: %w", len(body), err)
	}
	return nil
}

func (c *client) open(deadline time.Time) error {
	if c.connection == nil {
		connection, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", c.address)
		if err != nil {
			return err
		}
		c.connection, c.reader = connection, bufio.NewReader(connection)
	}
	return c.connection.SetDeadline(deadline)
}

// ask sends the request and waits for the first byte of the answer.
func (c *client) ask(path string, number int64) error {
	connection := ""
	if c.oneShot {
		connection = "Connection: close\r\n"
	}
	_, err := fmt.Fprintf(c.connection, "GET %s?n=%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, number, connection)
	if err == nil {
		_, err = c.reader.Peek(1)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return errClosed
	}
	return err
}
