package directives

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Config is a compiled configuration. It is immutable; all its methods may be used by any number of goroutines.
type Config struct {
	Facts   map[string]string
	Servers []ServerConfig // numbered as in the Recording
	Process ProcessSettings

	main     int               // index of the main server
	sections map[uint32]*scope // directory-type sections by leaf
}

// A ServerConfig is the main server or a virtual host.
type ServerConfig struct {
	Server
	Aliases []*Alias // in the order to try them: a virtual host's own, then the main server's

	own   []*Alias
	scope scope
}

// Compile turns a recording that passed Check into typed values. Its error is the first of those that Check reports.
func Compile(r *Recording) (*Config, error) {
	b := build(r)
	for _, p := range b.problems {
		if p.Severity == Error {
			return nil, fmt.Errorf("line %d of %s: %s", p.Line, p.File, p.Reason)
		}
	}
	return b.config, nil
}

// ParseLocal reads one directive of an .htaccess file. Its error says what is wrong; Apache adds file and line.
func ParseLocal(rec Record) error {
	var discard scope
	return readLocal(rec, &discard)
}

func readLocal(rec Record, into *scope) error {
	if rec.Directive < 0 || rec.Directive >= len(Table) {
		return fmt.Errorf("no directive %d", rec.Directive)
	}
	rec.Context |= InHtaccess
	b := newBuilder(&Config{Servers: []ServerConfig{{}}})
	b.read(&rec, &target{scope: into, server: &b.config.Servers[0], process: &ProcessSettings{}}, 0)
	for _, p := range b.problems {
		if p.Severity == Error {
			return errors.New(p.Reason)
		}
	}
	return nil
}

// A target is where a directive stores its value.
type target struct {
	scope   *scope
	server  *ServerConfig
	process *ProcessSettings
	section *InterpreterOptions // the enclosing one, or nil
}

// values are those of the enclosing <WSGIInterpreterOptions>, or the top level's.
func (t *target) values() *InterpreterValues {
	if t.section != nil {
		return &t.section.InterpreterValues
	}
	return &t.process.InterpreterValues
}

// A builder reads records one after the other. Check and Compile both do this; only Check looks at the problems and
// patterns and goes on to what can be seen in the whole configuration only.
type builder struct {
	config   *Config
	problems []orderedProblem
	patterns []Pattern

	section *InterpreterOptions

	// What the checks of the whole configuration look at.
	groupUses    []groupUse
	proxyHeaders []headerUse
	places       struct{ pythonHome, socketPrefix place }
}

// A groupUse is a place that names a process group.
type groupUse struct {
	place
	name   Name
	server int
	routes bool // requests go there, in contrast to WSGIRestrictProcess and section selectors
	scoped bool // it stands in a directory-type section
}

// A headerUse is a scope with WSGITrustedProxyHeaders.
type headerUse struct {
	place
	server int
	scope  *scope
}

type orderedProblem struct {
	Problem
	seq int
}

func newBuilder(c *Config) *builder {
	c.Process.CaseSensitivity = true
	c.Process.DestroyInterpreter = true
	c.Process.SocketRotation = true
	c.Process.TelemetryInterval = time.Second
	c.sections = map[uint32]*scope{}
	return &builder{config: c}
}

func build(r *Recording) *builder {
	c := &Config{Facts: r.Facts, Servers: make([]ServerConfig, max(1, len(r.Servers)))}
	for i, s := range r.Servers {
		c.Servers[i].Server = s
	}
	c.main = max(0, slices.IndexFunc(r.Servers, func(s Server) bool { return !s.Virtual }))
	b := newBuilder(c)
	for i := range r.Records {
		rec := &r.Records[i]
		b.read(rec, b.target(rec), i)
	}
	if b.section != nil {
		b.report(b.section.place, Error, 0, "the section is not closed")
	}
	for i := range c.Servers {
		c.Servers[i].Aliases = c.Servers[i].own
		if i != c.main {
			c.Servers[i].Aliases = slices.Concat(c.Servers[i].own, c.Servers[c.main].own)
		}
	}
	return b
}

// target finds the scope of a record.
func (b *builder) target(rec *Record) *target {
	t := &target{server: &b.config.Servers[rec.Server], process: &b.config.Process, section: b.section}
	t.scope = &t.server.scope
	if rec.Leaf != 0 {
		if b.config.sections[rec.Leaf] == nil {
			b.config.sections[rec.Leaf] = &scope{}
		}
		t.scope = b.config.sections[rec.Leaf]
	}
	return t
}

// read interprets one record. Its number puts problems in order.
func (b *builder) read(rec *Record, t *target, seq int) {
	d := &Table[rec.Directive]
	a := &arguments{words: words{rest: rec.Args}, builder: b, record: rec, directive: d,
		place: place{seq: seq, directive: d.label(), file: rec.File, line: rec.Line}}
	if d.IsSection() && rec.Context&EndOfSection != 0 {
		b.section = nil
		return
	}
	if !a.allowedHere() {
		return
	}
	if b.section != nil && !d.Container && !d.IsSection() {
		a.warnf(0, "inside <WSGIInterpreterOptions> it takes effect as if it stood outside")
	}
	d.read(a, t)
	if a.unclosed {
		a.warnf(0, "a quotation mark is not closed in %q", rec.Args)
	}
}

// allowedHere enforces what Apache does not: it knows the difference between a server and a directory, but not that
// between the main server and a virtual host.
func (a *arguments) allowedHere() bool {
	places, context := a.directive.Places, a.record.Context
	switch {
	case context&InHtaccess != 0 && places&(AtHtaccessFileInfo|AtHtaccessAuthConfig) == 0:
		a.errorf(0, "not allowed in .htaccess files; accepted is %s", places)
	case context&(InDirectory|InHtaccess) == InDirectory && places&AtDirectory == 0:
		a.errorf(0, "not allowed in a section such as <Directory>, <Location> or <Files>; accepted is %s", places)
	case context&InVirtualHost != 0 && places&(AtVirtualHost|AtDirectory) == 0:
		a.errorf(0, "not allowed in <VirtualHost>; accepted is %s", places)
	case context&InLimit != 0 && places == mainServer:
		a.errorf(0, "not allowed in <Limit>; accepted is %s", places)
	case context&(InDirectory|InHtaccess) == 0 && places&AtServer == 0:
		a.errorf(0, "not allowed outside a section such as <Directory> or <Location>; accepted is %s", places)
	default:
		if context&InLimit != 0 {
			a.warnf(0, "<Limit> does not limit it: it applies to every method")
		}
		return true
	}
	return false
}

var placeTexts = []struct {
	place Places
	text  string
}{
	{AtServer, "the main server"},
	{AtVirtualHost, "<VirtualHost>"},
	{AtDirectory, "sections such as <Directory>"},
	{AtHtaccessFileInfo, ".htaccess (AllowOverride FileInfo)"},
	{AtHtaccessAuthConfig, ".htaccess (AllowOverride AuthConfig)"},
}

func (p Places) String() string {
	var texts []string
	for _, t := range placeTexts {
		if p&t.place != 0 {
			texts = append(texts, t.text)
		}
	}
	return strings.Join(texts, ", ")
}

// useGroup notes that the directive names a process group.
func (a *arguments) useGroup(name Name, routes bool) {
	a.builder.groupUses = append(a.builder.groupUses, groupUse{place: a.place, name: name, server: a.record.Server,
		routes: routes, scoped: a.record.Leaf != 0})
}

func (b *builder) report(at place, s Severity, code int, format string, args ...any) {
	b.problems = append(b.problems, orderedProblem{seq: at.seq, Problem: Problem{Severity: s, Code: code,
		Directive: at.directive, File: at.file, Line: at.line, Reason: at.directive + ": " + fmt.Sprintf(format, args...)}})
}

// secondsDuration keeps an absurdly large number of seconds from overflowing.
func secondsDuration(seconds float64) time.Duration {
	if seconds >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(seconds * float64(time.Second))
}
