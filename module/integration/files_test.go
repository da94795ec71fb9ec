package integration

import (
	"fmt"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// wsgi.file_wrapper: reference runtime.md, 2.15.

func theFile() string {
	var b strings.Builder
	for n := 0; n < 100000; n += 10 {
		fmt.Fprintf(&b, "%09d\n", n)
	}
	return b.String()
}

func TestFilesLeaveThroughApache(t *testing.T) {
	whole := theFile()
	cases := func(prefix string) []testCase {
		return []testCase{
			{name: prefix + " whole", request: get("/" + prefix + "/whole"), wants: is(status(200), body(whole), header("Content-Length", "100000"))},
			{name: prefix + " block size", request: get("/" + prefix + "/block_size"), wants: is(body(whole), header("Content-Length", "100000"))},
			{name: prefix + " offset", request: get("/" + prefix + "/offset"), wants: is(body(whole[99950:]), header("Content-Length", "50"))},
			{name: prefix + " at the end", request: get("/" + prefix + "/at_end"), wants: is(status(200), body(""))},
			{name: prefix + " length", request: get("/" + prefix + "/length"), wants: is(body(whole[:30]), header("Content-Length", "30"))},
			{name: prefix + " offset and length", request: get("/" + prefix + "/offset_and_length"), wants: is(status(206), body(whole[20:50]))},
			{name: prefix + " no descriptor", request: get("/" + prefix + "/memory"), wants: is(body("from memory"), header("Content-Length"))},
			{name: prefix + " wrapped by middleware", request: get("/" + prefix + "/wrapped"), wants: is(body(whole), header("Content-Length"))},
			{name: prefix + " after write", request: get("/" + prefix + "/after_write"), wants: is(body("first " + whole[99990:]))},
			{name: prefix + " empty", request: get("/" + prefix + "/empty"), wants: is(status(200), body(""))},
			{name: prefix + " pipe", request: get("/" + prefix + "/pipe"), wants: is(body("through a pipe"))},
			{name: prefix + " text", request: get("/" + prefix + "/text"), wants: is(status(500))},
			{name: prefix + " no start_response", request: get("/" + prefix + "/no_start"), wants: is(status(500))},
			{name: prefix + " closed", request: get("/" + prefix + "/close"), wants: is(body(whole[99990:])), logs: []string{"app: file closed"}},
			{name: prefix + " subclass", request: get("/" + prefix + "/subclass"), wants: is(body(whole[99980:]))},
			{name: prefix + " HEAD", request: head("/" + prefix + "/whole"), wants: is(status(200), body(""), header("Content-Length", "100000"))},
			{name: prefix + " range", request: get("/"+prefix+"/etag", hd("Range", "bytes=10-29")), wants: is(status(206), body(whole[10:30]), header("Content-Range", "bytes 10-29/100000"))},
			{name: prefix + " last bytes", request: get("/"+prefix+"/etag", hd("Range", "bytes=-10")), wants: is(status(206), body(whole[99990:]))},
			{name: prefix + " impossible range", request: get("/"+prefix+"/etag", hd("Range", "bytes=200000-")), wants: is(status(416))},
			{name: prefix + " If-None-Match", request: get("/"+prefix+"/etag", hd("If-None-Match", `"v1"`)), wants: is(status(200), body(whole))},
			{name: prefix + " If-Modified-Since", request: get("/"+prefix+"/etag", hd("If-Modified-Since", "Tue, 01 Jan 2019 00:00:00 GMT")), wants: is(status(200))},
			{name: prefix + " too large a length", request: get("/" + prefix + "/length_too_large"), wants: is(status(200), body(whole)), oursOnly: true}, // the length is corrected; the classic module sends NULs
		}
	}
	all := append(cases("plain"), cases("sendfile")...)
	all = append(all, testCase{name: "attributes", request: get("/plain/attributes"), wants: is(body(strings.Join([]string{
		"blksize: 4", "filelike: True", "iter: True", "next: b'abcd'", "next: b'ef'", "next: StopIteration", "close: None", "closed: True",
		"close again: None", "filelike after: ValueError", "next after: ValueError", "no file: TypeError", "negative: ValueError"}, "\n"))), oursOnly: true}) // the classic module's process dies of it
	group{
		name:     "files",
		thorough: true,
		config: apachetest.Config{Conf: `
WSGIScriptAlias /plain {{.Apps}}/files.wsgi
WSGIScriptAlias /sendfile {{.Apps}}/files.wsgi
WSGIApplicationGroup %{GLOBAL}
<Location /sendfile>
    WSGIEnableSendfile On
    EnableSendfile On
</Location>
`},
		cases: all,
	}.run(t)
}
