package integration

import (
	"net/url"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// wsgi.input: reference runtime.md, 2.13, 2.16 and 2.17.

const threeLines = "first\nsecond line\nthird"

// reading posts a body to expressions about i, which is wsgi.input.
func reading(expressions, text string) apachetest.Request {
	return apachetest.Request{Method: "POST", Target: "/check?" + url.PathEscape(expressions), Body: []byte(text)}
}

func TestRequestBodyIsReadInEveryWay(t *testing.T) {
	read := func(name, expressions, answer string) testCase {
		return testCase{name: name, request: reading(expressions, threeLines), wants: is(status(200), body(answer))}
	}
	long := strings.Repeat("0123456789abcde\n", 10000)
	group{
		name:     "input",
		thorough: true,
		config: apachetest.Config{
			Conf: `
WSGIScriptAlias /bodies {{.Apps}}/bodies.wsgi
WSGIScriptAlias /chunked {{.Apps}}/bodies.wsgi
<Location /chunked>
    WSGIChunkedRequest On
</Location>
WSGIScriptAlias /dump {{.Apps}}/environ.wsgi
<Location /dump>
    WSGIChunkedRequest On
</Location>
WSGIScriptAlias /limited {{.Apps}}/bodies.wsgi
<Location /limited>
    WSGIChunkedRequest On
    LimitRequestBody 1000
</Location>
WSGIScriptAlias / {{.Apps}}/evaluate.wsgi
WSGIApplicationGroup %{GLOBAL}
`},
		cases: []testCase{
			read("all", `i.read()`, "b'first\\nsecond line\\nthird'\n"),
			read("negative size", `i.read(-1)`, "b'first\\nsecond line\\nthird'\n"),
			read("in pieces", `i.read(3);i.read(4);i.read(100);i.read(1);i.read()`, "b'fir'\nb'st\\ns'\nb'econd line\\nthird'\nb''\nb''\n"),
			read("nothing first", `i.read(0);i.read(5)`, "b''\nb'first'\n"),
			read("lines", `i.readline();i.readline();i.readline();i.readline()`, "b'first\\n'\nb'second line\\n'\nb'third'\nb''\n"),
			read("negative line", `i.readline(-1)`, "b'first\\n'\n"),
			read("bounded lines", `i.readline(3);i.readline(3);i.readline(3);i.readline(100)`, "b'fir'\nb'st\\n'\nb'sec'\nb'ond line\\n'\n"),
			read("line of nothing", `i.readline(0);i.readline()`, "b''\nb'first\\n'\n"),
			read("all lines", `i.readlines();i.readlines()`, "[b'first\\n', b'second line\\n', b'third']\n[]\n"),
			read("lines up to a hint", `i.readlines(1);i.readlines(100)`, "[b'first\\n']\n[b'second line\\n', b'third']\n"),
			read("hint reached in the second", `i.readlines(7)`, "[b'first\\n', b'second line\\n']\n"),
			read("hint 0", `i.readlines(0)`, "[b'first\\n', b'second line\\n', b'third']\n"),
			read("iteration", `list(i);list(i)`, "[b'first\\n', b'second line\\n', b'third']\n[]\n"),
			read("its own iterator", `iter(i) is i;next(i);next(i);next(i);next(i)`, "True\nb'first\\n'\nb'second line\\n'\nb'third'\nStopIteration\n"),
			read("line, then the rest", `i.readline();i.read(3);i.readline();i.read()`, "b'first\\n'\nb'sec'\nb'ond line\\n'\nb'third'\n"),
			read("read None", `i.read(None)`, "TypeError\n"),
			read("read a float", `i.read(1.5)`, "TypeError\n"),
			read("read a str", `i.read("1")`, "TypeError\n"),
			read("too many arguments", `i.read(1, 2);i.readline(1, 2);i.readlines(1, 2)`, "TypeError\nTypeError\nTypeError\n"),
			read("keyword", `i.read(size=1)`, "TypeError\n"),
			read("readline None", `i.readline(None)`, "TypeError\n"),
			read("close does nothing", `i.close();i.read(5)`, "None\nb'first'\n"),
			read("public attributes", `[n for n in dir(i) if n[0] != "_"]`, "['close', 'read', 'readline', 'readlines']\n"),
			{name: "empty body", request: reading(`i.read();i.readline();i.readlines();list(i)`, ""), wants: is(body("b''\nb''\n[]\n[]\n"))},
			{name: "no body", request: evaluate(`i.read();i.read(10);i.readline()`), wants: is(body("b''\nb''\nb''\n"))},
			{name: "long lines", request: reading(`len(i.readlines());i.read()`, long), wants: is(body("10000\nb''\n"))},
			{name: "a line longer than any buffer", request: reading(`len(i.readline());i.readline()`, longText(300000)+"\nx"), wants: is(body("300001\nb'x'\n"))},
			{name: "blank lines", request: reading(`i.readlines()`, "\n\n\r\n"), wants: is(body("[b'\\n', b'\\n', b'\\r\\n']\n"))},
			{name: "binary", request: reading(`i.read()`, "\x00\xff\x80"), wants: is(body("b'\\x00\\xff\\x80'\n"))},
			{name: "many small reads", request: reading(`sum(len(i.read(7)) for n in range(30000))`, long), wants: is(body("160000\n"))},

			{name: "in blocks", request: post("/bodies/digest", long), wants: is(status(200), bodyHas("160000 "))},
			{name: "echo", request: post("/bodies/echo", long), wants: is(body(long))},
			{name: "ignored", request: post("/bodies/ignore", long), wants: is(body("ignored"))},
			{name: "ignored, kept alive", request: apachetest.Request{Method: "POST", Target: "/bodies/ignore", Body: []byte(long), KeepAlive: true}, wants: is(body("ignored"))},

			{name: "chunked refused", request: apachetest.Request{Method: "POST", Target: "/bodies/length", Chunked: true, Body: []byte(threeLines)}, wants: is(status(411))},
			{name: "chunked accepted", request: apachetest.Request{Method: "POST", Target: "/chunked/length", Chunked: true, Body: []byte(threeLines)}, wants: is(body("23"))},
			{name: "chunked and long", request: apachetest.Request{Method: "POST", Target: "/chunked/echo", Chunked: true, Body: []byte(long)}, wants: is(body(long))},
			{name: "chunked and empty", request: apachetest.Request{Method: "POST", Target: "/chunked/length", Chunked: true, Body: []byte{}}, wants: is(body("0"))},
			{name: "chunked in the environ", request: apachetest.Request{Method: "POST", Target: "/dump", Chunked: true, Body: []byte("x")}, wants: is(str("HTTP_TRANSFER_ENCODING", "chunked"), noEnv("CONTENT_LENGTH"))},
			{name: "chunked, capitals", request: apachetest.Request{Raw: "POST /chunked/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}, wants: is(body("3"))},
			{name: "chunked with a trailer", request: apachetest.Request{Raw: "POST /chunked/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"}, wants: is(body("3"))},
			{name: "chunked garbage", request: apachetest.Request{Raw: "POST /chunked/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n"}, wants: is(refused500)},
			{name: "other transfer coding", request: apachetest.Request{Raw: "POST /chunked/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: gzip\r\n\r\n"}, wants: is(refused501)},
			{name: "length no number", request: apachetest.Request{Raw: "POST /bodies/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 12x\r\n\r\n"}, wants: is(status(400))},
			{name: "length negative", request: apachetest.Request{Raw: "POST /bodies/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: -1\r\n\r\n"}, wants: is(status(400))},

			{name: "100-continue on the first read", request: expecting("/bodies/length"), wants: is(status(200), body("3"), interimIs("100"))},
			{name: "100-continue not when nothing is read", request: expecting("/bodies/ignore"), wants: is(status(200), body("ignored"), interimIs(""))},
			{name: "client gone while reading", request: apachetest.Request{
				Raw:       "POST /check?" + url.PathEscape(`i.read();i.read();i.readline()`) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100\r\n\r\nabc",
				HalfClose: true,
			}, wants: is(status(200), body("OSError\nOSError\nOSError\n"))},
		},
	}.run(t)
}

// Apache refuses some of these itself, before any handler: either answer protects the application.
func refused500(e apachetest.Exchange) string {
	return complaint(e.Status != 400 && e.Status != 500, "status "+itoa(e.Status))
}

func refused501(e apachetest.Exchange) string {
	return complaint(e.Status != 400 && e.Status != 501, "status "+itoa(e.Status))
}

func expecting(target string) apachetest.Request {
	return apachetest.Request{Method: "POST", Target: target, Body: []byte("abc"), Headers: []apachetest.Header{hd("Expect", "100-continue")}}
}

func interimIs(codes string) want {
	return func(e apachetest.Exchange) string {
		var got []string
		for _, one := range e.Interim {
			got = append(got, itoa(one.Status))
		}
		return complaint(strings.Join(got, ",") != codes, "interim answers: "+strings.Join(got, ","))
	}
}
