package apachetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// absent is how a missing key or header appears in a Found and in docs/differences.md.
const absent = "absent"

// Found is one point in which two answers differ.
type Found struct{ Subject, Classic, Ours string }

func (f Found) String() string {
	return fmt.Sprintf("%s\n    classic: %s\n    ours:    %s", f.Subject, shorten(f.Classic), shorten(f.Ours))
}

func shorten(text string) string {
	if len(text) > 600 {
		return fmt.Sprintf("%q… (%d bytes)", text[:600], len(text))
	}
	return strconv.Quote(text)
}

// Pair is our module and the oracle with the same configuration.
type Pair struct {
	Ours, Classic *Server
	Differences   *Differences
}

// StartPair starts both servers.
func StartPair(t testing.TB, c Config, listed *Differences) *Pair {
	t.Helper()
	c.Module = Classic()
	classic := New(t, c)
	c.Module = Ours()
	ours := New(t, c)
	classic.Start(t)
	ours.Start(t)
	return &Pair{Ours: ours, Classic: classic, Differences: listed}
}

// Exchange is what one server made of a request.
type Exchange struct {
	*Response
	Lines []string // the messages that the application logged during the request
}

// AppMark begins every message that a test application logs and that is to be compared.
const AppMark = "app:"

// Ask sends the request and waits for the lines that the application is expected to log in the file (they may come after
// the answer); "" is the main error log.
func (s *Server) Ask(t testing.TB, request Request, logFile string, expected []string) Exchange {
	t.Helper()
	mark := s.MarkFile(or(logFile, "error.log"))
	exchange := Exchange{Response: s.Do(t, request)}
	_ = poll(clientDeadline, func() (bool, error) {
		exchange.Lines = appLines(mark.Since())
		for _, line := range expected {
			if !slices.Contains(exchange.Lines, line) {
				return false, nil
			}
		}
		return true, nil
	})
	return exchange
}

func appLines(log string) []string {
	var lines []string
	for _, line := range strings.Split(log, "\n") {
		if message := LogMessage(line); strings.HasPrefix(message, AppMark) {
			lines = append(lines, message)
		}
	}
	return lines
}

// Comparison is one request to both servers.
type Comparison struct {
	Name    string // the case, as docs/differences.md calls it
	Request Request
	LogFile string   // see Server.Ask
	Logs    []string // see Server.Ask
	Ignore  []string // globs of subjects that depend on timing, with either module
}

// Compare sends the request to both servers and reports every difference that is not listed. It returns our side.
func (p *Pair) Compare(t testing.TB, c Comparison) Exchange {
	t.Helper()
	request := c.Request
	classic := p.Classic.Ask(t, request, c.LogFile, c.Logs)
	ours := p.Ours.Ask(t, request, c.LogFile, c.Logs)
	name := inEmbeddedMode + c.Name
	if p.Ours.config.Daemon != "" {
		name = inDaemonMode + c.Name
	}
	var unlisted []string
	for _, found := range p.compare(classic, ours) {
		if !glob(strings.Join(c.Ignore, ", "), found.Subject) && !p.Differences.Allows(found, name) {
			unlisted = append(unlisted, found.String())
		}
	}
	if len(unlisted) > 0 {
		t.Errorf("differs from the classic module and is not in %s:\n%s\nrequest: %s\nclassic: %s\nours: %s", differencesFile,
			strings.Join(unlisted, "\n"), shorten(string(request.Bytes())), classic.Response, ours.Response)
	}
	return ours
}

func (p *Pair) compare(classic, ours Exchange) []Found {
	var found []Found
	add := func(subject, a, b string) {
		if a != b {
			found = append(found, Found{subject, a, b})
		}
	}
	add("status", strconv.Itoa(classic.Status), strconv.Itoa(ours.Status))
	add("reason", classic.Reason, ours.Reason)
	add("framing", string(classic.Framing), string(ours.Framing))
	add("ending", string(classic.Ending), string(ours.Ending))
	add("interim", interim(classic.Response), interim(ours.Response))
	add("extra", string(classic.Extra), string(ours.Extra))
	found = append(found, compareMaps("header:", p.headers(classic, p.Classic), p.headers(ours, p.Ours))...)
	if a, b := ParseEnviron(classic.Body), ParseEnviron(ours.Body); a != nil && b != nil {
		found = append(found, compareMaps("environ:", comparableEnviron(a, p.Classic), comparableEnviron(b, p.Ours))...)
	} else {
		add("body", p.Classic.normalise(string(classic.Body)), p.Ours.normalise(string(ours.Body)))
	}
	add("log", p.Classic.normalise(strings.Join(classic.Lines, "\n")), p.Ours.normalise(strings.Join(ours.Lines, "\n")))
	return found
}

func interim(r *Response) string {
	var all []string
	for _, one := range r.Interim {
		all = append(all, fmt.Sprint(one.Status, " ", one.Reason))
	}
	return strings.Join(all, ", ")
}

// headers joins the values of each header, in order; a dump's length says nothing, its content is compared.
func (p *Pair) headers(e Exchange, s *Server) map[string]string {
	m := map[string]string{}
	for _, h := range e.Headers {
		name := strings.ToLower(h.Name)
		if name == "date" || name == "content-length" && ParseEnviron(e.Body) != nil {
			continue
		}
		if value, ok := m[name]; ok {
			m[name] = value + "\n" + s.normalise(h.Value)
		} else {
			m[name] = s.normalise(h.Value)
		}
	}
	return m
}

func compareMaps(prefix string, classic, ours map[string]string) []Found {
	keys := map[string]bool{}
	for key := range classic {
		keys[key] = true
	}
	for key := range ours {
		keys[key] = true
	}
	var found []Found
	for key := range keys {
		a, inA := classic[key]
		b, inB := ours[key]
		if !inA {
			a = absent
		}
		if !inB {
			b = absent
		}
		if a != b {
			found = append(found, Found{prefix + key, a, b})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Subject < found[j].Subject })
	return found
}

var versions = regexp.MustCompile(`mod_wsgi/[0-9.]+`)

// normalise replaces what differs between any two servers: folder, ports, module version.
func (s *Server) normalise(text string) string {
	text = strings.ReplaceAll(text, s.Root, "ROOT")
	for name, port := range s.ports {
		number := regexp.MustCompile(`\b` + strconv.Itoa(port) + `\b`)
		text = number.ReplaceAllString(text, "PORT"+name)
	}
	return versions.ReplaceAllString(text, "mod_wsgi/V")
}

// Value is one entry of an environ as testdata/apps/environ.wsgi dumps it: the type's name and, where JSON can say it,
// the value.
type Value struct {
	Type  string
	Value any
}

func (v *Value) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&v.Type, &v.Value})
}

func (v Value) String() string {
	if v.Value == nil {
		return v.Type
	}
	return fmt.Sprintf("%s %v", v.Type, v.Value)
}

// ParseEnviron reads a dump; nil when the body is none.
func ParseEnviron(body []byte) map[string]Value {
	if !bytes.HasPrefix(body, []byte(`{"`)) || !bytes.Contains(body, []byte(`"wsgi.version"`)) {
		return nil
	}
	var environ map[string]Value
	if json.Unmarshal(body, &environ) != nil {
		return nil
	}
	return environ
}

// volatile keys differ from request to request: only their types are compared.
var volatile = map[string]bool{
	"REMOTE_PORT": true, "UNIQUE_ID": true, "REDIRECT_UNIQUE_ID": true, "mod_wsgi.request_id": true, "mod_wsgi.connection_id": true,
	"mod_wsgi.thread_id": true, "mod_wsgi.request_start": true, "mod_wsgi.application_start": true, "mod_wsgi.script_start": true,
	"mod_wsgi.server_pid": true, "mod_wsgi.thread_requests": true, "mod_wsgi.total_requests": true,
	"mod_wsgi.queue_start": true, "mod_wsgi.daemon_start": true,
}

func comparableEnviron(environ map[string]Value, s *Server) map[string]string {
	m := map[string]string{}
	for key, value := range environ {
		if volatile[key] {
			m[key] = value.Type
		} else {
			m[key] = s.normalise(value.String())
		}
	}
	return m
}
