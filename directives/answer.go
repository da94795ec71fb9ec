package directives

import "fmt"

const answerMagic = "MWA1"

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

// EncodeAnswer encodes what Check returned.
func EncodeAnswer(problems []Problem, patterns []Pattern) []byte {
	w := wireWriter{b: []byte(answerMagic)}
	w.number(len(problems))
	for _, p := range problems {
		w.number(int(p.Severity))
		w.number(p.Code)
		w.text(p.Directive)
		w.text(p.File)
		w.number(p.Line)
		w.text(p.Reason)
	}
	w.number(len(patterns))
	for _, p := range patterns {
		w.text(p.Regex)
		w.text(p.Directive)
		w.text(p.File)
		w.number(p.Line)
	}
	return w.b
}

// DecodeAnswer is the counterpart of EncodeAnswer.
func DecodeAnswer(b []byte) ([]Problem, []Pattern, error) {
	r := wireReader{rest: b}
	r.magic(answerMagic)
	problems := make([]Problem, r.count(24))
	for i := range problems {
		problems[i] = Problem{Severity: Severity(r.number()), Code: int(r.number()), Directive: r.text(), File: r.text(),
			Line: int(r.number()), Reason: r.text()}
	}
	patterns := make([]Pattern, r.count(16))
	for i := range patterns {
		patterns[i] = Pattern{Regex: r.text(), Directive: r.text(), File: r.text(), Line: int(r.number())}
	}
	if err := r.end(); err != nil {
		return nil, nil, fmt.Errorf("unreadable answer of the configuration check: %w", err)
	}
	return problems, patterns, nil
}
