package gatewaytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const files = `
	import io, os, tempfile
	def application(environ, start_response):
		global fw, path, write
		fw, path = environ["wsgi.file_wrapper"], environ["path"]
		class Sub(fw): pass
		class NoDescriptor:
			def __init__(self, file): self.file = file
			def read(self, n): return self.file.read(n)
			def close(self): print("closed", file=environ["wsgi.errors"])
		class Descriptor(NoDescriptor):
			def fileno(self): return self.file.fileno()
			def tell(self): return self.file.tell()
		class FloatTell(Descriptor):
			def tell(self): return 1.0
		class BadTell(Descriptor):
			def tell(self): raise OSError
		class NegativeTell(Descriptor):
			def tell(self): return -1
		class HugeTell(Descriptor):
			def tell(self): return 1 << 70
		class BadClose(Descriptor):
			def close(self): raise KeyError("swallowed")
		class NoClose:
			def __init__(self, file): self.read = file.read
		def at(n, file):
			file.seek(n)
			return file
		f = open(path, "rb")
		write = start_response("200 OK", [("Content-Length", environ["length"])] if "length" in environ else [])
		result = eval(environ["result"], globals(), locals())
		environ["kept"] = f
		return result
`

func TestFileWrapper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	content := strings.Repeat("0123456789", 2000)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	r := request(t, files)
	n := len(content)
	all := fmt.Sprintf("begin length file:0+%d", n)
	blocks := "begin flush:8192 flush:8192 flush:3616"
	for _, c := range []struct {
		result, length string
		want           int
		body, trace    string
		log            string
	}{
		// the transport sends the file
		{`fw(f)`, "", Answered, content, all, ""},
		{`fw(f, 1)`, "", Answered, content, all, ""},
		{`Sub(f)`, "", Answered, content, all, ""},
		{`fw(open(path, "rb", buffering=0))`, "", Answered, content, all, ""},
		{`fw(open(path, "r+b"))`, "", Answered, content, all, ""},
		{`fw(Descriptor(f))`, "", Answered, content, all, "3 closed"},
		{`fw(BadClose(f))`, "", Answered, content, all, ""},
		{`fw(at(19995, f))`, "", Answered, "56789", "begin length file:19995+5", ""},
		{`f.read(3) and fw(f)`, "", Answered, content[3:], fmt.Sprintf("begin length file:3+%d", n-3), ""},
		{`fw(at(30000, f))`, "", Answered, "", "begin length", ""},
		{`fw(f)`, "5", Answered, "01234", "begin length file:0+5", ""},
		{`fw(f)`, "0", Answered, "", "begin length", ""},
		{`fw(f)`, "30000", Short, content, all, ""},
		{`fw(at(19995, f))`, "30000", Short, "56789", "begin length file:19995+5", ""},
		{`fw(tempfile.TemporaryFile())`, "", Answered, "", "begin length", ""},
		// it can't
		{`iter(fw(f))`, "", Answered, content, all, ""}, // the wrapper is its own iterator
		{`(b for b in fw(f))`, "", Answered, content, blocks, ""},
		{`fw(NoDescriptor(f))`, "", Answered, content, blocks, "3 closed"},
		{`fw(FloatTell(f))`, "", Answered, content, blocks, "3 closed"},
		{`fw(BadTell(f))`, "", Answered, content, blocks, "3 closed"},
		{`fw(NegativeTell(f))`, "", Answered, content, blocks, "3 closed"},
		{`fw(HugeTell(f))`, "", Answered, content, blocks, "3 closed"},
		{`fw(NoClose(f))`, "", Answered, content, blocks, ""},
		{`fw(NoClose(f), 10000)`, "", Answered, content, "begin flush:10000 flush:10000", ""},
		{`fw(NoClose(f))`, "9000", Answered, content[:9000], "begin length flush:8192 flush:808", ""},
		{`fw(NoClose(f))`, "30000", Short, content, "begin length flush:8192 flush:8192 flush:3616", ""},
		{`fw(io.BytesIO(b"bytes"))`, "", Answered, "bytes", "begin flush:5", ""},
		{`fw(io.BytesIO())`, "", Answered, "", "begin", ""},
		{`write(b"") or fw(f)`, "", Answered, content, blocks, ""},
		{`write(b"w") or fw(f)`, "", Answered, "w" + content, "begin flush:1 flush:8192 flush:8192 flush:3616", ""},
		// failures
		{`fw(io.StringIO("text"))`, "", 500, "", "", "TypeError: file-like object returned str, not bytes"},
		{`fw(None)`, "", 500, "", "", "AttributeError"},
		{`fw(f.fileno())`, "", 500, "", "", "AttributeError"},
		{`fw(open(os.devnull, "rb"))`, "", Answered, "", "begin", ""},
		{`fw(f).close() or fw(f)`, "", 500, "", "", "ValueError"},
		{`[w := fw(f), w.close(), w][2]`, "", 500, "", "", "ValueError"},
		{`fw(f)`, "x", 500, "", "", "ValueError: Content-Length"},
		{`fw(f, -1)`, "", 500, "", "", "ValueError"},
		{`fw()`, "", 500, "", "", "TypeError"},
	} {
		r.Environ = []string{"path=" + path, "result=" + c.result}
		if c.length != "" {
			r.Environ = append(r.Environ, "length="+c.length)
		}
		a := run(t, r)
		if a.Result != c.want || a.Body != c.body || a.Trace != c.trace {
			t.Errorf("%s, Content-Length %q: want %d, %d bytes, trace %s\n%s", c.result, c.length, c.want, len(c.body), c.trace, a)
		}
		if c.trace == all && c.length == "" && a.Length != int64(n) {
			t.Errorf("%s: announced %d", c.result, a.Length)
		}
		if c.log != "" {
			expectLog(t, a, c.log)
		} else if a.Log != nil {
			t.Errorf("%s: logged\n%s", c.result, a)
		}
	}
}

func TestFileWrapperKeepsThePositionAndIsClosedAfterwards(t *testing.T) {
	r := request(t, `
		import tempfile
		class File:
			def __init__(self, errors):
				self.file, self.errors = tempfile.TemporaryFile(), errors
				self.file.write(b"0123456789")
				self.file.seek(4)
			def fileno(self): return self.file.fileno()
			def tell(self): return self.file.tell()
			def close(self): print("closed at", self.file.tell(), self.file.read(), file=self.errors)
		def application(environ, start_response):
			start_response("200 OK", [("Content-Length", "3")])
			return environ["wsgi.file_wrapper"](File(environ["wsgi.errors"]))
	`)
	a := run(t, r)
	expect(t, a, "456")
	expectLog(t, a, "closed at 4 b'456789'")
}

func TestFileWrapperIsAnIterator(t *testing.T) {
	r := request(t, `
		import io, mod_wsgi
		def application(environ, start_response):
			fw = environ["wsgi.file_wrapper"]
			assert fw is mod_wsgi.FileWrapper and fw.__module__ == "mod_wsgi"
			w = fw(filelike=io.BytesIO(b"abcde"), blksize=2)
			assert (w.blksize, type(w.filelike), iter(w) is w) == (2, io.BytesIO, True)
			assert list(w) == [b"ab", b"cd", b"e"] and list(w) == []
			file = w.filelike
			for name in ("filelike", "blksize"):
				try:
					setattr(w, name, None)
				except AttributeError:
					continue
				raise AssertionError(name)
			assert w.close() is None and w.close() is None and file.closed
			for use in (lambda: w.filelike, lambda: next(w)):
				try:
					use()
				except ValueError:
					continue
				raise AssertionError("open")
			start_response("200 OK", [])
			return [b"done"]
	`)
	expect(t, run(t, r), "done")
}

func TestTheClientLeavesWhileAFileIsSent(t *testing.T) {
	r := request(t, `
		def application(environ, start_response):
			start_response("200 OK", [])
			return environ["wsgi.file_wrapper"](open(__file__, "rb"))
	`)
	r.ClientLeaves, r.ClientTakes = true, 10
	a := run(t, r)
	if a.Result != Answered || len(a.Body) != 10 { // whether that is worth a record is open
		t.Error(a)
	}
}
