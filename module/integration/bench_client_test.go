package integration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/module/apachetest"
)

// A discarder is a client that has the kernel throw the body away (recv with MSG_TRUNC, tcp(7)). wrk copies every byte, in blocks of
// 8 KB, which takes more of the machine than sending a large file does: it would be measured, not the server.
type discarder struct {
	connection *net.TCPConn
	reader     *bufio.Reader
	block      []byte
}

func newDiscarder(s *apachetest.Server) (*discarder, error) {
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
	if err != nil {
		return nil, err
	}
	tcp := connection.(*net.TCPConn)
	return &discarder{connection: tcp, reader: bufio.NewReaderSize(tcp, 4096), block: make([]byte, 1<<20)}, nil
}

func (d *discarder) get(path string) error {
	if _, err := fmt.Fprintf(d.connection, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		return err
	}
	answer, err := http.ReadResponse(d.reader, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || answer.ContentLength < 0 {
		return fmt.Errorf("status %d, length %d", answer.StatusCode, answer.ContentLength)
	}
	left := answer.ContentLength - int64(d.reader.Buffered())
	if _, err := d.reader.Discard(d.reader.Buffered()); err != nil {
		return err
	}
	raw, err := d.connection.SyscallConn()
	if err != nil {
		return err
	}
	for left > 0 {
		var n int
		var failure error
		err := raw.Read(func(fd uintptr) bool {
			n, _, failure = unix.Recvfrom(int(fd), d.block[:min(left, int64(len(d.block)))], unix.MSG_TRUNC)
			return !errors.Is(failure, syscall.EAGAIN)
		})
		if err := errors.Join(err, failure); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the answer was cut")
		}
		left -= int64(n)
	}
	return nil
}

// runDiscarding does what run does with wrk.
func runDiscarding(t *testing.T, server *apachetest.Server, row *benchRow, length time.Duration) benchSample {
	t.Helper()
	var took []time.Duration
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for range row.connections {
		all.Go(func() {
			d, err := newDiscarder(server)
			if err != nil {
				t.Errorf("%s (%s), %s: %v", row.name, row.in, server.Config().Module.Name, err)
				return
			}
			defer d.connection.Close()
			var mine []time.Duration
			for time.Since(began) < length {
				start := time.Now()
				if err := d.get(row.path); err != nil {
					t.Errorf("%s (%s), %s: %v", row.name, row.in, server.Config().Module.Name, err)
					return
				}
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	if len(took) == 0 {
		t.Fatalf("%s (%s), %s: no request was answered", row.name, row.in, server.Config().Module.Name)
	}
	slices.Sort(took)
	return benchSample{float64(len(took)) / time.Since(began).Seconds(), took[len(took)*99/100]}
}

func TestTheDiscardingClientReadsWhatWasSent(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Module: apachetest.NoModule(), Conf: "<Location />\nSetHandler default-handler\n</Location>",
		Files: map[string]string{"htdocs/large": string(bytes.Repeat([]byte("x"), 3<<20)), "htdocs/small": "x"}})
	d, err := newDiscarder(s)
	if err != nil {
		t.Fatal(err)
	}
	defer d.connection.Close()
	for _, path := range []string{"/large", "/small", "/large"} {
		if err := d.get(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := d.get("/missing"); err == nil {
		t.Error("a missing file was taken for one")
	}
}
