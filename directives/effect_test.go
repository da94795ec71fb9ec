package directives

import (
	"slices"
	"strings"
	"testing"
)

// withoutEffect are the directives that are accepted and do nothing, and who says so. What is not here acts.
var withoutEffect = map[string]string{
	// The reference: accepted without effect by the release that this module follows (directives.md, section 2).
	"WSGIVerboseDebugging":   "Accepted, no effect",
	"WSGIGroupAuthoritative": "Parsed and stored, no effect",
	// The reference: of releases before that one, which accepts them no more (section 2.1).
	"WSGILazyInitialization": "retired", "WSGIPy3kWarningFlag": "retired", "WSGINewRelicConfigFile": "retired", "WSGINewRelicEnvironment": "retired",
	"WSGIUserAuthoritative": "retired", "WSGIReloadMechanism": "retired", "WSGIOutputBuffering": "retired", "WSGIPythonExecutable": "retired",
	// What they are for holds whatever they say (docs/differences.md, D74).
	"WSGISocketRotation": "old children always reach the processes of their configuration",
	"WSGIAcceptMutex":    "there is no lock between processes",
	// What no Python can do that this module is built for (section 6.3: a true no-op on ordinary builds).
	"WSGIFreeThreading": "the module relies on the GIL",
}

func TestNoDirectiveIsAcceptedWithoutEffectButThoseThatNeedNone(t *testing.T) {
	for i := range Table {
		d := &Table[i]
		_, listed := withoutEffect[d.Name]
		if (d.Effect == Never) != listed {
			t.Errorf("%s: effect %q, listed as one without: %v", d.Name, d.Effect, listed)
		}
		if d.read == nil {
			t.Errorf("%s: nobody reads it", d.Name)
		}
	}
	for name := range withoutEffect {
		if Find(name) < 0 {
			t.Errorf("there is no directive %s", name)
		}
	}
	for _, o := range daemonOptions {
		if o.Effect == Never && !strings.HasPrefix(o.Name, "newrelic-") { // of earlier releases, too
			t.Errorf("option %s has no effect", o.Name)
		}
	}
}

// Whoever configures something that does nothing is told so, and where.
func TestEveryDirectiveWithoutEffectIsNamedWithItsReason(t *testing.T) {
	for i := range Table {
		d := &Table[i]
		if d.Effect != Never {
			continue
		}
		word := "x"
		if d.Args == OnOff {
			word = "On"
			if d.Default == "On" {
				word = "Off"
			}
		}
		if d.Name == "WSGIAcceptMutex" {
			word = "flock"
		}
		config := d.Name + " " + word
		if d.Places&AtServer == 0 {
			config = "<Location />\n" + config + "\n</Location>"
		}
		r := record(t, config)
		r.Facts = map[string]string{"python_version": "3.11.2"}
		said := slices.DeleteFunc(Check(r).Problems, func(p Problem) bool { return p.Directive != d.Name })
		if len(said) != 1 || said[0].Severity == Error || len(said[0].Reason) < len(d.Name)+30 || said[0].File == "" || said[0].Line == 0 {
			t.Errorf("%s: %v", config, said)
		}
	}
}

// What this Python can't do is named by what it would need.
func TestWhatThePythonCannotDoIsNamed(t *testing.T) {
	for _, c := range []struct{ version, config, want string }{
		{"3.11.2", "WSGIFreeThreading On", "warning 1: WSGI0200 WSGIFreeThreading: it does nothing: Python 3.11 runs with its GIL"},
		{"3.13.1", "<WSGIInterpreterOptions process-group=%{GLOBAL}>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>", "warning 2: WSGI0200 WSGIFreeThreading: it does nothing: Python 3.13"},
		{"3.13.1", "WSGIFreeThreading Off", ""},
		{"3.11.2", "WSGIPerInterpreterGIL On", "warning 1: WSGI0198 WSGIPerInterpreterGIL: an interpreter's own GIL needs Python 3.12; with Python 3.11 this does nothing"},
		{"3.11.2", "<WSGIInterpreterOptions application-group=x>\nWSGIPerInterpreterGIL On\n</WSGIInterpreterOptions>", "warning 2: WSGI0198"},
		{"3.11.2", "WSGIPerInterpreterGIL Off", ""},
		{"3.12.0", "WSGIPerInterpreterGIL On", ""},
	} {
		r := record(t, c.config)
		r.Facts = map[string]string{"python_version": c.version}
		if got := strings.Join(checked(r), "\n"); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("Python %s, %s: %q, want %q", c.version, c.config, got, c.want)
		}
	}
}
