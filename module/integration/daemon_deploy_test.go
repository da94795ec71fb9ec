package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Deployments that can't be loaded: the old code goes on.

// deployed is a script that answers with its version.
func deployed(version string, lines ...string) string {
	return strings.Join(lines, "\n") + fmt.Sprintf(`
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%s"]
`, version)
}

// A site is a server with a script that is deployed over and over.
type site struct {
	*apachetest.Server
	t    *testing.T
	when time.Time // of the last deployment
}

const deployConf = "WSGIScriptAlias / {{.Root}}/app.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"

func startSite(t *testing.T, options, conf string, files map[string]string) *site {
	t.Helper()
	all := map[string]string{"app.wsgi": deployed("first")}
	for name, text := range files {
		all[name] = text
	}
	s := apachetest.Start(t, apachetest.Config{Daemon: options, Conf: conf, Files: all, Tolerate: append([]string{"exit signal", "SIGSEGV"}, killed...),
		LogLevel: "warn wsgi:info", Tuning: threadedTuning})
	return &site{s, t, time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
}

// deploy replaces a script at once, as a file that is renamed does.
func (s *site) deploy(name, text string) {
	s.t.Helper()
	s.when = s.when.Add(time.Second)
	rewrite(s.t, s.Server, name+".new", text, s.when)
	if err := os.Rename(filepath.Join(s.Root, name+".new"), filepath.Join(s.Root, name)); err != nil {
		s.t.Fatal(err)
	}
}

// want asks several times at once and fails unless every answer is the text.
func (s *site) want(path, text string) {
	s.t.Helper()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if r := s.Get(s.t, path); string(r.Body) != text || r.Status != 200 {
					s.t.Errorf("%s answers %d %q, want %q", path, r.Status, r.Body, text)
					return
				}
			}
		})
	}
	all.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// wantNew fails unless the next request gets the new code, and then everybody as soon as all processes have it.
func (s *site) wantNew(path, former, text string) {
	s.t.Helper()
	if r := s.Get(s.t, path); string(r.Body) != text {
		s.t.Fatalf("%s answers %d %q, want %q", path, r.Status, r.Body, text)
	}
	apachetest.Eventually(s.t, 20*time.Second, path+" answers "+text+" to everybody", func() bool {
		answers := make(chan string, 20)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 5 {
					answers <- string(s.Get(s.t, path).Body)
				}
			})
		}
		all.Wait()
		close(answers)
		old := 0
		for answer := range answers {
			if answer == former {
				old++
			} else if answer != text {
				s.t.Fatalf("%s answers %q, want %q, or %q for a while", path, answer, text, former)
			}
		}
		return old == 0
	})
}

// wantLogged looks for how often a text is there since the mark.
func wantLogged(t *testing.T, mark apachetest.Mark, text string, times int) {
	t.Helper()
	if got := strings.Count(mark.Since(), text); got != times {
		t.Errorf("%q is logged %d times, want %d:\n%s", text, got, times, mark.Since())
	}
}

func TestABadDeploymentKeepsTheOldCode(t *testing.T) {
	for _, c := range []struct {
		name, options string
		bad, logged   string
	}{
		{"it raises", "processes=2 threads=3", deployed("bad", "raise ValueError('unusual')"), "ValueError: unusual"},
		{"one process, one thread", "processes=1 threads=1", deployed("bad", "import nowhere_at_all"), "ModuleNotFoundError: No module named"},
		{"SystemExit", "processes=2 threads=3", deployed("bad", "raise SystemExit(3)"), "WSGI0108"},
		{"syntax error", "processes=2 threads=3", "x = (\n", "SyntaxError: "},
		{"no callable", "processes=2 threads=3", "x = 1\n", "WSGI0089"},
		{"it crashes", "processes=2 threads=3", deployed("bad", "import signal", "signal.raise_signal(signal.SIGSEGV)"), "was killed by SIGSEGV (segmentation fault) while loading script"},
		{"it exits", "processes=2 threads=3", deployed("bad", "import os", "os._exit(0)"), "it ended with exit status 0 while loading script"},
		{"it hangs", "processes=2 threads=3 startup-timeout=1", deployed("bad", "import time", "time.sleep(60)"), "takes longer than 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, c.options, deployConf, nil)
			s.want("/", "first")
			for range 2 { // a change is another one even if the content is the same
				mark := s.Mark()
				s.deploy("app.wsgi", c.bad)
				s.want("/", "first")
				s.want("/", "first")
				mark.Wait(t, "WSGI0307: .* goes on with the code that it has: .*/app.wsgi.*; the next attempt is made when .*/app.wsgi has changed again")
				wantLogged(t, mark, "WSGI0307", 1)
				wantLogged(t, mark, c.logged, 1)
			}
			s.deploy("app.wsgi", deployed("second"))
			s.wantNew("/", "first", "second")
		})
	}
}

func TestWithoutKeepOldCodeABadDeploymentAnswers500(t *testing.T) {
	s := startSite(t, "processes=2 threads=3 keep-old-code=Off", deployConf, nil)
	s.want("/", "first")
	s.deploy("app.wsgi", deployed("bad", "raise ValueError('unusual')"))
	for range 3 {
		if r := s.Get(t, "/"); r.Status != 500 {
			t.Errorf("a bad deployment answers:\n%s", r)
		}
	}
	s.deploy("app.wsgi", deployed("second"))
	s.wantNew("/", "first", "second") // one process may not have been replaced yet
}

// Another script of the group, which is good, waits for the bad one: they are loaded together or not at all.
func TestOneBadScriptHoldsUpTheOthersOfItsGroup(t *testing.T) {
	conf := "WSGIScriptAlias /a {{.Root}}/app.wsgi application-group=one\nWSGIScriptAlias /b {{.Root}}/app.wsgi application-group=two\nWSGIScriptAlias /other {{.Root}}/other.wsgi\n"
	s := startSite(t, "processes=2 threads=3", conf, map[string]string{"other.wsgi": deployed("other first")})
	for _, path := range []string{"/a", "/b"} {
		s.want(path, "first")
	}
	s.want("/other", "other first")
	mark := s.Mark()
	onlyInTwo := deployed("bad", "import mod_wsgi", "if mod_wsgi.application_group == 'two': raise ValueError('unusual')")
	s.deploy("app.wsgi", onlyInTwo)
	for range 2 {
		s.want("/a", "first")
		s.want("/b", "first")
	}
	wantLogged(t, mark, "ValueError: unusual", 1)
	wantLogged(t, mark, "WSGI0307", 1)
	s.deploy("other.wsgi", deployed("other second"))
	s.want("/other", "other first")
	wantLogged(t, mark, "ValueError: unusual", 1) // nothing new about that one
	s.deploy("app.wsgi", deployed("second"))
	s.wantNew("/other", "other first", "other second") // the mended one need not be asked for itself
	s.wantNew("/a", "first", "second")
	s.wantNew("/b", "first", "second")
}

func TestRecyclingGoesOnWhenABadDeploymentIsMended(t *testing.T) {
	for _, c := range []struct{ options, conf string }{
		{"processes=2 threads=3 restart-interval=1", ""},
		{"processes=1 threads=3 maximum-requests=10", "WSGIScriptReloading Off\n"}, // nobody but the recycling notices
	} {
		t.Run(c.options, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, c.options, deployConf+c.conf, nil)
			s.want("/", "first")
			mark := s.Mark()
			s.deploy("app.wsgi", deployed("bad", "raise ValueError('unusual')"))
			stop := requestContinuouslyOf(t, s.Server, "/")
			defer stop()
			mark.Wait(t, "WSGI0307: .*; the next attempt is in 2s") // the second one that recycling has made, or the first after a request had noticed
			wantLogged(t, mark, "ValueError: unusual", 1)
			s.deploy("app.wsgi", deployed("second"))
			apachetest.Eventually(t, 20*time.Second, "the second version answers", func() bool { return string(s.Get(t, "/").Body) == "second" })
		})
	}
}

// What has died can't be kept.
func TestANewProcessServesWhatThereIs(t *testing.T) {
	s := startSite(t, "processes=1 threads=3", deployConf+"WSGIScriptAlias /other {{.Root}}/other.wsgi\n", map[string]string{"other.wsgi": deployed("other")})
	s.want("/", "first")
	mark := s.Mark()
	s.deploy("app.wsgi", deployed("bad", "raise ValueError('unusual')"))
	s.want("/", "first")
	mark.Wait(t, "WSGI0307")
	former := s.DaemonProcesses()
	for _, pid := range former {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	apachetest.Eventually(t, 20*time.Second, "a new process answers 500", func() bool { return s.Get(t, "/").Status == 500 })
	s.deploy("app.wsgi", deployed("second"))
	s.want("/", "second")
}

func TestARestartedServerServesWhatThereIs(t *testing.T) {
	s := startSite(t, "processes=1 threads=3", deployConf, nil)
	s.want("/", "first")
	mark := s.Mark()
	s.deploy("app.wsgi", deployed("bad", "raise ValueError('unusual')"))
	s.want("/", "first")
	mark.Wait(t, "WSGI0307")
	s.Graceful(t)
	apachetest.Eventually(t, 20*time.Second, "the new generation answers 500", func() bool { return s.Get(t, "/").Status == 500 })
	s.deploy("app.wsgi", deployed("second"))
	s.want("/", "second")
}

func TestDeploymentsUnderLoadFailNoRequest(t *testing.T) {
	s := startSite(t, "processes=2 threads=5", deployConf, nil)
	s.want("/", "first")
	var current atomic.Int64
	served := underLoad(t, s.Server, "/", func() {
		for n := range 3 {
			mark := s.Mark()
			s.deploy("app.wsgi", deployed("bad", "import time", "time.sleep(0.2)", fmt.Sprintf("raise ValueError('bad %d')", n)))
			mark.Wait(t, "WSGI0307")
			wantLogged(t, mark, fmt.Sprintf("ValueError: bad %d", n), 1)
			version := fmt.Sprintf("version %d", n)
			s.deploy("app.wsgi", deployed(version))
			apachetest.Eventually(t, 20*time.Second, version+" answers", func() bool { return string(s.Get(t, "/").Body) == version })
			current.Store(int64(n))
		}
	})
	t.Logf("%d deployments of each kind, %d requests", current.Load()+1, served)
}

// With one thread, an application is loaded on the thread that serves it, in a successor too.
func TestASuccessorLoadsOnAThreadThatServes(t *testing.T) {
	thread := func(version string) string {
		return fmt.Sprintf(`
import threading
loader = threading.get_ident()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%s %%d" %% (loader == threading.get_ident())]
`, version)
	}
	s := startSite(t, "processes=1 threads=1", deployConf, map[string]string{"app.wsgi": thread("first")})
	s.want("/", "first 1")
	mark := s.Mark()
	s.deploy("app.wsgi", thread("second"))
	s.wantNew("/", "first 1", "second 1")
	text := mark.Since()
	loading, ready := strings.Index(text, "loading script"), strings.Index(text, "is ready and replaces")
	if loading < 0 || ready < loading {
		t.Errorf("it is not loaded before its process takes over:\n%s", text)
	}
}
