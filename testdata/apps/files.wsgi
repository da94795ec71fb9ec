# Files through wsgi.file_wrapper, one case per path. The file is made once per process: 100,000 bytes, each block of 10
# says where it is.
import io, os, tempfile

SIZE = 100000
path = os.path.join(tempfile.gettempdir(), "mod_wsgi-files-%d" % os.getpid())
TYPE = ("Content-Type", "application/octet-stream")


def opened():
    if not os.path.exists(path):
        with open(path, "wb") as out:
            for n in range(0, SIZE, 10):
                out.write(b"%09d\n" % n)
    f = open(path, "rb")
    os.unlink(path)
    return f


def application(environ, start_response):
    return globals()["case_" + environ["PATH_INFO"].strip("/")](environ, start_response, environ["wsgi.file_wrapper"])


def case_whole(environ, start_response, wrapper):
    start_response("200 OK", [TYPE])
    return wrapper(opened())


def case_block_size(environ, start_response, wrapper):
    start_response("200 OK", [TYPE])
    return wrapper(opened(), 1000)


def case_offset(environ, start_response, wrapper):
    f = opened()
    f.seek(99950)
    start_response("200 OK", [TYPE])
    return wrapper(f)


def case_at_end(environ, start_response, wrapper):
    f = opened()
    f.seek(SIZE)
    start_response("200 OK", [TYPE])
    return wrapper(f)


def case_length(environ, start_response, wrapper):
    start_response("200 OK", [TYPE, ("Content-Length", "30")])
    return wrapper(opened())


def case_offset_and_length(environ, start_response, wrapper):
    f = opened()
    f.seek(20)
    start_response("206 Partial Content", [TYPE, ("Content-Length", "30"), ("Content-Range", "bytes 20-49/100000")])
    return wrapper(f)


def case_length_too_large(environ, start_response, wrapper):
    start_response("200 OK", [TYPE, ("Content-Length", "100010")])
    return wrapper(opened())


def case_memory(environ, start_response, wrapper):
    "No descriptor: read block by block."
    start_response("200 OK", [TYPE])
    return wrapper(io.BytesIO(b"from memory"), 4)


def case_wrapped(environ, start_response, wrapper):
    "Middleware around the wrapper: an ordinary iterable."
    start_response("200 OK", [TYPE])
    return (block for block in wrapper(opened(), 5000))


def case_after_write(environ, start_response, wrapper):
    f = opened()
    f.seek(99990)
    start_response("200 OK", [TYPE])(b"first ")
    return wrapper(f)


def case_empty(environ, start_response, wrapper):
    start_response("200 OK", [TYPE])
    return wrapper(tempfile.TemporaryFile())


def case_pipe(environ, start_response, wrapper):
    "A descriptor, but no regular file."
    r, w = os.pipe()
    os.write(w, b"through a pipe")
    os.close(w)
    start_response("200 OK", [TYPE])
    return wrapper(os.fdopen(r, "rb"))


def case_text(environ, start_response, wrapper):
    "A file that yields str."
    start_response("200 OK", [TYPE])
    return wrapper(io.StringIO("text"))


def case_no_start(environ, start_response, wrapper):
    return wrapper(opened())


def case_close(environ, start_response, wrapper):
    class Logged:
        def __init__(self, f):
            self.f = f
            self.read, self.fileno, self.tell, self.seek = f.read, f.fileno, f.tell, f.seek

        def close(self):
            self.f.close()
            print("app: file closed", file=environ["wsgi.errors"])

    f = opened()
    f.seek(99990)
    start_response("200 OK", [TYPE])
    return wrapper(Logged(f))


def case_subclass(environ, start_response, wrapper):
    class Own(wrapper):
        pass

    f = opened()
    f.seek(99980)
    start_response("200 OK", [TYPE])
    return Own(f)


def case_attributes(environ, start_response, wrapper):
    found = []

    def note(name, action):
        try:
            found.append("%s: %r" % (name, action()))
        except Exception as problem:
            found.append("%s: %s" % (name, type(problem).__name__))

    source = io.BytesIO(b"abcdef")
    w = wrapper(source, blksize=4)
    note("blksize", lambda: w.blksize)
    note("filelike", lambda: w.filelike is source)
    note("iter", lambda: iter(w) is w)
    note("next", lambda: next(w))
    note("next", lambda: next(w))
    note("next", lambda: next(w))
    note("close", lambda: w.close())
    note("closed", lambda: source.closed)
    note("close again", lambda: w.close())
    note("filelike after", lambda: w.filelike)
    note("next after", lambda: next(w))
    note("no file", lambda: wrapper())
    note("negative", lambda: wrapper(source, -1))
    body = "\n".join(found).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def case_etag(environ, start_response, wrapper):
    "Range requests are Apache's business; conditional ones the application's."
    start_response("200 OK", [TYPE, ("Content-Length", str(SIZE)), ("ETag", '"v1"'), ("Last-Modified", "Tue, 01 Jan 2019 00:00:00 GMT")])
    return wrapper(opened())
