package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// group is a configuration with the cases that share its servers. It runs embedded under every MPM, and in process groups; each
// case is sent to both modules, compared, and our answer held against what the case wants.
type group struct {
	name   string
	config apachetest.Config
	cases  []testCase

	oursOnly bool             // the classic module does not know the configuration
	mpms     []apachetest.MPM // default: all
	thorough bool             // in every size of a process group, not only in two
	options  string           // more options for the process group
}

type testCase struct {
	name     string
	request  apachetest.Request
	wants    []want
	embedded []want // more, in embedded mode
	daemon   []want // more, in daemon mode

	logs     []string // application's messages (LogMessage) that must appear
	ignore   []string // what depends on timing (Comparison.Ignore)
	logFile  string   // where; default error.log
	oursOnly bool     // not sent to the classic module, which would hang, crash, or does not have it
}

func (g group) run(t *testing.T) {
	mpms := g.mpms
	if mpms == nil {
		mpms = apachetest.MPMs
	}
	for _, in := range append(embedded(mpms...), g.daemonSettings()...) {
		t.Run(in.String(), func(t *testing.T) {
			if in.options != "" && g.options != "" {
				in.options += " " + g.options
			}
			config := in.of(g.config)
			var pair *apachetest.Pair
			var ours *apachetest.Server
			if g.oursOnly {
				ours = apachetest.Start(t, config)
			} else {
				pair = apachetest.StartPair(t, config, listed)
				ours = pair.Ours
			}
			for _, c := range g.cases {
				c.wants = slices.Concat(c.wants, map[bool][]want{false: c.embedded, true: c.daemon}[in.options != ""])
				t.Run(c.name, func(t *testing.T) { c.run(t, g.name, pair, ours) })
			}
		})
	}
}

// daemonSettings are all sizes of a process group for a thorough group, the largest for one that runs under one MPM, and otherwise
// two that have nothing in common.
func (g group) daemonSettings() []setting {
	if g.thorough {
		return sizes
	}
	if g.mpms != nil {
		return sizes[:1]
	}
	half := 2 * (len(g.name) % 2)
	return sizes[half : half+2]
}

func (c testCase) run(t *testing.T, groupName string, pair *apachetest.Pair, ours *apachetest.Server) {
	var answer apachetest.Exchange
	if pair == nil || c.oursOnly {
		answer = ours.Ask(t, c.request, c.logFile, c.logs)
	} else {
		answer = pair.Compare(t, apachetest.Comparison{
			Name: groupName + "/" + c.name, Request: c.request, LogFile: c.logFile, Logs: c.logs, Ignore: c.ignore,
		})
		comparisons.Add(1)
	}
	for _, want := range c.wants {
		if problem := want(answer); problem != "" {
			t.Errorf("%s\nrequest: %.500s\nanswer: %s", problem, c.request.Bytes(), answer.Response)
		}
	}
	for _, line := range c.logs {
		if !contains(answer.Lines, line) {
			t.Errorf("not in the log: %q; the application's lines there: %q", line, answer.Lines)
		}
	}
}

func contains(lines []string, line string) bool {
	for _, one := range lines {
		if one == line {
			return true
		}
	}
	return false
}

// want examines an answer and says what is wrong with it, "" when nothing is.
type want func(apachetest.Exchange) string

func is(wants ...want) []want { return wants }

func get(target string, headers ...apachetest.Header) apachetest.Request {
	return apachetest.Request{Target: target, Headers: headers}
}

func post(target, body string, headers ...apachetest.Header) apachetest.Request {
	return apachetest.Request{Method: "POST", Target: target, Body: []byte(body), Headers: headers}
}

func head(target string) apachetest.Request {
	return apachetest.Request{Method: "HEAD", Target: target}
}

func hd(name, value string) apachetest.Header { return apachetest.Header{Name: name, Value: value} }

func status(code int) want {
	return func(e apachetest.Exchange) string {
		if e.Status != code {
			return fmt.Sprintf("status %d, want %d", e.Status, code)
		}
		return complaint(code < 600 && e.Ending == apachetest.Nothing, "no answer")
	}
}

func complaint(wrong bool, text string) string {
	if wrong {
		return text
	}
	return ""
}

func reason(text string) want {
	return func(e apachetest.Exchange) string {
		return complaint(e.Reason != text, fmt.Sprintf("reason %q, want %q", e.Reason, text))
	}
}

func body(text string) want {
	return func(e apachetest.Exchange) string {
		return complaint(string(e.Body) != text, fmt.Sprintf("body %.300q, want %.300q", e.Body, text))
	}
}

func bodyHas(text string) want {
	return func(e apachetest.Exchange) string {
		return complaint(!strings.Contains(string(e.Body), text), fmt.Sprintf("body without %q", text))
	}
}

func bodyLacks(text string) want {
	return func(e apachetest.Exchange) string {
		return complaint(strings.Contains(string(e.Body), text), fmt.Sprintf("body with %q", text))
	}
}

// header wants these values of a header, in this order; none means that it must be absent.
func header(name string, values ...string) want {
	return func(e apachetest.Exchange) string {
		got := e.Values(name)
		return complaint(strings.Join(got, "\n") != strings.Join(values, "\n") || len(got) != len(values),
			fmt.Sprintf("header %s is %q, want %q", name, got, values))
	}
}

func framing(f apachetest.Framing) want {
	return func(e apachetest.Exchange) string {
		return complaint(e.Framing != f, fmt.Sprintf("framing %s, want %s", e.Framing, f))
	}
}

func ending(endings ...apachetest.Ending) want {
	return func(e apachetest.Exchange) string {
		for _, one := range endings {
			if e.Ending == one {
				return ""
			}
		}
		return fmt.Sprintf("it ended %q, want one of %q", e.Ending, endings)
	}
}

// cut wants an answer that a client can tell to be incomplete.
func cut() want { return ending(apachetest.Cut, apachetest.NoTerminator) }

// env wants an environ entry: a type name and, unless nil, a value (as JSON has it).
func env(key, kind string, value any) want {
	return func(e apachetest.Exchange) string {
		environ := apachetest.ParseEnviron(e.Body)
		if environ == nil {
			return "the answer is no environ"
		}
		got, ok := environ[key]
		if !ok {
			return fmt.Sprintf("environ has no %s", key)
		}
		if got.Type != kind || value != nil && fmt.Sprint(got.Value) != fmt.Sprint(value) {
			return fmt.Sprintf("environ %s is %s %v, want %s %v", key, got.Type, got.Value, kind, value)
		}
		return ""
	}
}

// str wants a text entry of the environ.
func str(key, value string) want { return env(key, "str", value) }

func noEnv(keys ...string) want {
	return func(e apachetest.Exchange) string {
		environ := apachetest.ParseEnviron(e.Body)
		if environ == nil {
			return "the answer is no environ"
		}
		for _, key := range keys {
			if got, ok := environ[key]; ok {
				return fmt.Sprintf("environ has %s (%v)", key, got)
			}
		}
		return ""
	}
}
