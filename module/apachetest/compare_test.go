package apachetest

import (
	"fmt"
	"strings"
	"testing"
)

func exchange(status int, body string, lines []string, headers ...Header) Exchange {
	return Exchange{Response: &Response{Status: status, Reason: "OK", Headers: headers, Body: []byte(body), Ending: Complete}, Lines: lines}
}

func TestComparisonFindsEveryKindOfDifference(t *testing.T) {
	pair := &Pair{
		Classic: &Server{Root: "/tmp/classic", ports: map[string]int{"": 4711}},
		Ours:    &Server{Root: "/tmp/ours", ports: map[string]int{"": 4712}},
	}
	dump := func(text string) string { return `{"A": ["str", "` + text + `"], "wsgi.version": ["tuple", [1, 0]]}` }
	same := exchange(200, "at 4711 in /tmp/classic/a", nil, Header{"X", "1"}, Header{"Date", "now"})
	for name, c := range map[string]struct {
		classic, ours Exchange
		subjects      string
	}{
		"nothing but folder, port and date": {same, exchange(200, "at 4712 in /tmp/ours/a", nil, Header{"X", "1"}, Header{"Date", "later"}), ""},
		"status":                            {same, exchange(201, "at 4712 in /tmp/ours/a", nil, Header{"X", "1"}), "status"},
		"body":                              {same, exchange(200, "other", nil, Header{"X", "1"}), "body"},
		"header":                            {same, exchange(200, "at 4712 in /tmp/ours/a", nil, Header{"X", "2"}), "header:x"},
		"repeated header":                   {same, exchange(200, "at 4712 in /tmp/ours/a", nil, Header{"X", "1"}, Header{"X", "1"}), "header:x"},
		"log":                               {same, exchange(200, "at 4712 in /tmp/ours/a", []string{"app: x"}, Header{"X", "1"}), "log"},
		"environ value":                     {exchange(200, dump("a"), nil), exchange(200, dump("b"), nil), "environ:A"},
		"environ key":                       {exchange(200, dump("a"), nil), exchange(200, strings.Replace(dump("a"), `"A"`, `"B"`, 1), nil), "environ:A environ:B"},
		"environ type":                      {exchange(200, dump("a"), nil), exchange(200, strings.Replace(dump("a"), `"str"`, `"bytes"`, 1), nil), "environ:A"},
	} {
		t.Run(name, func(t *testing.T) {
			var subjects []string
			for _, found := range pair.compare(c.classic, c.ours) {
				subjects = append(subjects, found.Subject)
			}
			if got := strings.Join(subjects, " "); got != c.subjects {
				t.Errorf("found %q, want %q", got, c.subjects)
			}
		})
	}
}

func TestLogMessageIsWhatTheApplicationWrote(t *testing.T) {
	const prefix = "[Mon Nov 23 09:14:35.073997 2026] [wsgi:error] [pid 25893:tid 25898] [client 127.0.0.1:54216] "
	for _, message := range []string{"app: one line", "app: [brackets] stay", "app: "} {
		if got := LogMessage(prefix + message); got != message {
			t.Errorf("%q, want %q", got, message)
		}
	}
	if got := fmt.Sprint(appLines(prefix + "app: x\nnoise\n" + prefix + "Traceback\n" + prefix + "app: y\n")); got != "[app: x app: y]" {
		t.Errorf("the application's lines: %s", got)
	}
}
