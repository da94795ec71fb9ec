package apachetest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// These tests use no WSGI module: they show that the harness itself starts, finds, signals and stops Apaches.

const static = `<Location "/">
    SetHandler default-handler
</Location>`

func TestServerStartsServesAndStops(t *testing.T) {
	for _, mpm := range apachetest.MPMs {
		for _, mode := range []apachetest.Mode{apachetest.Foreground, apachetest.Daemonized, apachetest.Single} {
			for _, ordinary := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/ordinary=%v", mpm, mode, ordinary), func(t *testing.T) {
					s := apachetest.Start(t, apachetest.Config{
						MPM: mpm, Mode: mode, OrdinaryUser: ordinary, Module: apachetest.NoModule(), Conf: static,
						Files: map[string]string{"htdocs/a.txt": "hello"},
					})
					if r := s.Get(t, "/a.txt"); r.Status != 200 || string(r.Body) != "hello" || r.Ending != apachetest.Complete {
						t.Errorf("unexpected answer:\n%s", r)
					}
					if got := len(s.Children()) > 0; got != (mode != apachetest.Single) {
						t.Errorf("children found: %v", s.Children())
					}
					s.Stop(t)
					if apachetest.Alive(s.Pid()) {
						t.Error("the parent lives on")
					}
				})
			}
		}
	}
}

func TestRestartsReplaceTheChildren(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Module: apachetest.NoModule(), Conf: static, OneChild: true,
		Files: map[string]string{"htdocs/a.txt": "hello"}})
	for name, restart := range map[string]func(testing.TB){"graceful": s.Graceful, "restart": s.Restart} {
		before := s.Children()
		restart(t)
		apachetest.Eventually(t, 10*time.Second, name+": the old children are gone", func() bool {
			for _, pid := range before {
				if apachetest.Alive(pid) {
					return false
				}
			}
			return len(s.Children()) > 0
		})
		if r := s.Get(t, "/a.txt"); r.Status != 200 {
			t.Errorf("after %s:\n%s", name, r)
		}
	}
	s.GracefulStop()
	s.WaitStopped(t, 15*time.Second)
}

func TestConfigtestTellsMistakes(t *testing.T) {
	status, output := apachetest.Configtest(t, apachetest.Config{Module: apachetest.NoModule(), Conf: "Nonsense On"})
	if status == 0 || output == "" {
		t.Errorf("status %d, output %q", status, output)
	}
	status, output = apachetest.Configtest(t, apachetest.Config{Module: apachetest.NoModule()})
	if status != 0 {
		t.Errorf("status %d, output %q", status, output)
	}
}

func TestClassicModuleIsServedAsOracle(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Module: apachetest.Classic(),
		Conf: "WSGIScriptAlias / {{.Apps}}/hello.wsgi\nWSGIApplicationGroup %{GLOBAL}"})
	if r := s.Get(t, "/"); string(r.Body) != "hello\n" {
		t.Errorf("unexpected answer:\n%s", r)
	}
}

func TestFolderIsRemovedAfterTheTest(t *testing.T) {
	var root string
	t.Run("a test", func(t *testing.T) {
		root = apachetest.New(t, apachetest.Config{Module: apachetest.NoModule()}).Root
	})
	if _, err := os.Stat(root); err == nil && os.Getenv("MODWSGI_KEEP") == "" {
		t.Errorf("%s is still there", root)
	}
}
