package directives

import (
	"reflect"
	"testing"
	"time"
)

func TestTheMoreSpecificSectionWinsForEachValue(t *testing.T) {
	c := compiled(t, `WSGIDaemonProcess g python-path=/g:/h
WSGIPythonPath /top:/second
WSGIPerInterpreterGIL On
WSGISwitchInterval 0.001
WSGIRestrictSignal Off
<WSGIInterpreterOptions process-group=%{GLOBAL} application-group=a>
WSGIPythonPath /both
WSGIRestrictStdin On
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=a>
WSGIPythonPath /a
WSGIRestrictStdin Off
WSGISwitchInterval 0.002
</WSGIInterpreterOptions>
<WSGIInterpreterOptions process-group=g>
WSGIPythonPath /in-g
WSGIPerInterpreterGIL Off
</WSGIInterpreterOptions>
<WSGIInterpreterOptions>
WSGIRestrictStdout On
WSGIPythonPath /all
WSGIPerInterpreterGIL On
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=%{GLOBAL}>
WSGIRestrictStdout Off
WSGISwitchInterval 0.003
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=%{HOST}>
WSGIRestrictSignal On
</WSGIInterpreterOptions>`)
	type settings = InterpreterSettings
	top, all := []string{"/top", "/second"}, []string{"/all"}
	for name, test := range map[string]struct {
		process, application string
		shared               bool // this Python knows no own GILs
		want                 settings
	}{
		"main interpreter of a child": {"", "", false, settings{SwitchInterval: 3 * time.Millisecond, PythonPath: [][]string{top, all}}},
		"a of a child": {"", "a", false, settings{OwnGIL: true, RestrictStdin: true, RestrictStdout: true, SwitchInterval: 2 * time.Millisecond,
			PythonPath: [][]string{top, all, {"/a"}, {"/both"}}}},
		"a of a child, old Python": {"", "a", true, settings{RestrictStdin: true, RestrictStdout: true, SwitchIntervalSkipped: true,
			PythonPath: [][]string{top, all, {"/a"}, {"/both"}}}},
		"b of a child":             {"", "b", false, settings{OwnGIL: true, RestrictStdout: true, SwitchInterval: time.Millisecond, PythonPath: [][]string{top, all}}},
		"b of a child, old Python": {"", "b", true, settings{RestrictStdout: true, PythonPath: [][]string{top, all}}},
		"main interpreter of g":    {"g", "", false, settings{SwitchInterval: 3 * time.Millisecond, PythonPath: [][]string{{"/g", "/h"}, all, {"/in-g"}}}},
		"a of g": {"g", "a", false, settings{RestrictStdout: true, SwitchIntervalSkipped: true,
			PythonPath: [][]string{{"/g", "/h"}, all, {"/a"}, {"/in-g"}}}},
		"b of another group":         {"other", "b", false, settings{OwnGIL: true, RestrictStdout: true, PythonPath: [][]string{all}}},
		"tokens are taken literally": {"other", "%{HOST}", false, settings{OwnGIL: true, RestrictStdout: true, RestrictSignal: true, PythonPath: [][]string{all}}},
	} {
		if got := c.Process.Interpreter(test.process, test.application, !test.shared); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestWithoutSectionsEveryInterpreterHasTheDefaults(t *testing.T) {
	c := compiled(t, "")
	for _, group := range []string{"", "a"} {
		if got, want := c.Process.Interpreter("", group, true), (InterpreterSettings{RestrictSignal: true}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", group, got, want)
		}
	}
}
