package directives

import "fmt"

// A reporter collects what is wrong with something. The code is that of a WSGI#### message, 0 for none.
type reporter interface {
	errorf(code int, format string, args ...any)
	warnf(code int, format string, args ...any)
	noticef(code int, format string, args ...any)
}

// arguments are the unread arguments of one directive. What is reported through them carries its name and place.
type arguments struct {
	words
	builder   *builder
	record    *Record
	directive *Directive
	place     place
	failed    bool // an error was reported
	// idle is set by a value that is the default, so that a directive without effect needs no notice.
	idle bool
}

func (a *arguments) report(s Severity, code int, format string, args ...any) {
	a.failed = a.failed || s == Error
	a.builder.report(a.place, s, code, format, args...)
}

func (a *arguments) errorf(code int, format string, args ...any) {
	a.report(Error, code, format, args...)
}

func (a *arguments) warnf(code int, format string, args ...any) {
	a.report(Warning, code, format, args...)
}

func (a *arguments) noticef(code int, format string, args ...any) {
	a.report(Notice, code, format, args...)
}

// single returns the only word, as Apache's TAKE1 does: an empty one is refused.
func (a *arguments) single() (string, bool) {
	word := a.next()
	switch {
	case word == "":
		a.errorf(0, "takes one argument, %s", a.directive.Syntax)
		return "", false
	case a.rest != "":
		a.errorf(0, "takes one argument, %s, but %q follows %q", a.directive.Syntax, a.rest, word)
		return "", false
	}
	return word, true
}

// flag returns the only word as a flag.
func (a *arguments) flag() (Tristate, bool) {
	word := a.next()
	if word == "" || a.rest != "" {
		a.errorf(0, "takes one argument, On or Off")
		return Unset, false
	}
	value, ok := parseFlag(word)
	if !ok {
		a.errorf(0, "%q is not accepted; write On or Off", word)
	}
	return value, ok
}

// A place is where something was written, for messages. The sequence number orders messages as the configuration is.
type place struct {
	seq       int
	directive string
	file      string
	line      int
}

func (p place) String() string { return fmt.Sprintf("line %d of %s", p.line, p.file) }
