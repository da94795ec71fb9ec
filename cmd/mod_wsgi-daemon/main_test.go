package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"modwsgi/directives"
)

func start(input []byte, args ...string) (status int, out, errors string) {
	var stdout, stderr bytes.Buffer
	status = run(args, bytes.NewReader(input), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestCheckAnswersARecording(t *testing.T) {
	recording := directives.Recording{
		Servers: []directives.Server{{Name: "a"}},
		Records: []directives.Record{{Directive: directives.Find("WSGIScriptReloading"), Args: "maybe", File: "f", Line: 3}},
	}
	status, out, stderr := start(recording.Encode(), "check")
	if status != exitDone || stderr != "" {
		t.Fatalf("status %d, %q", status, stderr)
	}
	answer, err := directives.DecodeAnswer([]byte(out))
	if err != nil || len(answer.Problems) != 1 || answer.Problems[0].Line != 3 || answer.Problems[0].Severity != directives.Error {
		t.Errorf("answer %v, %v", answer, err)
	}
}

func TestWhatCanNotBeUnderstoodIsRefusedInOneLine(t *testing.T) {
	other := directives.Recording{Fingerprint: "other", Servers: []directives.Server{{}}}
	for _, c := range []struct {
		input []byte
		args  []string
		want  string
	}{
		{nil, []string{"check"}, "unreadable recording"},
		{[]byte("garbage"), []string{"check"}, "unreadable recording"},
		{other.Encode(), []string{"check"}, "different builds"},
		{nil, []string{"check", "extra"}, `unexpected argument "extra"`},
	} {
		status, out, stderr := start(c.input, c.args...)
		if status != exitUsage || out != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, out %q, errors %q", c.input, status, out, stderr)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}} {
		if status, out, stderr := start(nil, args...); status != exitUsage || out != "" || !strings.Contains(stderr, "Usage:\n  mod_wsgi-daemon") {
			t.Errorf("%q: status %d, out %q, errors %q", args, status, out, stderr)
		}
	}
}

func TestTableIsListed(t *testing.T) {
	if status, out, _ := start(nil, "check", "--table"); status != exitDone || strings.Count(out, "\n") != len(directives.Table) {
		t.Errorf("status %d, out %q", status, out)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("nobody listens") }

func TestUnwrittenAnswerIsAFailure(t *testing.T) {
	recording := directives.Recording{Servers: []directives.Server{{}}}
	if status := run([]string{"check"}, bytes.NewReader(recording.Encode()), brokenPipe{}, &bytes.Buffer{}); status == exitDone {
		t.Error("the failure to write is not in the exit status")
	}
}
