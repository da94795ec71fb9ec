package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"modwsgi/module/apachetest"
)

// An application whose answers come in every shape that the gateway knows: the path says which.
const shapesScript = `
import io, os, tempfile

def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/html")])
    if path == "/list":
        return [b"<p>hello, ", b"world</p>"]
    if path == "/length":
        return [b"x" * 40000]
    if path == "/large":
        return [b"0123456789" * 45000]
    if path == "/blocks":
        return (b"<p>block %d</p>" % i for i in range(20))
    if path == "/empty":
        return []
    if path == "/file":
        file = tempfile.TemporaryFile()
        file.write(b"<p>in a file</p>" * 100)
        file.seek(0)
        return environ["wsgi.file_wrapper"](file)
    if path == "/inner":
        return [b"i" * 300]
    if path == "/outer":
        return [b"before <!--#include virtual='/shapes/inner' --> between <!--#include virtual='/shapes/inner' --> after " + b"o" * 200]
    if path == "/failing":
        return [b"before <!--#include virtual='/shapes/nowhere' --> after"]
    if path == "/echo":
        return [environ["wsgi.input"].read()]
    raise ValueError(path)
`

func TestFiltersOfOtherModulesGetWholeAnswers(t *testing.T) {
	filters := []struct{ name, module, conf, coding, replace string }{
		{"brotli", "brotli", "SetOutputFilter BROTLI_COMPRESS", "br", ""},
		{"deflate", "deflate", "SetOutputFilter DEFLATE", "gzip", ""},
		{"ext_filter", "ext_filter", "SetOutputFilter cat", "", ""},
		{"substitute", "substitute", "SetOutputFilter SUBSTITUTE\nSubstitute s/block/brick/", "", "block=brick"},
		{"buffer", "buffer", "SetOutputFilter BUFFER", "", ""},
		{"ratelimit", "ratelimit", "SetOutputFilter RATE_LIMIT\nSetEnv rate-limit 4000", "", ""},
	}
	for _, f := range filters {
		t.Run(f.name, func(t *testing.T) {
			group{
				name: "filter " + f.name,
				mpms: []apachetest.MPM{apachetest.Event},
				config: apachetest.Config{
					Modules: []string{f.module, "filter", "env"},
					Files:   map[string]string{"shapes.wsgi": shapesScript},
					Conf: map[bool]string{true: "ExtFilterDefine cat mode=output cmd=/bin/cat\n"}[f.name == "ext_filter"] + `
WSGIScriptAlias /shapes {{.Root}}/shapes.wsgi
WSGIApplicationGroup %{GLOBAL}
<Location /shapes>
` + f.conf + `
</Location>
`},
				cases: shapeCases(f.coding, f.replace),
			}.run(t)
		})
	}
}

func shapeCases(coding, replace string) []testCase {
	blocks := ""
	for i := range 20 {
		blocks += fmt.Sprintf("<p>block %d</p>", i)
	}
	answers := map[string]string{
		"list":   "<p>hello, world</p>",
		"length": strings.Repeat("x", 40000),
		"large":  strings.Repeat("0123456789", 45000),
		"blocks": blocks,
		"empty":  "",
		"file":   strings.Repeat("<p>in a file</p>", 100),
	}
	was, becomes, _ := strings.Cut(replace, "=")
	var cases []testCase
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		text := answers[name]
		if was != "" {
			text = strings.ReplaceAll(text, was, becomes)
		}
		request := get("/shapes/" + name)
		if coding != "" {
			request = get("/shapes/"+name, hd("Accept-Encoding", coding))
		}
		cases = append(cases, testCase{name: name, request: request, wants: is(status(200), decodedBody(text))})
	}
	return cases
}

// decodedBody wants the text in whatever coding the answer says it is.
func decodedBody(text string) want {
	return func(e apachetest.Exchange) string {
		var from io.Reader = bytes.NewReader(e.Body)
		switch coding := e.Get("Content-Encoding"); coding {
		case "gzip":
			unzipped, err := gzip.NewReader(from)
			if err != nil {
				return err.Error()
			}
			from = unzipped
		case "br":
			from = brotli.NewReader(from)
		}
		got, err := io.ReadAll(from)
		if err != nil {
			return err.Error()
		}
		return complaint(string(got) != text, fmt.Sprintf("the body is %.200q, want %.200q", got, text))
	}
}

func TestAnApplicationMayBeIncludedInAnothersAnswer(t *testing.T) {
	inner := strings.Repeat("i", 300)
	group{
		name:     "includes",
		oursOnly: true, // the classic module's process crashes, in the first case before the end of its answer
		config: apachetest.Config{
			Modules: []string{"include", "filter"},
			Files:   map[string]string{"shapes.wsgi": shapesScript},
			Conf: `
WSGIScriptAlias /shapes {{.Root}}/shapes.wsgi
WSGIApplicationGroup %{GLOBAL}
<Location /shapes>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
`},
		cases: []testCase{
			{name: "twice", request: get("/shapes/outer"), wants: is(status(200), body("before "+inner+" between "+inner+" after "+strings.Repeat("o", 200)))},
			{name: "one that fails", request: get("/shapes/failing"), wants: is(status(200), bodyHas("before ["), bodyHas(" after"))},
		},
	}.run(t)
}

// The outer request runs in another interpreter, whose objects nobody may touch who does not hold its GIL.
func TestWhatAnIncludedScriptWritesWhileLoadingIsNoRecordOfTheOuterRequest(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{
		Modules: []string{"include", "filter"},
		Files: map[string]string{
			"outer.wsgi": `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    yield b'outer, <!--#include virtual="/inner" -->, '
    print("the outer one goes on", file=__import__("sys").stderr)
    yield b'end'
`,
			"inner.wsgi": `import sys
print("the inner one is loaded", file=sys.stderr)
def application(environ, start_response):
    print("the inner one runs", file=sys.stderr)
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"inner"]
`,
		},
		Conf: `
WSGIScriptAlias /outer {{.Root}}/outer.wsgi application-group=outer
WSGIScriptAlias /inner {{.Root}}/inner.wsgi application-group=inner
<Location /outer>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
`})
	expectBody(t, s, "/outer", "outer, inner, end")
	if line := s.WaitLog(t, "the inner one is loaded"); strings.Contains(line, "[client ") {
		t.Errorf("a record of the server's is said to be of a request:\n%s", line)
	}
	for _, text := range []string{"the inner one runs", "the outer one goes on"} {
		if line := s.WaitLog(t, text); !strings.Contains(line, "[client ") {
			t.Errorf("a record of a request is said to be the server's:\n%s", line)
		}
	}
}

func TestABlockingInputFilterStopsNobodyElse(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), blockInAFilter)
}

func blockInAFilter(t *testing.T, in setting) {
	s := apachetest.Start(t, in.of(apachetest.Config{
		Modules: []string{"ext_filter"},
		Files:   map[string]string{"shapes.wsgi": shapesScript},
		Conf: `
ExtFilterDefine slow mode=input cmd="/bin/sh -c 'cat; read line < {{.Root}}/gate'"
WSGIScriptAlias /shapes {{.Root}}/shapes.wsgi
WSGIApplicationGroup %{GLOBAL}
<Location /shapes/echo>
    SetInputFilter slow
</Location>
`}))
	gate := filepath.Join(s.Root, "gate")
	if err := syscall.Mkfifo(gate, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(gate, 0o666); err != nil {
		t.Fatal(err)
	}
	slow := s.Dial(t)
	slow.Send("POST /shapes/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
	// The filter's end of the gate is open once the request is inside it.
	opened := make(chan *os.File, 1)
	go func() {
		file, err := os.OpenFile(gate, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
		}
		opened <- file
	}()
	var file *os.File
	select {
	case file = <-opened:
	case <-time.After(10 * time.Second):
		t.Fatal("the filter was not started")
	}
	for range 3 {
		expectBody(t, s, "/shapes/list", "<p>hello, world</p>")
	}
	file.WriteString("go\n")
	file.Close()
	if answer := slow.Read("POST"); string(answer.Body) != "abc" {
		t.Errorf("the slow request got %q", answer.Body)
	}
}
