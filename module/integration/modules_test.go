package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// forEachModule runs a test that a table can't express against both modules, under the event MPM: what holds for us must
// hold for the oracle, or the test is wrong. In daemon mode it must hold for us, too.
func forEachModule(t *testing.T, conf string, files map[string]string, test func(t *testing.T, s *apachetest.Server)) {
	t.Helper()
	config := apachetest.Config{Conf: conf, Files: files, OneChild: true}
	for _, module := range []apachetest.Module{apachetest.Classic(), apachetest.Ours()} {
		t.Run(module.Name, func(t *testing.T) {
			config.Module = module
			test(t, apachetest.Start(t, config))
		})
	}
	inSettings(t, manyThreads, func(t *testing.T, in setting) {
		config.Module = apachetest.Ours()
		test(t, apachetest.Start(t, in.of(config)))
	})
}

var fifos atomic.Int64

// makeFIFO makes a named pipe that an application can wait at.
func makeFIFO(t *testing.T, s *apachetest.Server) string {
	t.Helper()
	path := filepath.Join(s.Root, "var", "gate"+strconv.FormatInt(fifos.Add(1), 10))
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// openGate lets the application go on that waits at the pipe.
func openGate(t *testing.T, path string) {
	t.Helper()
	holdGate(t, path)()
}

// waitForFile waits until an application has written a file below Root/var, and returns its content.
func waitForFile(t *testing.T, s *apachetest.Server, name string) string {
	t.Helper()
	var text []byte
	apachetest.Eventually(t, 10*time.Second, "the application writes "+name, func() bool {
		var err error
		text, err = os.ReadFile(filepath.Join(s.Root, "var", name))
		return err == nil && len(text) > 0
	})
	return string(text)
}

// holdGate waits until an application waits at the pipe, and keeps it there until the returned function is called.
func holdGate(t *testing.T, path string) (open func()) {
	t.Helper()
	var f *os.File
	apachetest.Eventually(t, 10*time.Second, "the application waits at the gate", func() bool {
		var err error
		f, err = os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	t.Cleanup(func() { _ = f.Close() })
	return func() { _ = f.Close() }
}
