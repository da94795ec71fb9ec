package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// WSGIMapHEADToGET: reference runtime.md, 1.8. The application says in a header which method it saw.

func TestHEADIsPresentedAsTheDirectiveSays(t *testing.T) {
	// One script for all: its answer has the header X-Method.
	config := apachetest.Config{Modules: []string{"deflate", "filter", "headers"}}
	var cases []testCase
	for _, c := range []struct{ name, directives, saw string }{
		{"unset", "", "HEAD"},
		{"auto", "WSGIMapHEADToGET Auto", "HEAD"},
		{"on", "WSGIMapHEADToGET On", "GET"},
		{"off", "WSGIMapHEADToGET Off", "HEAD"},
		{"unset-filter", "SetOutputFilter DEFLATE", "GET"},
		{"auto-filter", "WSGIMapHEADToGET Auto\nSetOutputFilter DEFLATE", "GET"},
		{"off-filter", "WSGIMapHEADToGET Off\nSetOutputFilter DEFLATE", "HEAD"},
		{"on-filter", "WSGIMapHEADToGET On\nSetOutputFilter DEFLATE", "GET"},
		{"type-filter", "AddOutputFilterByType DEFLATE text/other", "GET"},
	} {
		config.Conf += "WSGIScriptAlias /" + c.name + " {{.Root}}/method.wsgi\n<Location /" + c.name + ">\n" + c.directives + "\n</Location>\n"
		cases = append(cases, testCase{name: c.name, request: head("/" + c.name), wants: is(status(200), header("X-Method", c.saw), body(""))})
	}
	config.Conf += "WSGIApplicationGroup %{GLOBAL}\n"
	config.Files = map[string]string{"method.wsgi": `
def application(environ, start_response):
    body = environ["REQUEST_METHOD"].encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])])
    return [body]
`}
	group{name: "head", config: config, cases: cases}.run(t)
}
