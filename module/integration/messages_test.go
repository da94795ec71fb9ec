package integration

import (
	"regexp"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// What an application writes to wsgi.errors, sys.stderr and sys.stdout: reference runtime.md, 2.14 and section 6.

func TestMessagesReachTheErrorLogLineByLine(t *testing.T) {
	logged := func(name, target string, lines ...string) testCase {
		return testCase{name: name, request: get(target), wants: is(status(200), body("done")), logs: lines}
	}
	group{
		name:     "messages",
		thorough: true,
		config:   apachetest.Config{Conf: "WSGIScriptAlias / {{.Apps}}/messages.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"},
		cases: []testCase{
			logged("one line", "/line", "app: one line"),
			logged("print", "/print", "app: printed"),
			logged("two lines in one call", "/two_lines", "app: first", "app: second"),
			logged("a line in pieces", "/pieces", "app: in pieces"),
			logged("no newline", "/fragment", "app: no newline"),
			logged("flush", "/flush", "app: flushed", "app: then this"),
			logged("a fragment after a newline", "/after_newline", "app: A", "app: B", "app: C"),
			logged("writelines", "/writelines", "app: x", "app: y"),
			logged("beyond ASCII", "/unicode", `app: caf\xc3\xa9 \xe2\x82\xac`),
			logged("lone surrogate", "/surrogate", "app: ? odd"),
			logged("carriage return", "/carriage_return", `app: a\rb`),
			logged("tab", "/tab", `app: a\tb`),
			logged("long", "/long", "app: "+longText(5000)),
			logged("stderr", "/stderr", "app: to stderr"),
			logged("stdout", "/stdout", "app: to stdout"),
			logged("from a thread", "/thread", "app: from a thread"),
			logged("logging", "/logging", "app: through logging"),
			{name: "attributes of the stream", request: get("/attributes"), wants: is(body(strings.Join([]string{
				"name='<wsgi.errors>'", "encoding='utf-8'", "errors='replace'", "closed=False", "isatty=False", "writable=True", "readable=False", "seekable=False", "fileno=OSError", "TextIOWrapper"}, "\n")))},
			{name: "closed by the application", request: get("/closed"), wants: is(status(200))},
			{name: "the stream below", request: get("/buffer"), wants: is(status(200)), logs: []string{"app: bytes", "app: x", "app: y"}},
		},
	}.run(t)
}

func TestTooLongMessageIsCut(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Apps}}/messages.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", nil, func(t *testing.T, s *apachetest.Server) {
		mark := s.Mark()
		s.Get(t, "/too_long")
		line := mark.Wait(t, "app: xxx")
		if n := strings.Count(line, "x"); n < 7000 || n > 8200 {
			t.Errorf("%d characters of 10,000 were logged", n)
		}
	})
}

// decorated is how Apache begins a line about a request (whether it says client or remote depends on its version).
var decorated = regexp.MustCompile(`^\[[^]]+\] \[wsgi:error\] \[pid \d+(:tid \d+)?\] \[(remote|client) 127\.0\.0\.1:\d+\] `)

func TestLogLinesOfARequestNameItsClient(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Apps}}/messages.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", nil, func(t *testing.T, s *apachetest.Server) {
		for _, path := range []string{"/line", "/stderr", "/stdout"} {
			mark := s.Mark()
			s.Get(t, path)
			line := mark.Wait(t, "app: ")
			if !decorated.MatchString(line) {
				t.Errorf("%s: %s", path, line)
			}
		}
	})
}

func TestTracebackGoesToTheLogOfItsVirtualHost(t *testing.T) {
	conf := `
<VirtualHost *:{{.Port}}>
    ServerName one.test
    ErrorLog {{.Root}}/logs/one.log
    WSGIScriptAlias / {{.Apps}}/results.wsgi
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName two.test
    ErrorLog {{.Root}}/logs/two.log
    WSGIScriptAlias /broken {{.Root}}/broken.wsgi
    WSGIScriptAlias / {{.Apps}}/results.wsgi
</VirtualHost>
WSGIApplicationGroup %{GLOBAL}
`
	for _, in := range both(apachetest.MPMs, sizes) {
		t.Run(in.String(), func(t *testing.T) {
			s := apachetest.Start(t, in.of(apachetest.Config{Conf: conf, Files: map[string]string{"broken.wsgi": "x = (\n"}}))
			for path, lines := range map[string][]string{
				"/raise_before":      {"Traceback", "results.wsgi", "in case_raise_before", "ValueError: before anything"},
				"/raise_first_block": {"Traceback", "in case_raise_first_block", "ValueError: before the first block"},
				"/raise_mid":         {"Traceback", "in case_raise_mid", "ValueError: after a block"},
				"/close_raises":      {"Traceback", "in close", "ValueError: in close"},
				"/chained":           {"KeyError: 'inner'", "direct cause", "ValueError: outer"},
				"/system_exit":       {"SystemExit"},
				"/none":              {"TypeError"},
				"/no_start":          {"RuntimeError"},
				"/broken":            {"broken.wsgi", "SyntaxError"},
			} {
				one, two := s.MarkFile("one.log"), s.MarkFile("two.log")
				s.Do(t, host("two.test", path))
				for _, text := range lines {
					line := two.Wait(t, text)
					if !decorated.MatchString(line) {
						t.Errorf("%s: %s", path, line)
					}
				}
				if path == "/raise_before" {
					two.Wait(t, "WSGI0174")
				}
				if got := one.Since(); got != "" {
					t.Errorf("%s: the other virtual host's log has: %s", path, got)
				}
			}
			if strings.Contains(s.Log(), "Traceback") {
				t.Errorf("the main log has a traceback")
			}
		})
	}
}
