package integration

import (
	"fmt"
	"testing"

	"modwsgi/module/apachetest"
)

// The environ: reference runtime.md, section 1.

func TestEnvironHoldsWhatTheReferenceLists(t *testing.T) {
	group{
		name:     "environ",
		thorough: true,
		config: apachetest.Config{
			Modules: []string{"deflate", "filter"},
			Conf: `
ServerAdmin admin@example.com
WSGIScriptAlias /app {{.Apps}}/environ.wsgi
WSGIScriptAlias /deflated {{.Apps}}/environ.wsgi
<Location /deflated>
    SetOutputFilter DEFLATE
</Location>
WSGIScriptAlias /mapped {{.Apps}}/environ.wsgi
<Location /mapped>
    WSGIMapHEADToGET On
</Location>
WSGIScriptAlias /unmapped {{.Apps}}/environ.wsgi
<Location /unmapped>
    WSGIMapHEADToGET Off
    SetOutputFilter DEFLATE
</Location>
WSGIScriptAlias /request {{.Apps}}/environ.wsgi
<Location /request>
    WSGIPassApacheRequest On
</Location>
AllowEncodedSlashes NoDecode
WSGIScriptAlias /uri {{.Apps}}/environ.wsgi
<Location /uri>
    CGIVar REQUEST_URI current-uri
</Location>
`,
		},
		cases: []testCase{
			{name: "the keys of PEP 3333", request: get("/app/x?y=1"), wants: is(
				env("wsgi.version", "tuple", "[1 0]"), str("wsgi.url_scheme", "http"), env("wsgi.input_terminated", "bool", true),
				env("wsgi.run_once", "bool", false), env("wsgi.input", "Input", nil), env("wsgi.file_wrapper", "type", nil), env("wsgi.errors", "TextIOWrapper", nil),
				str("REQUEST_METHOD", "GET"), str("SERVER_PROTOCOL", "HTTP/1.1"), str("SERVER_NAME", "localhost"), str("SERVER_PORT", "80"))},
			{name: "the keys of the server", request: get("/app"), wants: is(
				str("SERVER_ADDR", "127.0.0.1"), str("SERVER_ADMIN", "admin@example.com"), str("REMOTE_ADDR", "127.0.0.1"), env("REMOTE_PORT", "str", nil),
				env("DOCUMENT_ROOT", "str", nil), env("SCRIPT_FILENAME", "str", nil), str("REQUEST_SCHEME", "http"), str("CONTEXT_PREFIX", ""), env("CONTEXT_DOCUMENT_ROOT", "str", nil),
				env("SERVER_SOFTWARE", "str", nil))},
			{name: "our own keys", request: get("/app/x"), wants: is(
				str("mod_wsgi.application_group", "localhost|/app"), str("mod_wsgi.callable_object", "application"),
				str("mod_wsgi.request_handler", "wsgi-script"), str("mod_wsgi.handler_script", ""), str("mod_wsgi.script_name", "/app"), str("mod_wsgi.path_info", "/x"),
				str("mod_wsgi.listener_host", "127.0.0.1"), env("mod_wsgi.listener_port", "str", nil), env("mod_wsgi.version", "tuple", "[6 0 5]"), env("apache.version", "tuple", nil),
				env("mod_wsgi.server_pid", "str", nil), env("mod_wsgi.request_id", "str", nil), env("mod_wsgi.thread_id", "int", nil),
				env("mod_wsgi.request_start", "float", nil), env("mod_wsgi.application_start", "float", nil),
				env("mod_wsgi.queue_start", "float", nil), env("mod_wsgi.daemon_start", "float", nil), noEnv("mod_wsgi.mount_point", "apache.request_rec")),
				embedded: is(str("mod_wsgi.process_group", ""), env("mod_wsgi.queue_start", "float", 0), env("mod_wsgi.daemon_start", "float", 0)),
				daemon:   is(str("mod_wsgi.process_group", apachetest.ProcessGroup), ascending("mod_wsgi.request_start", "mod_wsgi.queue_start", "mod_wsgi.daemon_start", "mod_wsgi.application_start"))},
			{name: "what is never there", request: get("/app/x"), wants: is(noEnv("PATH_TRANSLATED", "GATEWAY_INTERFACE", "SERVER_SIGNATURE", "REMOTE_HOST", "REMOTE_IDENT", "PATH", "LD_LIBRARY_PATH", "HTTPS", "HTTP_PROXY"))},
			{name: "request_rec", request: get("/request"), embedded: is(env("apache.request_rec", "PyCapsule", nil)), daemon: is(noEnv("apache.request_rec"))},
			{name: "current URI", request: get("/uri/a%20b?x=1"), wants: is(status(200), env("REQUEST_URI", "str", nil))},

			{name: "headers", request: get("/app", hd("X-One", "1"), hd("Accept-Language", "de"), hd("User-Agent", "test"), hd("TE", "trailers"), hd("Keep-Alive", "x"), hd("Upgrade", "nothing")), wants: is(
				str("HTTP_X_ONE", "1"), str("HTTP_ACCEPT_LANGUAGE", "de"), str("HTTP_USER_AGENT", "test"), str("HTTP_TE", "trailers"), str("HTTP_CONNECTION", "close"), str("HTTP_HOST", "localhost"))},
			{name: "repeated headers", request: get("/app", hd("X-One", "1"), hd("X-One", "2"), hd("Cookie", "a=1"), hd("Cookie", "b=2")), wants: is(
				str("HTTP_X_ONE", "1, 2"), str("HTTP_COOKIE", "a=1, b=2"))},
			{name: "header names with odd characters", request: get("/app", hd("X_One", "1"), hd("X.Two", "2"), hd("X-Three", "3"), hd("X!Four", "4")), wants: is(
				noEnv("HTTP_X_ONE", "HTTP_X_TWO", "HTTP_X.TWO", "HTTP_X_FOUR"), str("HTTP_X_THREE", "3"))},
			{name: "underscore does not shadow", request: get("/app", hd("X_Real_IP", "evil"), hd("X-Real-IP", "good")), wants: is(str("HTTP_X_REAL_IP", "good"))},
			{name: "Proxy header", request: get("/app", hd("Proxy", "evil")), wants: is(noEnv("HTTP_PROXY"))},
			{name: "empty header", request: get("/app", hd("X-Empty", "")), wants: is(str("HTTP_X_EMPTY", ""))},
			{name: "latin-1 header", request: get("/app", hd("X-Latin", "caf\xe9")), wants: is(str("HTTP_X_LATIN", "caf\u00e9"))},
			{name: "UTF-8 header", request: get("/app", hd("X-Utf", "caf\u00e9")), wants: is(str("HTTP_X_UTF", "caf\u00c3\u00a9"))},
			{name: "content type and length", request: post("/app", "abc", hd("Content-Type", "text/x")), wants: is(str("CONTENT_TYPE", "text/x"), str("CONTENT_LENGTH", "3"), noEnv("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"))},
			{name: "no content", request: get("/app"), wants: is(noEnv("CONTENT_TYPE", "CONTENT_LENGTH"))},
			{name: "content length 0", request: post("/app", "", hd("X-A", "b")), wants: is(str("CONTENT_LENGTH", "0"))},
			{name: "Content header with GET", request: apachetest.Request{Target: "/app", Body: []byte("x")}, wants: is(str("CONTENT_LENGTH", "1"))},
			{name: "Expect", request: apachetest.Request{Method: "POST", Target: "/app", Body: []byte("abc"), Headers: []apachetest.Header{hd("Expect", "100-continue")}}, wants: is(str("HTTP_EXPECT", "100-continue"))},
			{name: "many headers", request: get("/app", many(60)...), wants: is(str("HTTP_X_N0", "v"), str("HTTP_X_N59", "v"))},
			{name: "long header", request: get("/app", hd("X-Long", longText(8000))), wants: is(str("HTTP_X_LONG", longText(8000)))},
			{name: "If headers", request: get("/app", hd("If-Modified-Since", "Tue, 01 Jan 2019 00:00:00 GMT"), hd("If-None-Match", `"x"`), hd("Range", "bytes=0-1")), wants: is(status(200))},

			{name: "query kept raw", request: get("/app?a=%20b&c=%C3%A9+d"), wants: is(str("QUERY_STRING", "a=%20b&c=%C3%A9+d"))},
			{name: "empty query", request: get("/app?"), wants: is(str("QUERY_STRING", ""))},
			{name: "second question mark", request: get("/app?a?b"), wants: is(str("QUERY_STRING", "a?b"))},
			{name: "UTF-8 path", request: get("/app/%C3%A9"), wants: is(str("PATH_INFO", "/\u00c3\u00a9"))},
			{name: "latin-1 path", request: get("/app/%E9"), wants: is(str("PATH_INFO", "/\u00e9"))},
			{name: "encoded slash kept", request: get("/app/a%2Fb"), wants: is(str("PATH_INFO", "/a%2Fb"))},
			{name: "semicolon and plus", request: get("/app/a;b+c=d"), wants: is(str("PATH_INFO", "/a;b+c=d"))},
			{name: "markup in Host", request: get("/app"), wants: is(str("SERVER_NAME", "localhost"))},
			{name: "Host with capitals", request: host("LocalHost", "/app"), wants: is(str("HTTP_HOST", "LocalHost"))},
			{name: "Host with port", request: host("localhost:81", "/app"), wants: is(str("SERVER_PORT", "81"), str("mod_wsgi.application_group", "localhost:81|/app"))},
			{name: "HTTP/1.0", request: apachetest.Request{Proto: "HTTP/1.0", Target: "/app"}, wants: is(str("SERVER_PROTOCOL", "HTTP/1.0"))},

			{name: "GET before a content filter", request: get("/deflated", hd("Accept-Encoding", "none")), wants: is(str("REQUEST_METHOD", "GET"))},
			{name: "GET with mapping on", request: get("/mapped"), wants: is(str("REQUEST_METHOD", "GET"))},
			{name: "POST with mapping on", request: post("/mapped", "x"), wants: is(str("REQUEST_METHOD", "POST"))},
			{name: "GET with mapping off", request: get("/unmapped"), wants: is(str("REQUEST_METHOD", "GET"))},
		},
	}.run(t)
}

// ascending wants moments of the environ in this order.
func ascending(keys ...string) want {
	return func(e apachetest.Exchange) string {
		environ := apachetest.ParseEnviron(e.Body)
		before := 0.0
		for _, key := range keys {
			moment, ok := environ[key].Value.(float64)
			if !ok || moment <= 0 || moment < before {
				return fmt.Sprintf("environ %s is %v, after %f", key, environ[key].Value, before)
			}
			before = moment
		}
		return ""
	}
}

func many(n int) []apachetest.Header {
	var headers []apachetest.Header
	for i := range n {
		headers = append(headers, hd("X-N"+itoa(i), "v"))
	}
	return headers
}
