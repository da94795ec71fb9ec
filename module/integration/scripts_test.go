package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Loading scripts, and what is said when that fails: reference runtime.md, 3.4 and 3.5.

func TestScriptIsLoadedOnceByConcurrentFirstRequests(t *testing.T) {
	script := `import os, time
with open(os.path.join(os.path.dirname(__file__), "var", "loads"), "a") as file:
    file.write("x")
time.sleep(0.3)
` + greeting("loaded")
	for _, in := range both([]apachetest.MPM{apachetest.Event, apachetest.Worker}, manyThreads) {
		group := map[setting]string{{mpm: apachetest.Event}: "%{GLOBAL}"}[in]
		if group == "" {
			group = "sub"
		}
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"slow.wsgi": script},
			Conf: "WSGIScriptAlias /slow {{.Root}}/slow.wsgi\nWSGIApplicationGroup " + group + "\nWSGIScriptAlias /other {{.Apps}}/hello.wsgi\n"}))
		done := make(chan string, 6)
		for range cap(done) {
			go func() { done <- string(s.Get(t, "/slow").Body) }()
		}
		waitForFile(t, s, "loads")
		start := time.Now()
		if r := s.Get(t, "/other"); r.Status != 200 || time.Since(start) > 250*time.Millisecond {
			t.Errorf("another script waits %v for a slow one: %s", time.Since(start), r)
		}
		for range cap(done) {
			if body := <-done; body != "loaded" {
				t.Errorf("%q", body)
			}
		}
		if got := waitForFile(t, s, "loads"); got != "x" {
			t.Errorf("%s: loaded %d times", in, len(got))
		}
	}
}

func TestScriptThatCannotBeLoadedIsExplainedInOneLine(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), failToLoad)
}

func failToLoad(t *testing.T, in setting) {
	s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{
		"private.wsgi": greeting("never"), "closed/app.wsgi": greeting("never"), "broken.wsgi": "def application(:\n", "nul.wsgi": "x = 1\x00\n", "coding.wsgi": "# coding: no-such\n",
		"latin.wsgi": "x = '\xe4'\n", "raising.wsgi": "def deep():\n    raise KeyError('why')\ndeep()\n", "exiting.wsgi": "import sys\nsys.exit('no')\n",
		"missing.wsgi": "import no_such_module\n", "none.wsgi": "application = None\n", "empty.wsgi": "",
	}, Conf: "WSGIApplicationGroup sub\nWSGIScriptAlias / {{.Root}}/\n"}))
	noCallable := 404
	if in.options != "" {
		noCallable = 500
	}
	type outcome struct {
		path   string
		status int
		says   string   // the one line
		trace  []string // after it
	}
	cases := []outcome{
		{"broken.wsgi", 500, "WSGI0105: cannot read or compile script .*/broken.wsgi: SyntaxError", []string{"SyntaxError: "}},
		{"nul.wsgi", 500, "WSGI0105: .*/nul.wsgi", []string{"null bytes"}},
		{"coding.wsgi", 500, "WSGI0105: .*/coding.wsgi: SyntaxError", []string{"no-such"}},
		{"raising.wsgi", 500, "WSGI0109: cannot load script .*/raising.wsgi: KeyError was raised, in interpreter 'sub'", []string{"in deep", "KeyError: 'why'"}},
		{"exiting.wsgi", 500, "WSGI0107: cannot load script .*/exiting.wsgi: it raised SystemExit", nil},
		{"missing.wsgi", 500, "WSGI0109: .*/missing.wsgi: ModuleNotFoundError was raised", []string{"No module named 'no_such_module'"}},
		{"none.wsgi", 500, "WSGI0174: .*/none.wsgi: TypeError was raised", []string{"'NoneType' object is not callable"}},
		{"empty.wsgi", noCallable, "WSGI0089: .*/empty.wsgi: it defines no 'application'", nil},
		{"nowhere.wsgi", 404, "WSGI0135: .*/nowhere.wsgi", nil},
	}
	if os.Getuid() == 0 {
		for name, mode := range map[string]os.FileMode{"private.wsgi": 0o600, "closed/app.wsgi": 0o640} {
			if err := os.Chmod(filepath.Join(s.Root, name), mode); err != nil {
				t.Fatal(err)
			}
		}
		cases = append(cases, outcome{"private.wsgi", 500, "WSGI0105: .*/private.wsgi may not be read by user www-data .owner root, mode 0600.; 'chmod o.r .*/private.wsgi' would allow it", nil},
			outcome{"closed/app.wsgi", 500, "WSGI0105: .*/closed/app.wsgi may not be read by user www-data .owner root, mode 0640", nil})
	}
	for _, c := range cases {
		for range 2 { // failures are not remembered
			mark := s.Mark()
			if r := s.Get(t, "/"+c.path); r.Status != c.status {
				t.Errorf("%s: status %d, want %d", c.path, r.Status, c.status)
			}
			mark.Wait(t, c.says)
			for _, text := range c.trace {
				mark.Wait(t, text)
			}
			if n := strings.Count(mark.Since(), "WSGI0"); n != 1 {
				t.Errorf("%s: %d lines with a code:\n%s", c.path, n, mark.Since())
			}
		}
	}
}
