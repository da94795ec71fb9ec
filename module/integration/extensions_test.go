package integration

import (
	"fmt"
	"testing"

	"modwsgi/module/apachetest"
)

// C extensions as applications use them, in the main interpreter and in others: testdata/apps/extensions.wsgi.

var extensions = []struct {
	name, want string
	once       string // what a second interpreter of the process is told; "" if it works there
	// mainOnly is the minor version of Python from which no other interpreter can use it. CPython 3.13 loads an extension of the old
	// kind (PEP 489: single-phase) into the main interpreter first, so any other one is its second.
	mainOnly int
}{
	{"lxml", "200 200 42.0", "lxml.etree", 0},
	{"markupsafe", "&lt;&amp;&gt;<b>&lt;i&gt;</b> markupsafe._speedups", "", 0},
	{"yaml", "True", "yaml._yaml", 0},
	{"psycopg2", "ARRAY['2026-01-02'::date,3,'it''s',NULL,1.5] True 1.50 True", "", 13},
	{"cryptography", "secret BEGIN PUBL", "cryptography.hazmat.bindings._rust", 13},
	{"numpy", "(100, 100) True", "numpy.random.mtrand", 13},
	{"sqlite3", "42", "", 0},
	{"ctypes", "[1, 2, 3, 4, 5]", "", 0},
}

func TestExtensionsWorkInOneInterpreter(t *testing.T) {
	for _, in := range both([]apachetest.MPM{apachetest.Event, apachetest.Prefork}, manyThreads) {
		for _, group := range []string{"%{GLOBAL}", "sub"} {
			for _, module := range []apachetest.Module{apachetest.Classic(), apachetest.Ours()} {
				if module.Name == "classic" && (in != setting{mpm: apachetest.Event} || group == "sub") {
					continue // once is enough to know that the script is right; it may hang for seconds with others
				}
				t.Run(fmt.Sprint(in, " ", group, " ", module.Name), func(t *testing.T) {
					s := apachetest.Start(t, in.of(apachetest.Config{Module: module, OneChild: true,
						Conf: "WSGIScriptAlias / {{.Apps}}/extensions.wsgi application-group=" + group + "\n"}))
					for _, e := range extensions {
						mark := s.Mark()
						r := s.Get(t, "/"+e.name+"?threads=4")
						if group == "sub" && e.mainOnly > 0 && pythonMinor(t, s) >= e.mainOnly {
							if r.Status != 500 {
								t.Errorf("%s works here, contrary to what the table says:\n%s", e.name, r)
							}
							mark.Wait(t, "(WSGI0302|WSGI0174).*'sub'.*give this application WSGIApplicationGroup %{GLOBAL}")
						} else if string(r.Body) != e.want {
							t.Errorf("%s: want %q:\n%s\n%s", e.name, e.want, r, mark.Since())
						}
					}
				})
			}
		}
	}
}

// Requests at the same time, each with threads of its own.
func TestExtensionsServeManyRequestsAtOnce(t *testing.T) {
	for _, group := range []string{"%{GLOBAL}", "sub"} {
		t.Run(group, func(t *testing.T) {
			s := apachetest.Start(t, apachetest.Config{OneChild: true, Conf: "WSGIScriptAlias / {{.Apps}}/extensions.wsgi application-group=" + group + "\n"})
			minor := pythonMinor(t, s)
			problems := make(chan string, 6)
			for worker := range 6 {
				go func() {
					problem := ""
					for n := range 2 * len(extensions) {
						e := extensions[(n+worker)%len(extensions)]
						if group == "sub" && e.mainOnly > 0 && minor >= e.mainOnly {
							continue
						}
						if r := s.Get(t, "/"+e.name+"?threads=2"); string(r.Body) != e.want {
							problem = fmt.Sprintf("%s: want %q:\n%s", e.name, e.want, r)
						}
					}
					problems <- problem
				}()
			}
			for range 6 {
				if problem := <-problems; problem != "" {
					t.Error(problem)
				}
			}
		})
	}
}

func TestExtensionThatRefusesASecondInterpreterIsDiagnosed(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{OneChild: true, Conf: `
WSGIScriptAlias /a {{.Apps}}/extensions.wsgi application-group=a
WSGIScriptAlias /b {{.Apps}}/extensions.wsgi application-group=b
WSGIScriptAlias /main {{.Apps}}/extensions.wsgi application-group=%{GLOBAL}
`})
	minor := pythonMinor(t, s)
	for _, e := range extensions {
		if e.mainOnly > 0 && minor >= e.mainOnly {
			continue // TestExtensionsWorkInOneInterpreter
		}
		expectBody(t, s, "/a/"+e.name, e.want)
		mark := s.Mark()
		r := s.Get(t, "/b/"+e.name)
		if string(r.Body) == e.want {
			continue // some versions can
		}
		if e.once == "" || r.Status != 500 {
			t.Errorf("%s: want %q:\n%s\n%s", e.name, e.want, r, mark.Since())
			continue
		}
		mark.Wait(t, "wsgi:warn.*WSGI0302: cannot load extension module "+e.once+": .*interpreter 'b'.*give this application WSGIApplicationGroup %{GLOBAL}")
		if e.name != "yaml" { // PyYAML swallows the ImportError, its application meets an AttributeError
			mark.Wait(t, "WSGI0174.*ImportError.*interpreter 'b'.* module .*give this application WSGIApplicationGroup %{GLOBAL}")
		}
	}
	mark := s.Mark()
	if r := s.Get(t, "/main/lxml"); r.Status == 500 {
		mark.Wait(t, "WSGI0174.*give that one WSGIApplicationGroup %{GLOBAL}, too")
	}
	expectBody(t, s, "/a/lxml", extensions[0].want)
}

func TestScriptWhoseExtensionRefusesItsInterpreterIsDiagnosed(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{OneChild: true, Files: map[string]string{"lxml.wsgi": "from lxml import etree\n" + greeting("loaded")}, Conf: `
WSGIScriptAlias /a {{.Root}}/lxml.wsgi application-group=a
WSGIScriptAlias /b {{.Root}}/lxml.wsgi application-group=b
`})
	expectBody(t, s, "/a", "loaded")
	for range 2 { // a script that failed is tried again
		mark := s.Mark()
		if r := s.Get(t, "/b"); r.Status == 500 {
			mark.Wait(t, "WSGI0109: cannot load script .*/lxml.wsgi: ImportError was raised, in interpreter 'b'.*module lxml.*WSGIApplicationGroup %{GLOBAL}")
		} else if string(r.Body) != "loaded" {
			t.Error(r)
		}
	}
	expectBody(t, s, "/a", "loaded")
}
