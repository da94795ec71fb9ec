package interp

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// refusal is a text by which an extension module, or Python itself, says that something works in one interpreter only.
type refusal struct {
	says    *regexp.Regexp // its first group, if any, is the module's name
	subject string         // who says so, if the text does not name a module
	by      refusalKind
}

type refusalKind int

const (
	byExtension  refusalKind = iota // it may be loaded into one interpreter of a process
	byDesign                        // it may be loaded into the main interpreter
	byProtection                    // Python itself allows it in the main interpreter
)

// refusals are the texts known. Extensions say the same in many words, since CPython gives them no common error before 3.12.
var refusals = []refusal{
	{regexp.MustCompile(`[Mm]odule (\S+) does not support loading in subinterpreters`), "", byDesign}, // CPython 3.12
	{regexp.MustCompile(`Interpreter change detected - this module can only be loaded into one interpreter per process`), "an extension made with Cython", byExtension},
	{regexp.MustCompile(`PyO3 modules (?:compiled for CPython 3\.8 or older )?may only be initialized once per interpreter process`), "an extension made with PyO3", byExtension},
	{regexp.MustCompile(`PyO3 modules do not (?:yet )?support subinterpreters`), "an extension made with PyO3", byExtension},
	{regexp.MustCompile(`cannot load module more than once per process`), "numpy", byExtension},             // from 1.26 on
	{regexp.MustCompile(`CPU dispatcher tracer already init\w+`), "numpy", byExtension},                     // 1.2x
	{regexp.MustCompile(`NumPy was imported from a Python sub-interpreter`), "numpy", byDesign},             // a warning
	{regexp.MustCompile(`cannot import name '\w+' from '(psycopg2\._psycopg)'`), "", byExtension},           // its second copy is empty
	{regexp.MustCompile(`(?:fork|exec) not supported for (?:isolated )?subinterpreters`), "", byProtection}, // CPython 3.8 to 3.11; own GIL
	{regexp.MustCompile(`preexec_fn not supported within (?:isolated )?subinterpreters`), "", byProtection},
	{regexp.MustCompile(`daemon threads are (?:disabled|not supported) in this (?:sub)?interpreter`), "", byProtection},
	{regexp.MustCompile(`[Tt]hread is not supported for isolated subinterpreters`), "", byProtection},
}

// cure is what to write into the configuration, as the end of a sentence.
const cure = "give this application WSGIApplicationGroup %{GLOBAL} (or application-group=%{GLOBAL} in its WSGIScriptAlias), which runs it in the main interpreter"

// diagnoseRefusal finds a refusal in a traceback, or in what an exception says, and says what it means and which directive cures
// it, "" if there is none. module is the extension's name if it is known; group is the interpreter in which it happened.
func diagnoseRefusal(text, module, group string) string {
	for _, r := range refusals {
		at := r.says.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		if module == "" && len(at) > 2 {
			module = text[at[2]:at[3]]
		}
		if module == "" {
			module = importedBefore(text[:at[0]])
		}
		return r.meaning(module, group)
	}
	return ""
}

func (r refusal) meaning(module, group string) string {
	if r.by == byProtection {
		return "Python allows this in the main interpreter only: " + cure
	}
	who := r.subject
	switch {
	case who == "" || who == module:
		who = "the extension module " + module
	case module != "":
		who = fmt.Sprintf("the extension module %s (%s)", module, who)
	}
	switch {
	case group == "":
		return who + " works in one interpreter of a process only, and another application's has loaded it before: " +
			"give that one WSGIApplicationGroup %{GLOBAL}, too, or a daemon process group of its own"
	case r.by == byDesign && hasOwnGIL(group):
		return who + " does not support an interpreter with its own GIL: set WSGIPerInterpreterGIL Off in a section <WSGIInterpreterOptions application-group=" +
			group + ">, or " + cure
	case r.by == byDesign:
		return who + " works in the main interpreter only: " + cure
	}
	return who + " works in one interpreter of a process only, and another one has loaded it before: " + cure
}

var (
	importLine = regexp.MustCompile(`^\s+(?:from\s+(\S+)\s+)?import\s+\(?\s*([\w.]*)`)
	frameLine  = regexp.MustCompile(`^\s+File "([^"]+)", line \d+, in `)
)

// importedBefore is the module that the last import statement of a traceback asks for, with the package where it is relative.
func importedBefore(trace string) string {
	var file, from, name string
	for line := range strings.Lines(trace) {
		if m := frameLine.FindStringSubmatch(line); m != nil {
			file = m[1]
		} else if m := importLine.FindStringSubmatch(line); m != nil {
			from, name = m[1], m[2]
		}
	}
	switch {
	case from == "":
		return name
	case !strings.HasPrefix(from, "."):
		return from
	}
	inner := strings.TrimLeft(from, ".")
	if inner == "" {
		inner = name
	}
	return strings.TrimSuffix(packageOf(file)+"."+inner, ".")
}

// packageOf guesses the package that a file belongs to from where packages are installed.
func packageOf(file string) string {
	for _, folder := range []string{"/site-packages/", "/dist-packages/"} {
		if _, inner, ok := strings.Cut(file, folder); ok {
			return strings.ReplaceAll(filepath.Dir(inner), "/", ".")
		}
	}
	return filepath.Base(filepath.Dir(file))
}

// advice is what a traceback suggests that an operator does, as an addition to the failure's reason; "" if it suggests nothing.
func advice(trace, group string, oddities []*Fault) string {
	if text := diagnoseRefusal(trace, "", group); text != "" {
		return "; " + text
	}
	if !strings.Contains(trace, "ModuleNotFoundError") {
		return ""
	}
	text := ""
	for _, odd := range oddities {
		text += "; " + odd.Path + ": " + odd.Reason
	}
	return text
}

// Refused says, for the log, that an extension module has refused an interpreter, which applications tend to swallow; nil if what the
// exception says is not a refusal.
func Refused(module, exception, group string, embedded bool) *Fault {
	meaning := diagnoseRefusal(exception, module, group)
	if meaning == "" {
		return nil
	}
	return &Fault{Code: 302, Op: "load extension module", Path: module, Reason: fmt.Sprintf("%s, in %s: %s", strings.TrimSuffix(exception, "."), place(group, embedded), meaning)}
}
