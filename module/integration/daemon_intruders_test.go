package integration

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/daemon"
	"modwsgi/module/apachetest"
)

// What comes to a daemon process's socket and is no child of Apache's: it is refused, the log says so, and nobody else notices.

// frame is a frame of any type, flags and announced length.
func frame(kind daemon.Type, flags uint8, announced int, payload string) string {
	return string(daemon.AppendHeader(nil, daemon.Header{Type: kind, Flags: flags, Length: uint32(announced)})) + payload
}

func helloFrame() string { return string(daemon.AppendHello(nil, daemon.ClientHello)) }

func requestFrame(t *testing.T) string {
	t.Helper()
	b, err := daemon.AppendRequest(nil, &daemon.Request{ContentLength: -1, Script: "/nowhere.wsgi", Callable: "application", Complete: true, Window: []byte{}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGarbageOnASocketIsRefusedAndHurtsNobody(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=4 socket-timeout=2"})
	former := waitProcesses(t, s, 1)
	socket := onlySocket(t, s)
	request := requestFrame(t)
	random := make([]byte, 3000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	stop := requestContinuouslyOf(t, s, "/pid")
	defer stop()
	for _, c := range []struct{ name, bytes, logged string }{
		{"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "WSGI0080"},
		{"random", string(random), "WSGI0080"},
		{"NULs", strings.Repeat("\x00", 5000), "WSGI0080"},
		{"another version", frame(daemon.ClientHello, 0, 4, "MWD\x09"), "WSGI0080.*version 9"},
		{"another magic", frame(daemon.ClientHello, 0, 4, "XYZ\x01"), "WSGI0080"},
		{"no hello", request, "WSGI0080"},
		{"a body first", helloFrame() + frame(daemon.Body, 0, 3, "abc"), "WSGI0080"},
		{"an unknown type", helloFrame() + frame(0x55, 0, 0, ""), "WSGI0080"},
		{"an unknown flag", helloFrame() + "\x02\x40" + request[2:], "WSGI0080"},
		{"a frame of the other side", helloFrame() + frame(daemon.End, 0, 0, ""), "WSGI0080"},
		{"too large a request", helloFrame() + frame(daemon.RequestHead, 0, daemon.MaxRequest+1, ""), "WSGI0080"},
		{"a request of nonsense", helloFrame() + frame(daemon.RequestHead, 0, 500, strings.Repeat("\xff", 500)), "WSGI0080"},
		{"a request with a wrong count", helloFrame() + damaged(request), "WSGI0080"},
		{"two requests at once", helloFrame() + request + request, "WSGI0080"},
	} {
		mark := s.Mark()
		if !closedAfter(t, socket, c.bytes, false) {
			t.Errorf("%s: the connection stays open", c.name)
		}
		mark.Wait(t, c.logged)
	}
	// Frames that end too early: whatever is cut, the connection is closed, at the latest when its sender goes.
	for n := range len(request) - 1 {
		closedAfter(t, socket, (helloFrame() + request)[:n+1], true)
	}
	stop()
	expectAllThreads(t, s, 4)
	if now := s.DaemonProcesses(); fmt.Sprint(now) != fmt.Sprint(former) {
		t.Errorf("processes before %v, now %v", former, now)
	}
}

// damaged is a request whose number of variables is wrong.
func damaged(request string) string {
	b := []byte(request)
	binary.LittleEndian.PutUint32(b[len(b)-8:], 1000)
	return string(b)
}

func onlySocket(t *testing.T, s *apachetest.Server) string {
	t.Helper()
	sockets := s.Sockets()
	if len(sockets) != 1 {
		t.Fatalf("not one socket: %v", sockets)
	}
	return sockets[0]
}

// closedAfter sends bytes to a socket, closes its own side if asked, and tells whether the other side closes.
func closedAfter(t *testing.T, socket, bytes string, closeWrite bool) bool {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, bytes) // it may be closed before the end
	if closeWrite {
		_ = conn.(*net.UnixConn).CloseWrite()
	}
	_, err = io.Copy(io.Discard, conn)
	return err == nil || strings.Contains(err.Error(), "reset")
}

// Somebody who connects and says nothing, or half of a frame, keeps no request thread.
func TestASilentConnectionKeepsNoThread(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2 socket-timeout=1"})
	waitProcesses(t, s, 1)
	socket := onlySocket(t, s)
	for _, bytes := range []string{"", helloFrame(), helloFrame() + requestFrame(t)[:20]} {
		for range 10 {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, bytes); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := time.Now()
	expectAllThreads(t, s, 2)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("two requests took %v", took)
	}
}

func TestOtherUsersCannotConnect(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("this needs root, who can be another user")
		return
	}
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2"})
	waitProcesses(t, s, 1)
	socket := onlySocket(t, s)
	const script = `import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
try:
    s.connect(sys.argv[1])
    s.sendall(b"\x01\x00\x00\x00\x04\x00\x00\x00MWD\x01")
    answer = s.recv(100)
    print("closed" if answer == b"" else answer)
except OSError as problem:
    print(type(problem).__name__)
`
	asNobody := func() string {
		command := exec.Command("/usr/bin/python3", "-I", "-c", script, socket)
		command.Dir = "/"
		command.SysProcAttr = &syscall.SysProcAttr{Credential: credentialOf(t, "nobody")}
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		return strings.TrimSpace(string(output))
	}
	if got := asNobody(); got != "PermissionError" {
		t.Errorf("the socket's mode lets another user in: %s", got)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	mark := s.Mark()
	if got := asNobody(); got != "closed" && got != "ConnectionResetError" && got != "BrokenPipeError" {
		t.Errorf("a foreign user gets %s", got)
	}
	mark.Wait(t, "WSGI0034")
	if r := s.Get(t, "/pid"); r.Status != 200 {
		t.Error(r)
	}
}
