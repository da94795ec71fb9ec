package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Client talks to one supervisor.
type Client struct {
	http http.Client
}

// NewClient makes a client for a control socket. It connects when it is asked something.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks for everything.
func (c *Client) Status() (s Status, err error) {
	return s, c.call("GET", "/status", nil, &s)
}

// Stacks asks where the Python threads of a group are.
func (c *Client) Stacks(group string) (s []Stacks, err error) {
	return s, c.call("GET", "/stacks", url.Values{"group": {group}}, &s)
}

// Restart has the processes of a group replaced, one after the other, and waits for that, but not longer than told.
func (c *Client) Restart(group string, wait time.Duration) (r Restart, err error) {
	seconds := strconv.FormatFloat(wait.Seconds(), 'f', -1, 64)
	return r, c.call("POST", "/restart", url.Values{"group": {group}, "wait": {seconds}}, &r)
}

func (c *Client) call(method, path string, query url.Values, answer any) error {
	request, err := http.NewRequest(method, "http://localhost"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096)) // the status is enough
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
