package integration

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Request bodies that arrive slowly. No thread of a process waits for them.

// A slowUpload has sent a request's head and a part of its body.
type slowUpload struct {
	conn *apachetest.Conn
	left []byte
	want string
}

func uploadSlowly(t *testing.T, s *apachetest.Server, path string, size int, head string) *slowUpload {
	body := bytes.Repeat(pattern(), size/65536+1)[:size]
	sum := sha256.Sum256(body)
	conn := s.Dial(t)
	conn.Send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n", path, size, head))
	return &slowUpload{conn, body, hex.EncodeToString(sum[:])}
}

func (u *slowUpload) send(n int) {
	n = min(n, len(u.left))
	u.conn.Send(string(u.left[:n]))
	u.left = u.left[n:]
}

// trickle sends as a slow client does, even to a server that has little time to read: what waits unread must not look like a fast one's.
func (u *slowUpload) trickle(n int) {
	u.send(1000)
	time.Sleep(100 * time.Millisecond)
	for n -= 1000; n > 0; n -= 16384 {
		u.send(min(n, 16384))
		time.Sleep(5 * time.Millisecond)
	}
}

// finish sends the rest and checks that the application got everything.
func (u *slowUpload) finish(t *testing.T) {
	t.Helper()
	u.send(len(u.left))
	if answer := u.conn.Read("POST"); answer.Status != 200 || string(answer.Body) != u.want {
		t.Errorf("the application got something else:\n%s", answer)
	}
}

func TestSlowUploadsHoldNoPythonThread(t *testing.T) {
	for _, c := range []struct {
		mpm     apachetest.MPM
		clients int
	}{{apachetest.Event, 20}, {apachetest.Worker, 50}, {apachetest.Prefork, 12}} {
		t.Run(string(c.mpm), func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{c.mpm, slowThreads}, ""))
			latencies(t, s.URL("/fast"), 3, 200*time.Millisecond)
			quiet := latencies(t, s.URL("/fast"), 3, 300*time.Millisecond)
			uploads := make([]*slowUpload, c.clients)
			for i := range uploads {
				uploads[i] = uploadSlowly(t, s, "/digest", 500000, "")
			}
			meanwhile := make(chan []time.Duration, 1)
			go func() { meanwhile <- latencies(t, s.URL("/fast"), 3, time.Second) }()
			for range 10 { // 10 KB/s
				for _, u := range uploads {
					u.send(1000)
				}
				time.Sleep(90 * time.Millisecond) // the rate
			}
			busy := <-meanwhile
			t.Logf("%d clients at 10 KB/s, 4 threads: p99 %v quiet, %v busy", c.clients, p99(quiet), p99(busy))
			if limit := max(10*p99(quiet), 150*time.Millisecond); p99(busy) > limit {
				t.Errorf("the p99 of fast requests rose from %v to %v", p99(quiet), p99(busy))
			}
			if started, _ := counts(t, s); started != 0 {
				t.Errorf("the application was called %d times although no body was complete", started)
			}
			for _, u := range uploads {
				u.finish(t)
			}
		})
	}
}

func TestWhenABodyIsReceivedBeforeItsApplicationIsCalled(t *testing.T) {
	for _, c := range []struct {
		name, options, head string
		size                int
		before              bool
		kept                bool // in a file
	}{
		{"in the first window", "", "", 60000, true, false},
		{"in memory", "", "", 200000, true, false},
		{"in a file", " buffer-memory=0", "", 200000, true, true},
		{"in both", "", "", 1000000, true, true},
		{"longer than request-buffer", " request-buffer=199999", "", 200000, false, false},
		{"as long as request-buffer", " request-buffer=200000", "", 200000, true, false},
		{"request-buffer=0", " request-buffer=0", "", 60000, false, false},
		{"a client that waits for 100 Continue", "", "Expect: 100-continue\r\n", 200000, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{apachetest.Event, "processes=1 threads=1 queue-timeout=1" + c.options}, ""))
			expectBody(t, s, "/fast", "fast")
			path := "/digest"
			if c.head != "" { // it answers without having asked for the body
				path = "/refuse"
			}
			u := uploadSlowly(t, s, path, c.size, c.head)
			if path == "/refuse" {
				if answer := u.conn.Read("POST"); string(answer.Body) != "refused" || len(answer.Interim) != 0 {
					t.Errorf("%s", answer)
				}
				return
			}
			u.trickle(c.size - 1)
			if c.before {
				if c.kept {
					apachetest.Eventually(t, 10*time.Second, "the body is in a file", func() bool {
						_, file := spools(t, s)
						return file > 0
					})
				}
				time.Sleep(1200 * time.Millisecond) // longer than queue-timeout: receiving is not waiting in the queue
				if started, _ := counts(t, s); started != 0 {
					t.Error("the application was called although its body was not complete")
				}
			} else {
				// The only thread is busy: a request that asks how many were started would wait for it.
				apachetest.Eventually(t, 10*time.Second, "the only thread is busy", func() bool { return s.Get(t, "/fast").Status == 504 })
			}
			if _, file := spools(t, s); !c.kept && file > 0 {
				t.Errorf("%d bytes in a file", file)
			}
			u.finish(t)
		})
	}
}

// What goes wrong with a body is told as if it had not been kept.
func TestBodiesThatNeverArrive(t *testing.T) {
	for _, options := range []string{"", " request-buffer=0"} {
		t.Run("request-buffer"+options, func(t *testing.T) {
			config := slowConfig(setting{apachetest.Event, slowThreads + options}, "RequestReadTimeout body=1\n")
			config.Modules = []string{"reqtimeout"}
			s := apachetest.Start(t, config)
			silent := uploadSlowly(t, s, "/digest", 200000, "")
			silent.send(100000)
			if answer := silent.conn.Read("POST"); answer.Status != 408 {
				t.Errorf("a client that stops sending: %s", answer)
			}
			left := uploadSlowly(t, s, "/digest", 200000, "")
			left.send(100000)
			left.conn.Close()
			apachetest.Eventually(t, 10*time.Second, "the application is told", func() bool {
				started, _ := counts(t, s)
				return started == 2 && strings.Count(s.Log(), "OSError") >= 2
			})
		})
	}
}

func TestSlowUploadsOverHTTP2(t *testing.T) {
	config := slowConfig(setting{apachetest.Event, "processes=1 threads=1"}, "Protocols h2c http/1.1\nH2Direct on\n")
	config.Modules = []string{"http2"}
	s := apachetest.Start(t, config)
	expectBody(t, s, "/fast", "fast")
	client := protocolClient(nil, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	defer client.CloseIdleConnections()
	body := bytes.Repeat(pattern(), 8)
	from, to := io.Pipe()
	request, err := http.NewRequest("POST", s.URL("/digest"), from)
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = int64(len(body))
	answer := make(chan string, 1)
	go func() {
		response, err := client.Do(request)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answer <- string(text)
	}()
	if _, err := to.Write(body[:1000]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // a slow client
	if _, err := to.Write(body[1000:300000]); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		expectBody(t, s, "/fast", "fast")
	}
	if started, _ := counts(t, s); started != 0 {
		t.Error("the application was called although its body was not complete")
	}
	if _, err := to.Write(body[300000:]); err != nil {
		t.Fatal(err)
	}
	to.Close()
	sum := sha256.Sum256(body)
	if got := <-answer; got != hex.EncodeToString(sum[:]) {
		t.Errorf("the application got %s", got)
	}
}

// A filter may make more of a body than its client has announced.
func TestASlowUploadThatAFilterUnpacks(t *testing.T) {
	config := slowConfig(setting{apachetest.Event, slowThreads}, "SetInputFilter DEFLATE\n")
	config.Modules = []string{"deflate", "filter"}
	s := apachetest.Start(t, config)
	body := bytes.Repeat(pattern(), 4)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	conn := s.Dial(t)
	conn.Send(fmt.Sprintf("POST /digest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\nContent-Encoding: gzip\r\n\r\n", packed.Len()))
	u := &slowUpload{conn, packed.Bytes(), hex.EncodeToString(sum[:])}
	u.trickle(1500)
	u.finish(t)
}
