package directives

import "fmt"

const answerMagic = "MWA2"

// Severity of a Problem. The values are part of the wire format.
type Severity int

const (
	Error Severity = iota // the configuration is refused
	Warning
	Notice
)

func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	}
	return "notice"
}

// A Problem is one thing that is wrong, or surely unintended, in a configuration.
type Problem struct {
	Severity  Severity
	Code      int // the number of a WSGI#### code, 0 for none
	Directive string
	File      string
	Line      int
	// Reason names the directive, what is wrong with which value, and what is accepted. It holds neither file and line
	// nor the code.
	Reason string
}

func (p Problem) String() string {
	code := ""
	if p.Code != 0 {
		code = fmt.Sprintf("WSGI%04d: ", p.Code)
	}
	return fmt.Sprintf("%s on line %d of %s: %s%s", p.Severity, p.Line, p.File, code, p.Reason)
}

// A Pattern is a regular expression that Apache has to try, because its dialect (PCRE) is not Go's.
type Pattern struct {
	Regex     string
	Directive string
	File      string
	Line      int
}

// An Answer is what the parent learns of its configuration.
type Answer struct {
	Problems []Problem
	Patterns []Pattern
	Groups   int // process groups that are declared: with one, daemon processes have to be started
	// Facts go into the recording, for those who can't find them out any more: a child of Apache's that has changed its root
	// directory knows no users.
	Facts map[string]string
}

// EncodeAnswer encodes what Check returned.
func EncodeAnswer(a Answer) []byte {
	w := wireWriter{b: []byte(answerMagic)}
	w.number(len(a.Problems))
	for _, p := range a.Problems {
		w.number(int(p.Severity))
		w.number(p.Code)
		w.text(p.Directive)
		w.text(p.File)
		w.number(p.Line)
		w.text(p.Reason)
	}
	w.number(len(a.Patterns))
	for _, p := range a.Patterns {
		w.text(p.Regex)
		w.text(p.Directive)
		w.text(p.File)
		w.number(p.Line)
	}
	w.number(a.Groups)
	w.facts(a.Facts)
	return w.b
}

// DecodeAnswer is the counterpart of EncodeAnswer.
func DecodeAnswer(b []byte) (Answer, error) {
	var a Answer
	r := wireReader{rest: b}
	r.magic(answerMagic)
	a.Problems = make([]Problem, r.count(24))
	for i := range a.Problems {
		a.Problems[i] = Problem{Severity: Severity(r.number()), Code: int(r.number()), Directive: r.text(), File: r.text(),
			Line: int(r.number()), Reason: r.text()}
	}
	a.Patterns = make([]Pattern, r.count(16))
	for i := range a.Patterns {
		a.Patterns[i] = Pattern{Regex: r.text(), Directive: r.text(), File: r.text(), Line: int(r.number())}
	}
	a.Groups = int(r.number())
	a.Facts = r.facts()
	if err := r.end(); err != nil {
		return Answer{}, fmt.Errorf("unreadable answer of the configuration check: %w", err)
	}
	return a, nil
}
