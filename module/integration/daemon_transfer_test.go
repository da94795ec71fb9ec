package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Bodies in daemon mode. The classic module sends the whole request body before it reads any of the answer, and so deadlocks
// with an application that answers first.

const daemonApp = "WSGIScriptAlias / {{.Apps}}/daemon.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"

func TestAnApplicationMayAnswerBeforeItReads(t *testing.T) {
	const size = 50
	inSettings(t, sizes, func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Conf: daemonApp + "LimitRequestBody 0\n", OneChild: true}))
		for target, tail := range map[string]string{"/flood?50": "", "/flood?50,read": fmt.Sprint(size << 20)} {
			answer := exchangeAtOnce(t, s, target, size)
			if want := size<<20 + len(tail); len(answer) != want || !strings.HasSuffix(string(answer[size<<20:]), tail) {
				t.Errorf("%s: %d bytes instead of %d", target, len(answer), want)
			}
		}
	})
}

// exchangeAtOnce sends a body of so many megabytes while it reads the answer, which it returns.
func exchangeAtOnce(t *testing.T, s *apachetest.Server, target string, size int) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	sent := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", target, size<<20)
		if err == nil {
			_, err = io.Copy(conn, repeated(size))
		}
		sent <- err
	}()
	var received bytes.Buffer
	if _, err := io.Copy(&received, conn); err != nil {
		t.Fatalf("%s: after %d bytes: %v", target, received.Len(), err)
	}
	if err := <-sent; err != nil {
		t.Errorf("%s: sending: %v", target, err)
	}
	response, err := http.ReadResponse(bufio.NewReader(&received), nil)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: after %d bytes of the answer: %v", target, len(answer), err)
	}
	return answer
}

// Files leave through Apache: the process hands their descriptor over and has nothing more to do with them.
func TestAFileNeedsNoProcessWhileItIsSent(t *testing.T) {
	inSettings(t, oneThread, func(t *testing.T, in setting) {
		s := apachetest.Start(t, setting{apachetest.Event, in.options}.of(apachetest.Config{
			Conf:  "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias /big {{.Root}}/big.wsgi\nWSGIScriptAlias / {{.Apps}}/daemon.wsgi\n",
			Files: map[string]string{"big.wsgi": bigFileScript, "big": strings.Repeat("0123456789abcdef", 1<<21)}}))
		slow := s.Dial(t)
		slow.Send("GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		slow.ReadUntil("0123456789abcdef")
		// The group's only thread is free although the client has read almost nothing.
		for range 3 {
			if r := s.Get(t, "/pid"); r.Status != 200 {
				t.Fatal(r)
			}
		}
		rest := 0
		for {
			text, err := slow.ReadSome(1 << 20)
			rest += len(text)
			if err != nil {
				break
			}
		}
		if want := 16<<21 - 16; rest != want {
			t.Errorf("%d more bytes, want %d", rest, want)
		}
	})
}

const bigFileScript = `import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](open(os.path.join(os.path.dirname(__file__), "big"), "rb"))
`
