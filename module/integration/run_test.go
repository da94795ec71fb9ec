package integration

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// foreground is a `make run` that the test started, in a process group of its own like a terminal's foreground job.
type foreground struct {
	command *exec.Cmd
	output  *os.File
	scratch string // its TMPDIR, where the temporary server root goes
	port    int
}

func startForeground(t *testing.T, command *exec.Cmd, port int) *foreground {
	t.Helper()
	scratch := t.TempDir()
	// Children of another user must get through to the demonstration's copy.
	for path := scratch; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Env = append(command.Env, "TMPDIR="+scratch)
	command.Stdout, command.Stderr = write, write
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	return &foreground{command, read, scratch, port}
}

// waitForURL returns the line with the URL. A program that says nothing is ended, which ends the reading.
func (f *foreground) waitForURL(t *testing.T) {
	t.Helper()
	impatience := time.AfterFunc(2*time.Minute, f.interrupt)
	defer impatience.Stop()
	url := "http://127.0.0.1:" + strconv.Itoa(f.port) + "/"
	var seen strings.Builder
	for lines := bufio.NewScanner(f.output); lines.Scan(); {
		seen.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), url) {
			go func() { _, _ = io.Copy(io.Discard, f.output) }()
			return
		}
	}
	t.Fatalf("no line with %s, but:\n%s", url, &seen)
}

// interrupt is Ctrl-C.
func (f *foreground) interrupt() { _ = syscall.Kill(-f.command.Process.Pid, syscall.SIGINT) }

func (f *foreground) expectCleanEnd(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- f.command.Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-f.command.Process.Pid, syscall.SIGKILL)
		t.Fatal("Ctrl-C does not end it")
	}
	if left, _ := filepath.Glob(f.scratch + "/*"); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(f.port)); err == nil {
		_ = conn.Close()
		t.Error("something still listens on the port")
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func pageOf(t *testing.T, port int, path string) string {
	t.Helper()
	response, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Errorf("%s: %s, %v\n%s", path, response.Status, err, text)
	}
	return string(text)
}

func TestMakeRunServesTheDemonstrationUntilCtrlC(t *testing.T) {
	port := freePort(t)
	f := startForeground(t, repositoryCommand("make", "--no-print-directory", "run", "PORT="+strconv.Itoa(port)), port)
	f.waitForURL(t)
	page := pageOf(t, port, "/path/info?query=1")
	for _, text := range []string{"It works", "PATH_INFO", "/path/info", "query=1", "wsgi.version"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not show %q:\n%s", text, page)
		}
	}
	f.interrupt()
	f.expectCleanEnd(t)
}

func TestMakeRunServesTheScriptThatAppNames(t *testing.T) {
	port := freePort(t)
	folder := openFolder(t)
	writeOpenFile(t, folder+"/process.wsgi", processApp)
	f := startForeground(t, repositoryCommand("make", "--no-print-directory", "run", "APP="+folder+"/process.wsgi", "PORT="+strconv.Itoa(port)), port)
	f.waitForURL(t)
	if _, err := strconv.Atoi(pageOf(t, port, "/")); err != nil {
		t.Error(err)
	}
	f.interrupt()
	f.expectCleanEnd(t)
}

func TestAnOrdinaryUserCanServeTheDemonstration(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("TestMakeRunServesTheDemonstrationUntilCtrlC is that already: these tests are not run by root")
		return
	}
	// Copies, since the repository may lie where only root can go.
	folder := openFolder(t)
	ours := apachetest.Ours().Path
	for name, mode := range map[string]os.FileMode{
		ours: 0o755, filepath.Dir(ours) + "/mod_wsgi-daemon": 0o755, ".ci/serve": 0o755, "testdata/demo/environ.wsgi": 0o644,
	} {
		if !filepath.IsAbs(name) {
			name = filepath.Join(apachetest.RepositoryRoot(), name)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		writeOpenFile(t, filepath.Join(folder, filepath.Base(name)), string(text))
		if err := os.Chmod(filepath.Join(folder, filepath.Base(name)), mode); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	serve := exec.Command(folder+"/serve", folder+"/"+filepath.Base(ours), folder+"/environ.wsgi", strconv.Itoa(port))
	serve.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	serve.SysProcAttr = &syscall.SysProcAttr{Credential: credentialOf(t, "www-data")}
	f := startForeground(t, serve, port)
	f.waitForURL(t)
	if page := pageOf(t, port, "/"); !strings.Contains(page, "It works") {
		t.Errorf("unexpected page:\n%s", page)
	}
	f.interrupt()
	f.expectCleanEnd(t)
}

func TestMakeRunSaysInOneLineWhyItCannotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	hidden := t.TempDir()
	if err := os.Chmod(hidden, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hidden+"/hidden.wsgi", []byte(processApp), 0o600); err != nil {
		t.Fatal(err)
	}
	demo, port := "testdata/demo/environ.wsgi", strconv.Itoa(freePort(t))
	cases := map[string]struct{ script, port, message string }{
		"port taken":      {demo, strconv.Itoa(taken.Addr().(*net.TCPAddr).Port), "is taken"},
		"no such script":  {"nowhere.wsgi", port, "there is no script nowhere.wsgi"},
		"script a folder": {"testdata", port, "is no file"},
		"port a word":     {demo, "http", "is no port number"},
	}
	if os.Getuid() == 0 {
		cases["script unreadable"] = struct{ script, port, message string }{hidden + "/hidden.wsgi", port, "not readable by www-data"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			output, err := repositoryCommand(".ci/serve", "build/mod_wsgi.so", c.script, c.port).CombinedOutput()
			expectOneLine(t, string(output), err, c.message)
		})
	}
}

// openFolder is a temporary folder that other users can read.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "modwsgi-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func writeOpenFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
}
