package integration

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/module/apachetest"
)

// Clients that are slower than the applications of a process group, and what they take from others: nothing.

// slowClientScript answers with megabytes of the pattern in blocks, and knows how many answers have begun and are over.
const slowClientScript = `
import hashlib

started = finished = 0
block = bytes(range(256)) * 256

class Blocks:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return self
    def __next__(self):
        if self.n <= 0:
            raise StopIteration
        self.n -= 1
        return block
    def close(self):
        global finished
        finished += 1

def application(environ, start_response):
    global started
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    text = None
    if path == "/count":
        text = "%d %d" % (started, finished)
    elif path == "/fast":
        text = "fast"
    elif path == "/digest":
        started += 1
        text = hashlib.sha256(environ["wsgi.input"].read()).hexdigest()
    elif path == "/refuse":
        started += 1
        text = "refused"
    elif path == "/echo":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter(lambda: environ["wsgi.input"].read(1), b"")
    if text is not None:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
        return [text.encode()]
    started += 1
    n = int(float(query) * 16)
    headers = [("Content-Type", "application/octet-stream")]
    if path == "/length":
        headers.append(("Content-Length", str(n * 65536)))
    start_response("200 OK", headers)
    return Blocks(n)
`

// A server's socket takes megabytes on loopback, which no client elsewhere would allow it.
const slowConf = `SendBufferSize 16384
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias / {{.Root}}/slow.wsgi
`

func slowConfig(in setting, conf string) apachetest.Config {
	config := in.of(apachetest.Config{Conf: slowConf + conf, Files: map[string]string{"slow.wsgi": slowClientScript}, OneChild: true})
	switch in.mpm {
	case apachetest.Event: // which takes three times as many connections as it has threads
		config.Tuning = threadedTuning
	case apachetest.Prefork:
		config.Tuning = "StartServers 16\nMinSpareServers 1\nMaxSpareServers 16\nServerLimit 16\nMaxRequestWorkers 16\n"
	case apachetest.Worker:
		config.Tuning = "StartServers 1\nServerLimit 1\nThreadsPerChild 64\nThreadLimit 64\nMaxRequestWorkers 64\nMinSpareThreads 1\nMaxSpareThreads 64\n"
	}
	return config
}

// A slowReader has asked for an answer and takes so much of it as it is told to.
type slowReader struct {
	conn net.Conn
	body io.Reader
	read int64
}

// narrow is a connection whose kernel takes little on its own.
func narrow(address string) (net.Conn, error) {
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failure error
		err := raw.Control(func(fd uintptr) { failure = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
		if err == nil {
			err = failure
		}
		return err
	}}
	return dialer.Dial("tcp", address)
}

func readSlowly(conn net.Conn, path string) (*slowReader, error) {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path); err != nil {
		return nil, err
	}
	return &slowReader{conn: conn, body: conn}, nil
}

// take reads n bytes, the head not counted.
func (r *slowReader) take(n int64) error {
	if r.body == io.Reader(r.conn) {
		response, err := http.ReadResponse(bufio.NewReaderSize(r.conn, 512), nil)
		if err != nil {
			return err
		}
		if response.StatusCode != 200 {
			return fmt.Errorf("status %d", response.StatusCode)
		}
		r.body = response.Body
	}
	expected, got := pattern(), make([]byte, 4096)
	for n > 0 {
		at := r.read % int64(len(expected))
		part := min(n, int64(len(got)), int64(len(expected))-at)
		if _, err := io.ReadFull(r.body, got[:part]); err != nil {
			return fmt.Errorf("after %d bytes: %w", r.read, err)
		}
		if !bytes.Equal(got[:part], expected[at:at+part]) {
			return fmt.Errorf("damaged after %d bytes", r.read)
		}
		r.read += part
		n -= part
	}
	return nil
}

// rest reads everything and checks that nothing is missing.
func (r *slowReader) rest(size int64) error {
	if err := r.take(size - r.read); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, r.body); n != 0 || err != nil {
		return fmt.Errorf("%d bytes too many, %v", n, err)
	}
	return nil
}

func counts(t *testing.T, s *apachetest.Server) (started, finished int) {
	t.Helper()
	if _, err := fmt.Sscan(string(s.Get(t, "/count").Body), &started, &finished); err != nil {
		t.Fatal(err)
	}
	return started, finished
}

// latencies sends requests one after another over a few connections, and returns how long each took, sorted.
func latencies(t *testing.T, url string, connections int, length time.Duration) []time.Duration {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	end := time.Now().Add(length)
	for range connections {
		group.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				if err := fetchWhole(client, url); err != nil {
					t.Errorf("a fast request: %v", err)
					return
				}
				mu.Lock()
				all = append(all, time.Since(began))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(all) == 0 {
		t.Fatal("no fast request was answered")
	}
	slices.Sort(all)
	return all
}

func fetchWhole(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

const slowThreads = "processes=1 threads=4"

func TestSlowClientsHoldNoPythonThread(t *testing.T) {
	for _, c := range []struct {
		mpm     apachetest.MPM
		clients int
	}{{apachetest.Event, 50}, {apachetest.Worker, 50}, {apachetest.Prefork, 12}} {
		t.Run(string(c.mpm), func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{c.mpm, slowThreads}, ""))
			latencies(t, s.URL("/fast"), 3, 200*time.Millisecond) // children and scripts are there
			quiet := latencies(t, s.URL("/fast"), 3, 300*time.Millisecond)
			before := residentOf(t, s)
			readers := make([]*slowReader, c.clients)
			for i := range readers {
				conn, err := narrow(s.Addr())
				if err == nil {
					defer conn.Close()
					readers[i], err = readSlowly(conn, "/blocks?1")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			apachetest.Eventually(t, 20*time.Second, "all answers are made although nobody has read them", func() bool {
				_, finished := counts(t, s)
				return finished == c.clients
			})
			meanwhile := make(chan []time.Duration, 1)
			go func() { meanwhile <- latencies(t, s.URL("/fast"), 3, time.Second) }()
			for range 10 { // 10 KB/s
				for _, r := range readers {
					if err := r.take(1000); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(90 * time.Millisecond) // the rate
			}
			busy := <-meanwhile
			t.Logf("%d clients at 10 KB/s, 4 threads: p99 %v quiet, %v busy", c.clients, p99(quiet), p99(busy))
			if limit := max(10*p99(quiet), 150*time.Millisecond); p99(busy) > limit {
				t.Errorf("the p99 of fast requests rose from %v to %v", p99(quiet), p99(busy))
			}
			for pid, kb := range residentOf(t, s) {
				if was, known := before[pid]; known && kb-was > 12*1024 {
					t.Errorf("process %d has grown by %d KB: %s", pid, kb-was, apachetest.CommandLine(pid))
				}
			}
			inParallel(t, len(readers), len(readers), func(n int) error { return readers[n].rest(1 << 20) })
		})
	}
}

// Data that waits is on a disk, or in memory that has its limit.
func TestALargeAnswerWaitsInAFile(t *testing.T) {
	for _, c := range []struct {
		name, options string
		held          int64 // bytes of it that may be in memory
	}{
		{"by default", "", 256 << 10},
		{"no memory", " buffer-memory=0", 0},
		{"in memory only", " buffer-memory=100000000", 100000000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{apachetest.Event, slowThreads + c.options}, ""))
			expectBody(t, s, "/fast", "fast")
			before := residentOf(t, s)
			conn, err := narrow(s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			reader, err := readSlowly(conn, "/length?30")
			if err != nil {
				t.Fatal(err)
			}
			apachetest.Eventually(t, 20*time.Second, "the answer is made", func() bool {
				_, finished := counts(t, s)
				return finished == 1
			})
			memory, file := spools(t, s)
			t.Logf("%d bytes in memory, %d in a file", memory, file)
			if size := int64(30 << 20); memory > c.held || memory+file < size-1<<20 || memory+file > size {
				t.Errorf("%d bytes in memory, %d in a file", memory, file)
			}
			for pid, kb := range residentOf(t, s) {
				if grown := kb - before[pid]; grown > 4*1024 {
					t.Errorf("process %d has grown by %d KB", pid, grown)
				}
			}
			if err := reader.rest(30 << 20); err != nil {
				t.Error(err)
			}
			apachetest.Eventually(t, 10*time.Second, "nothing is kept", func() bool {
				memory, file := spools(t, s)
				return memory+file == 0
			})
		})
	}
}

// The application waits only when the buffer is full.
func TestAnAnswerLargerThanTheBufferArrivesWhole(t *testing.T) {
	s := apachetest.Start(t, slowConfig(setting{apachetest.Event, slowThreads + " buffer-size=1000000 buffer-memory=300000"}, ""))
	conn, err := narrow(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader, err := readSlowly(conn, "/length?8")
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		memory, file := spools(t, s)
		if memory > 300000 || memory+file > 1000000+2<<20 { // what was sent is given back in steps
			t.Errorf("after %d bytes: %d bytes in memory, %d in a file", reader.read, memory, file)
		}
		if err := reader.take(1<<20 - 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := reader.rest(8 << 20); err != nil {
		t.Error(err)
	}
}

// spools says how much Apache's children keep of answers: bytes of the nameless files that they have open, holes not counted.
func spools(t *testing.T, s *apachetest.Server) (memory, file int64) {
	t.Helper()
	for _, pid := range s.Children() {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			target, _ := os.Readlink(link)
			inMemory := strings.HasPrefix(target, "/memfd:wsgi-buffer")
			var stat unix.Stat_t
			if !inMemory && !strings.HasPrefix(target, "/var/tmp/") || unix.Stat(link, &stat) != nil {
				continue
			}
			if kept := min(stat.Blocks*512, stat.Size); inMemory {
				memory += kept
			} else {
				file += kept
			}
		}
	}
	return memory, file
}

func TestSlowClientsOfTLSAndHTTP2HoldNoPythonThread(t *testing.T) {
	certPEM, keyPEM, pool := certificate(t)
	config := slowConfig(setting{apachetest.Event, "processes=1 threads=1"}, `
Listen 127.0.0.1:{{port "tls"}} https
Protocols h2 h2c http/1.1
H2Direct on
<VirtualHost 127.0.0.1:{{port "tls"}}>
    SSLEngine on
    SSLCertificateFile {{.Root}}/cert.pem
    SSLCertificateKeyFile {{.Root}}/key.pem
</VirtualHost>
`)
	config.Modules = []string{"http2", "ssl", "socache_shmcb"}
	config.Files["cert.pem"], config.Files["key.pem"] = certPEM, keyPEM
	s := apachetest.Start(t, config)
	port, err := s.PortOf("tls")
	if err != nil {
		t.Fatal(err)
	}
	secure := fmt.Sprintf("127.0.0.1:%d", port)
	finished := 0
	expectFinished := func(t *testing.T) {
		t.Helper()
		finished++
		apachetest.Eventually(t, 20*time.Second, "the answer is made", func() bool {
			_, now := counts(t, s)
			return now == finished
		})
		expectBody(t, s, "/fast", "fast")
	}
	t.Run("https", func(t *testing.T) {
		conn, err := narrow(secure)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		reader, err := readSlowly(tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "localhost"}), "/blocks?3")
		if err != nil {
			t.Fatal(err)
		}
		expectFinished(t)
		if err := reader.rest(3 << 20); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		name, url string
		choose    func(*http.Protocols)
	}{
		{"h2c", s.URL("/blocks?3"), func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"h2", "https://" + secure + "/length?3", func(p *http.Protocols) { p.SetHTTP2(true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := protocolClient(pool, c.choose)
			transport := client.Transport.(*http.Transport)
			transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 65536, MaxReceiveBufferPerConnection: 65536}
			defer client.CloseIdleConnections()
			response, err := client.Get(c.url)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			reader := &slowReader{body: response.Body}
			if err := reader.take(1000); err != nil {
				t.Fatal(err)
			}
			expectFinished(t)
			if err := reader.rest(3 << 20); err != nil {
				t.Error(err)
			}
		})
	}
}

// What an application streams is with its client before it goes on, also if that client had to catch up before.
func TestStreamingToAClientThatWasSlow(t *testing.T) {
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		config := slowConfig(setting{mpm, slowThreads}, "")
		config.Files["slow.wsgi"] = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    yield bytes(range(256)) * 256 * 16
    open(environ["QUERY_STRING"]).read()
    yield b"second"
    open(environ["QUERY_STRING"]).read()
    yield b"third"
`
		s := apachetest.Start(t, config)
		gate := makeFIFO(t, s)
		conn, err := narrow(s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		reader, err := readSlowly(conn, "/late?"+gate)
		if err != nil {
			t.Fatal(err)
		}
		openGate(t, gate) // the application waits there, whoever reads
		if err := reader.take(1 << 20); err != nil {
			t.Fatal(err)
		}
		second := make([]byte, 6)
		if _, err := io.ReadFull(reader.body, second); err != nil || string(second) != "second" {
			t.Fatalf("%q, %v", second, err)
		}
		openGate(t, gate)
		if rest, err := io.ReadAll(reader.body); err != nil || string(rest) != "third" {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// An application that runs for a client that has gone is told, and nothing is kept for it.
func TestASlowClientThatGoesAwayStopsItsApplication(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{mpm, slowThreads + " buffer-size=2000000"}, ""))
			for _, reset := range []bool{true, false} {
				conn, err := narrow(s.Addr())
				if err != nil {
					t.Fatal(err)
				}
				reader, err := readSlowly(conn, "/blocks?1000000")
				if err == nil {
					err = reader.take(1000)
				}
				if err != nil {
					t.Fatal(err)
				}
				apachetest.Eventually(t, 10*time.Second, "the answer waits", func() bool {
					memory, file := spools(t, s)
					return memory+file > 1000000
				})
				_, before := counts(t, s)
				if reset {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
				conn.Close()
				apachetest.Eventually(t, 10*time.Second, "the application's iterable is closed", func() bool {
					_, finished := counts(t, s)
					return finished == before+1
				})
				apachetest.Eventually(t, 10*time.Second, "nothing is kept", func() bool {
					memory, file := spools(t, s)
					return memory+file == 0
				})
			}
		})
	}
}

// The limit of one write to the client holds for what is sent after the application is done, too.
func TestASlowClientIsGivenUpAfterItsApplication(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			s := apachetest.Start(t, slowConfig(setting{mpm, slowThreads + " response-socket-timeout=1"}, "Timeout 300\n"))
			conn, err := narrow(s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := readSlowly(conn, "/length?3"); err != nil {
				t.Fatal(err)
			}
			s.WaitLog(t, `WSGI0120: .*response-socket-timeout=1`)
			if _, finished := counts(t, s); finished != 1 {
				t.Error("the application was not done")
			}
		})
	}
}

// A client that sends one byte and waits for the answer to it, while it has yet to take others.
func TestReadingAndWritingInTurn(t *testing.T) {
	s := apachetest.Start(t, slowConfig(setting{apachetest.Event, slowThreads}, ""))
	conn := s.Dial(t)
	conn.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 20000000\r\n\r\n")
	for i := range 5 {
		text := fmt.Sprintf("<%d>", i)
		conn.Send(text)
		for _, char := range text {
			conn.ReadUntil(string(char))
		}
	}
}

// Several requests on one connection are answered in their order, each as a whole.
func TestPipelinedAnswersKeepTheirOrder(t *testing.T) {
	s := apachetest.Start(t, slowConfig(setting{apachetest.Event, slowThreads}, ""))
	conn, err := narrow(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, strings.Repeat("GET /blocks?1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 3)); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(conn)
	for range 3 {
		response, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&slowReader{body: response.Body}).rest(1 << 20); err != nil {
			t.Fatal(err)
		}
	}
}

// A client that was slow can tell as well as any other that an answer is not whole.
func TestACutAnswerLooksCutToASlowClient(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Worker} {
		t.Run(string(mpm), func(t *testing.T) {
			config := slowConfig(setting{mpm, slowThreads}, "")
			config.Files["slow.wsgi"] = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    yield bytes(range(256)) * 256 * 16
    raise ValueError("after a megabyte")
`
			s := apachetest.Start(t, config)
			conn, err := narrow(s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			reader, err := readSlowly(conn, "/")
			if err != nil {
				t.Fatal(err)
			}
			s.WaitLog(t, "after a megabyte")
			if err := reader.take(1 << 20); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(reader.body); err != io.ErrUnexpectedEOF || len(rest) > 0 {
				t.Errorf("%d more bytes, %v", len(rest), err)
			}
		})
	}
}

// Answers within answers: what is around an included one keeps its order, and its process is as free.
func TestASlowClientOfAnAnswerThatIncludesOthers(t *testing.T) {
	config := slowConfig(setting{apachetest.Event, slowThreads}, "<Location /outer>\nOptions +Includes\nSetOutputFilter INCLUDES\n</Location>\n")
	config.Modules = []string{"include", "filter"}
	config.Files["slow.wsgi"] = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    if environ["PATH_INFO"].startswith("/inner"):
        return [b"i" * 400000]
    if environ["PATH_INFO"] == "/fast":
        return [b"fast"]
    return [b"a" * 400000 + b"<!--#include virtual='/inner/1' -->" + b"b" * 400000 + b"<!--#include virtual='/inner/2' -->" + b"c" * 400000]
`
	s := apachetest.Start(t, config)
	conn, err := narrow(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader, err := readSlowly(conn, "/outer")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		expectBody(t, s, "/fast", "fast")
	}
	response, err := http.ReadResponse(bufio.NewReader(reader.conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	want := ""
	for _, part := range []string{"a", "i", "b", "i", "c"} {
		want += strings.Repeat(part, 400000)
	}
	if err != nil || string(text) != want {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
