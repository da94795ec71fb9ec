package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

const pythonProgram = "/usr/bin/python3"

// An example of a page: a server, its files, and what is done with it, in the order of the page.
type example struct {
	page, conf string
	modules    []string
	files      map[string]string
	steps      []block // run, log
}

func (e *example) add(b block) error {
	switch b.action() {
	case "conf":
		e.conf += b.text
		if modules := b.option("modules"); modules != "" {
			e.modules = append(e.modules, strings.Split(modules, ",")...)
		}
	case "file":
		name, ok := strings.CutPrefix(b.argument(2), "/srv/")
		if !ok {
			return errors.New("a file of an example has to be below /srv")
		}
		e.files["srv/"+name] = b.text
		if b.language == "python" {
			return compilePython(b)
		}
	default:
		e.steps = append(e.steps, b)
	}
	return nil
}

// loadModule is a line for readers: the test's servers load the module that is tested.
var loadModule = regexp.MustCompile(`(?m)^LoadModule wsgi_module .*\n`)

// exampleConfig is a server with a configuration of a page. What the page has below /srv is below the server's own folder, and users are
// one that every system has.
func exampleConfig(conf string, modules []string) apachetest.Config {
	conf = loadModule.ReplaceAllString(conf, "")
	conf = strings.ReplaceAll(conf, "/srv/", "{{.Root}}/srv/")
	conf = strings.ReplaceAll(conf, "/srv\n", "{{.Root}}/srv\n")
	user := " user=www-data"
	if os.Getuid() != 0 {
		user = "" // it would do nothing, and configtest says so
	}
	conf = strings.ReplaceAll(conf, " user=site", user)
	var wanted []string
	for _, name := range modules {
		if name != "" {
			wanted = append(wanted, name)
		}
	}
	return apachetest.Config{Conf: conf, Modules: wanted, LogLevel: "warn wsgi:info", Files: map[string]string{"srv/empty": ""}}
}

func (e *example) run(t *testing.T) {
	if len(e.steps) == 0 {
		t.Fatalf("%s: nobody asks this example anything", e.page)
	}
	config := exampleConfig(e.conf, e.modules)
	config.OneChild = true
	config.Templates = map[string]string{}
	for name, text := range e.files {
		if strings.Contains(text, "/srv/") {
			config.Templates[name] = strings.ReplaceAll(text, "/srv/", "{{.Root}}/srv/")
		} else {
			config.Files[name] = text
		}
	}
	s := apachetest.Start(t, config)
	if err := makeWritable(s); err != nil {
		t.Fatal(err)
	}
	for _, b := range e.steps {
		switch b.action() {
		case "run":
			e.runCommands(t, s, b)
		case "log":
			for line := range strings.Lines(b.text) {
				s.WaitLog(t, expression(s, strings.TrimRight(line, "\n")))
			}
		}
	}
}

// makeWritable lets the examples write below /srv, whoever runs them.
func makeWritable(s *apachetest.Server) error {
	return filepath.WalkDir(filepath.Join(s.Root, "srv"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o777)
	})
}

// runCommands runs what stands behind "$ " and compares what it prints with the lines below.
func (e *example) runCommands(t *testing.T, s *apachetest.Server, b block) {
	t.Helper()
	for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
		line, want, _ := strings.Cut(part, "\n")
		for strings.HasSuffix(line, `\`) { // goes on in the next line
			var more string
			more, want, _ = strings.Cut(want, "\n")
			line = strings.TrimSuffix(line, `\`) + more
		}
		wanted := regexp.MustCompile(`\A` + expression(s, strings.TrimSpace(want)) + `\z`)
		got, err := e.shell(s, line)
		for until := time.Now().Add(10 * time.Second); b.option("until") == "shown" && !wanted.MatchString(strings.TrimSpace(got)) && time.Now().Before(until); {
			got, err = e.shell(s, line)
		}
		if err != nil {
			t.Errorf("%s:%d: %s: %v\n%s", e.page, b.line, line, err, got)
		}
		if !wanted.MatchString(strings.TrimSpace(got)) {
			t.Errorf("%s:%d: %s prints\n%s\nand the page has\n%s", e.page, b.line, line, got, want)
		}
	}
}

// shell runs a command line; curl takes http://localhost/ for the server, and mod_wsgi-daemon looks at this one only.
func (e *example) shell(s *apachetest.Server, line string) (string, error) {
	settings := fmt.Sprintf("silent\nshow-error\nnoproxy = \"*\"\nmax-time = 15\nconnect-to = \"localhost:80:127.0.0.1:%d\"\n", s.Port)
	if err := s.WriteFile("curl/.curlrc", settings); err != nil {
		return "", err
	}
	// Other tests have servers, too.
	wrapper := fmt.Sprintf("#!/bin/sh\nexec '%s/mod_wsgi-daemon' \"$@\" --apache %d\n", filepath.Dir(apachetest.Ours().Path), s.Pid())
	if err := s.WriteFile("bin/mod_wsgi-daemon", wrapper); err != nil {
		return "", err
	}
	if err := os.Chmod(filepath.Join(s.Root, "bin/mod_wsgi-daemon"), 0o755); err != nil {
		return "", err
	}
	command := exec.Command("bash", "-c", strings.ReplaceAll(line, "/srv/", s.Root+"/srv/"))
	command.Dir = s.Root
	command.Env = append(os.Environ(), "CURL_HOME="+s.Root+"/curl", "PATH="+s.Root+"/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	output, err := command.CombinedOutput()
	return strings.ReplaceAll(strings.ReplaceAll(string(output), "\r", ""), s.Root+"/srv/", "/srv/"), err
}

// expression is a regular expression for a text of the page: … stands for anything, and a last line of … for any number of lines.
func expression(s *apachetest.Server, text string) string {
	quoted := regexp.QuoteMeta(text)
	if before, ok := strings.CutSuffix(quoted, "\n…"); ok {
		quoted = before + "…"
	}
	quoted = strings.ReplaceAll(quoted, "/srv/", "(?:"+regexp.QuoteMeta(s.Root)+")?/srv/")
	return strings.ReplaceAll(quoted, "…", "(?s:.*?)")
}
