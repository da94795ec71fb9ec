package gatewaytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const stubChecker = "../../testdata/apps/stubs.wsgi"

// TestStubsSayWhatTheModulesAre compares both ways: names, parameters, types of values, keys of dicts.
func TestStubsSayWhatTheModulesAre(t *testing.T) {
	record(t)
	folder, err := filepath.Abs("../stubs")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"", "stubs"} {
		r := stubRequest(t, group, folder)
		expect(t, run(t, r), "")
		failing := stubRequest(t, group, folder)
		failing.Environ = append(failing.Environ, "fail=1")
		if a := run(t, failing); a.Result != 500 {
			t.Error(a)
		}
		r.Environ = append(r.Environ, "events=request_started response_started request_exception request_finished")
		expect(t, run(t, r), "")
	}
}

func TestADifferenceFromTheStubsIsFound(t *testing.T) {
	record(t)
	for name, c := range map[string]struct{ old, new string }{
		"a name more":      {"process_group: str", "process_group: str\nno_such: str"},
		"a name less":      {"process_group: str\n", ""},
		"another type":     {"process_group: str", "process_group: int"},
		"another argument": {"def subscribe_events(callback: _Callback, /)", "def subscribe_events(callback: _Callback)"},
		"a method less":    {"    def close(self) -> None: ...\n", ""},
		"a key less":       {"    request_throughput: float\n", ""},
		"a key's type":     {"    request_throughput: float\n", "    request_throughput: int\n"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for _, stub := range []string{"mod_wsgi.pyi", "apache.pyi"} {
				text, err := os.ReadFile("../stubs/" + stub)
				if err != nil {
					t.Fatal(err)
				}
				replace(t, filepath.Join(folder, stub), replaceOnce(t, string(text), c.old, c.new, stub))
			}
			if a := run(t, stubRequest(t, "", folder)); a.Result != Answered || a.Body == "" {
				t.Errorf("nothing is said of it\n%s", a)
			}
		})
	}
}

func stubRequest(t *testing.T, group, folder string) *Request {
	t.Helper()
	script, err := filepath.Abs(stubChecker)
	if err != nil {
		t.Fatal(err)
	}
	return &Request{Group: group, Script: script, Environ: []string{"stubs=" + folder, "stub_file=.pyi", "mod_wsgi.request_id=it", "events="}}
}

func replaceOnce(t *testing.T, text, old, new, stub string) string {
	t.Helper()
	if stub == "mod_wsgi.pyi" && !strings.Contains(text, old) {
		t.Fatalf("%q is not in %s", old, stub)
	}
	return strings.Replace(text, old, new, 1)
}
