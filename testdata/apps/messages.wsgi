# What an application logs, one case per path.
import sys


def application(environ, start_response):
    errors = environ["wsgi.errors"]
    body = globals()["case_" + environ["PATH_INFO"].strip("/")](errors) or b"done"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def case_line(errors):
    errors.write("app: one line\n")


def case_print(errors):
    print("app: printed", file=errors)


def case_two_lines(errors):
    errors.write("app: first\napp: second\n")


def case_pieces(errors):
    errors.write("app: in ")
    errors.write("pieces")
    errors.write("\n")


def case_fragment(errors):
    errors.write("app: no newline")


def case_flush(errors):
    errors.write("app: flushed")
    errors.flush()
    errors.write("app: then this\n")


def case_after_newline(errors):
    errors.write("app: A\napp: B")
    errors.write("app: C\n")


def case_writelines(errors):
    errors.writelines(["app: x\n", "app: y\n"])


def case_unicode(errors):
    errors.write("app: caf\xe9 \u20ac\n")


def case_surrogate(errors):
    errors.write("app: \udc80 odd\n")


def case_carriage_return(errors):
    errors.write("app: a\rb\n")


def case_tab(errors):
    errors.write("app: a\tb\n")


def case_long(errors):
    errors.write("app: " + "x" * 5000 + "\n")


def case_too_long(errors):
    errors.write("app: " + "x" * 10000 + "\n")


def case_stderr(errors):
    print("app: to stderr", file=sys.stderr)


def case_stdout(errors):
    print("app: to stdout")


def case_thread(errors):
    import threading
    t = threading.Thread(target=lambda: errors.write("app: from a thread\n"))
    t.start()
    t.join()


def case_logging(errors):
    import logging
    handler = logging.StreamHandler(errors)
    logger = logging.getLogger("x")
    logger.addHandler(handler)
    logger.warning("app: through logging")
    logger.removeHandler(handler)


def case_attributes(errors):
    found = []
    for name in ("name", "encoding", "errors", "closed"):
        found.append("%s=%r" % (name, getattr(errors, name, "absent")))
    for name in ("isatty", "writable", "readable", "seekable", "fileno"):
        try:
            found.append("%s=%r" % (name, getattr(errors, name)()))
        except Exception as problem:
            found.append("%s=%s" % (name, type(problem).__name__))
    found.append(type(errors).__name__)
    return "\n".join(found).encode()


def attempt(action):
    try:
        return repr(action())
    except Exception as problem:
        return type(problem).__name__


def case_closed(errors):
    found = [attempt(lambda: errors.close()), attempt(lambda: errors.write("app: late\n")), attempt(lambda: errors.flush()), attempt(lambda: errors.closed)]
    return "\n".join(found).encode()


def case_buffer(errors):
    b = errors.buffer
    found = [type(b).__name__, attempt(lambda: b.write(b"app: bytes\n")), attempt(lambda: b.writelines([b"app: x\n", b"app: y\n"])), attempt(lambda: b.flush()),
             attempt(lambda: b.isatty()), attempt(lambda: b.readable()), attempt(lambda: b.writable()), attempt(lambda: b.seekable()), attempt(lambda: b.fileno()),
             attempt(lambda: b.name), attempt(lambda: b.closed), attempt(lambda: b.encoding), attempt(lambda: b.errors)]
    return "\n".join(found).encode()
