package gatewaytest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// model runs operations on wsgi.input and on io.BytesIO over the same bytes, and says where they differ.
const model = `
	import io
	def application(environ, start_response):
		stream, model = environ["wsgi.input"], io.BytesIO(environ["body"].encode("latin-1"))
		said = []
		for n, operation in enumerate(environ["operations"].split(";")):
			try:
				got = eval(operation, {"i": stream})
			except Exception as problem:
				got = type(problem)
			try:
				want = eval(operation, {"i": model})
			except Exception as problem:
				want = type(problem)
			if got != want or type(got) != type(want):
				said.append(f"operation {n}, {operation}: {got!r:.200}, io.BytesIO: {want!r:.200}")
		start_response("200 OK", [])
		return ["\n".join(said).encode()]
`

// randomBody makes a body of at most n bytes with line breaks every `line` bytes or so; no NUL, which can't be in an environ.
func randomBody(random *rand.Rand, n, line int) string {
	body := make([]byte, random.IntN(n+1))
	for i := range body {
		body[i] = byte(1 + random.IntN(255))
		if body[i] == '\n' {
			body[i] = 'n'
		}
		if random.IntN(line) == 0 {
			body[i] = '\n'
		}
	}
	return string(body)
}

// randomPieces cuts the body into pieces of at most n bytes that arrive in different ways.
func randomPieces(random *rand.Rand, body string, n int) []Piece {
	var pieces []Piece
	for body != "" {
		length := min(1+random.IntN(n), len(body))
		pieces = append(pieces, Piece{Kind: random.IntN(2), Data: body[:length]}) // Now or Late
		body = body[length:]
	}
	return pieces
}

func randomOperation(random *rand.Rand, n int) string {
	size := func() int { return random.IntN(n+2) - 1 }
	switch random.IntN(12) {
	case 0:
		return "i.read()"
	case 1, 2, 3:
		return fmt.Sprintf("i.read(%d)", size())
	case 4, 5:
		return "i.readline()"
	case 6, 7:
		return fmt.Sprintf("i.readline(%d)", size())
	case 8:
		return fmt.Sprintf("i.readlines(%d)", size())
	case 9, 10:
		return "next(i)"
	}
	return []string{"list(i)", "i.readlines()", "i.read(0)", "i.readline(0)", "[x for x, y in zip(i, range(3))]", "i.read(-7)"}[random.IntN(6)]
}

func TestInputAgainstBytesIO(t *testing.T) {
	const seed = 20261123
	random := rand.New(rand.NewPCG(seed, 1))
	r := request(t, model)
	for round := range 3000 {
		// Small bodies in small pieces meet the most cases; some rounds pass the 8192 bytes of the line buffer and its multiples.
		largest, piece, operations := 60, 10, 1+random.IntN(12)
		if round%10 == 0 {
			largest, piece = 40000, 20000
		}
		body := randomBody(random, largest, 1+random.IntN(max(2, largest/3)))
		r.Body, r.UnknownLength = randomPieces(random, body, 1+random.IntN(piece)), random.IntN(2) == 0
		var list []string
		for range operations {
			list = append(list, randomOperation(random, max(2, largest/(1+random.IntN(8)))))
		}
		latin1 := "body=" + body
		r.Environ = []string{latin1, "operations=" + strings.Join(list, ";")}
		a := run(t, r)
		if a.Result != Answered || a.Body != "" {
			t.Fatalf("round %d of seed %d: body %.300q, pieces %.500q, operations %v:\n%s", round, seed, body, fmt.Sprint(r.Body), list, a)
		}
	}
}

func TestInputArgumentsAreTheSameAsOfBytesIO(t *testing.T) {
	r := request(t, model)
	for _, operation := range []string{`i.read("1")`, `i.read(1.0)`, `i.read(1, 2)`, `i.read(True)`, `i.read(2**62)`, `i.read(2**80)`, `i.read(-2**80)`,
		`i.readline("1")`, `i.readline(1.0)`, `i.readline(1, 2)`, `i.readline(2**62)`, `i.readline(2**80)`, `i.readlines("1")`, `i.readlines(1, 2)`,
		`i.readlines(2**62)`, `i.readlines(2**80)`, `iter(i) is i`, `i.read(); i.read(); i.read(1); i.readline(); i.readlines(); next(i); list(i)`} {
		for _, operation := range strings.Split(operation, "; ") {
			body := "one\ntwo\n\nthree"
			r.Body = []Piece{{Now, body[:1], 0}, {Late, body[1:6], 0}, {Now, body[6:], 0}}
			r.Environ = []string{"body=" + body, "operations=" + operation}
			expect(t, run(t, r), "")
		}
	}
}

// evaluateInput answers with the value, or the exception, of each of several expressions.
const evaluateInput = `
	def application(environ, start_response):
		said = []
		for expression in environ["do"].split(";"):
			try:
				said.append(repr(eval(expression, {"i": environ["wsgi.input"]})))
			except BaseException as problem:
				said.append(f"{type(problem).__name__}: {problem}")
		start_response("200 OK", [])
		return [";".join(said).encode()]
`

func TestInputWhereItDiffersFromBytesIO(t *testing.T) {
	r := request(t, evaluateInput)
	r.Body = []Piece{{Now, "a\nb", 0}}
	for do, want := range map[string]string{
		`i.read(None)`:       "TypeError: 'NoneType' object cannot be interpreted as an integer",
		`i.read(size=1)`:     "TypeError: Input.read() takes no keyword arguments",
		`i.close();i.read()`: `None;b'a\nb'`,
		`i.read();i.read();i.readline();i.readlines();list(i)`: `b'a\nb';b'';b'';[];[]`,
		`type(i).__name__;type(i).__module__`:                  `'Input';'mod_wsgi'`,
		`type(i)()`:                                            "TypeError: cannot create 'mod_wsgi.Input' instances",
		`[n for n in dir(i) if n[0] != "_"]`:                   `['close', 'read', 'readline', 'readlines']`,
	} {
		r.Environ = []string{"do=" + do}
		expect(t, run(t, r), want)
	}
}

func TestInputFailureLasts(t *testing.T) {
	r := request(t, evaluateInput)
	problem := "OSError: mod_wsgi request data read error: reset by peer"
	again := "OSError: mod_wsgi request data read error: the client is gone"
	for do, want := range map[string]string{
		`i.read()`:                     problem,
		`i.read();i.read();i.read(1)`:  problem + ";" + again + ";" + again,
		`i.read(3);i.read(1);i.read()`: `b'a\nb';` + problem + ";" + again,
		`i.readline();i.readline();i.readline();next(i);list(i);i.readlines()`: `b'a\n';` + problem + strings.Repeat(";"+again, 4),
		`list(i)`:       problem,
		`i.readlines()`: problem,
	} {
		r.Body = []Piece{{Now, "a\n", 0}, {Late, "b", 0}, {Fail, "reset by peer", 0}}
		r.Environ = []string{"do=" + do}
		expect(t, run(t, r), want)
		r.UnknownLength = !r.UnknownLength
	}
}

func TestReadOfNothingAsksForTheBodyOnce(t *testing.T) {
	r := request(t, evaluateInput)
	for do, want := range map[string]string{
		`i.read(0)`:                     "wanted begin write:3",
		`i.read(0);i.read(1);i.read(0)`: "wanted begin write:12",
		`i.read(1);i.read(0)`:           "begin write:8",
		`i.read();i.read(0)`:            "begin write:11",
		`i.readline(0)`:                 "begin write:3",
		`1`:                             "begin write:1",
	} {
		r.Body = []Piece{{Late, "body", 0}}
		r.Environ = []string{"do=" + do}
		if a := run(t, r); a.Trace != want {
			t.Errorf("%s: want trace %s\n%s", do, want, a)
		}
	}
}

func TestInputOfMegabytes(t *testing.T) {
	r := request(t, `
		import hashlib
		def application(environ, start_response):
			i = environ["wsgi.input"]
			if environ["how"] == "read":
				body = i.read()
			elif environ["how"] == "lines":
				body = b"".join(i)
			elif environ["how"] == "line":
				body = i.readline()
			else:
				body = b"".join(iter(lambda: i.read(1 << 20), b""))
			start_response("200 OK", [])
			return [body]
	`)
	body := strings.Repeat(strings.Repeat("0123456789", 977)+"\n", 300) // 2.9 MB
	for _, how := range []string{"read", "blocks", "lines", "line"} {
		for _, piece := range []int{1 << 20, 8000, 8192} {
			r.Body = nil
			for rest := body; rest != ""; {
				n := min(piece, len(rest))
				r.Body = append(r.Body, Piece{len(r.Body) % 2, rest[:n], 0})
				rest = rest[n:]
			}
			r.Environ = []string{"how=" + how}
			want := body
			if how == "line" {
				want = body[:strings.Index(body, "\n")+1]
			}
			for _, r.UnknownLength = range []bool{false, true} {
				if a := run(t, r); a.Result != Answered || a.Body != want {
					t.Errorf("%s in pieces of %d: %d bytes of %d", how, piece, len(a.Body), len(want))
				}
			}
		}
	}
}

func TestOthersRunWhileARequestWaitsForItsBody(t *testing.T) {
	out, in := pipe(t)
	slow := request(t, `
		def application(environ, start_response):
			body = environ["wsgi.input"].read()
			start_response("200 OK", [])
			return [body]
	`)
	slow.Body = []Piece{{Now, "a", 0}, {Gate, "b", int(out.Fd())}}
	answer := newThread(t).Begin(slow)
	quick := request(t, "def application(environ, start_response):\n\tstart_response('200 OK', [])\n\treturn [b'quick']")
	quick.Group = slow.Group
	expect(t, run(t, quick), "quick")
	select {
	case a := <-answer:
		t.Fatal("answered before its body was there:", a)
	default:
	}
	if _, err := in.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	expect(t, wait(t, answer), "ab")
}

// pipe returns the ends of a pipe, closed with the test.
func pipe(t testing.TB) (out, in *os.File) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	return out, in
}
