package apachetest

import (
	"bufio"
	"strings"
	"testing"
)

func TestResponseTellsHowItEnded(t *testing.T) {
	for name, c := range map[string]struct {
		method, text string
		ending       Ending
		framing      Framing
		body         string
	}{
		"length":             {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Complete, ByLength, "abc"},
		"cut":                {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", Cut, ByLength, "abc"},
		"chunked":            {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Complete, ByChunks, "abc"},
		"no last chunk":      {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", NoTerminator, ByChunks, "abc"},
		"within a chunk":     {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", NoTerminator, ByChunks, "ab"},
		"bad chunk":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Garbled, ByChunks, ""},
		"closed":             {"GET", "HTTP/1.0 200 OK\r\n\r\nabc", Complete, ByClose, "abc"},
		"no body for HEAD":   {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Complete, NoBody, ""},
		"no body with 304":   {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n", Complete, NoBody, ""},
		"nothing":            {"GET", "", Nothing, "", ""},
		"headers cut":        {"GET", "HTTP/1.1 200 OK\r\nContent-", Cut, "", ""},
		"not HTTP":           {"GET", "hello\n", Garbled, "", "hello\n"},
		"after 100 Continue": {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", Complete, ByLength, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			r := readResponse(bufio.NewReader(strings.NewReader(c.text)), c.method)
			if r.Ending != c.ending || r.Framing != c.framing || string(r.Body) != c.body {
				t.Errorf("ending %q, framing %q, body %q", r.Ending, r.Framing, r.Body)
			}
		})
	}
}
