# What an application may return, one case per path: /list runs case_list.
import sys

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    return globals()["case_" + environ["PATH_INFO"].strip("/")](environ, start_response)


class Closing:
    "An iterable that logs when it is closed."

    def __init__(self, environ, blocks):
        self.environ, self.blocks = environ, iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.blocks)

    def close(self):
        print("app: closed", file=self.environ["wsgi.errors"])


def case_list(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"one\n", b"two\n"]


def case_tuple(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"one\n", b"two\n")


def case_generator(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"one\n"
    yield b"two\n"


def case_late_start(environ, start_response):
    "start_response inside the generator, before the first block."
    yield b""
    start_response("201 Created", TEXT)
    yield b"late\n"


def case_empty(environ, start_response):
    start_response("200 OK", TEXT)
    return []


def case_empty_blocks(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"", b"a", b"", b"b"]


def case_only_empty_blocks(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"", b""]


def case_getitem(environ, start_response):
    "Iterable by the old protocol, __getitem__."

    class Old:
        def __getitem__(self, n):
            return [b"one\n", b"two\n"][n]

    start_response("200 OK", TEXT)
    return Old()


def case_iterator_elsewhere(environ, start_response):
    "close() belongs to the returned object, not to its iterator."

    class Iterable:
        def __iter__(self):
            return iter([b"x"])

        def close(self):
            print("app: iterable closed", file=environ["wsgi.errors"])

    start_response("200 OK", TEXT)
    return Iterable()


def case_bytes_subclass(environ, start_response):
    class Bytes(bytes):
        pass

    start_response("200 OK", TEXT)
    return [Bytes(b"sub")]


def case_close(environ, start_response):
    start_response("200 OK", TEXT)
    return Closing(environ, [b"body"])


def case_close_raises(environ, start_response):
    class Bad(Closing):
        def close(self):
            super().close()
            raise ValueError("in close")

    start_response("200 OK", TEXT)
    return Bad(environ, [b"body"])


def case_close_after_failure(environ, start_response):
    def blocks():
        raise ValueError("in iteration")
        yield

    start_response("200 OK", TEXT)
    return Closing(environ, blocks())


def case_close_of_no_iterable(environ, start_response):
    class Neither:
        def close(self):
            print("app: closed", file=environ["wsgi.errors"])

    start_response("200 OK", TEXT)
    return Neither()


def case_none(environ, start_response):
    start_response("200 OK", TEXT)


def case_str(environ, start_response):
    start_response("200 OK", TEXT)
    return "text"


def case_bytes(environ, start_response):
    start_response("200 OK", TEXT)
    return b"bytes"


def case_str_block(environ, start_response):
    start_response("200 OK", TEXT)
    return ["text"]


def case_bytearray_block(environ, start_response):
    start_response("200 OK", TEXT)
    return [bytearray(b"text")]


def case_memoryview_block(environ, start_response):
    start_response("200 OK", TEXT)
    return [memoryview(b"text")]


def case_no_start(environ, start_response):
    return [b"body"]


def case_no_start_empty(environ, start_response):
    return []


def case_raise_before(environ, start_response):
    raise ValueError("before anything")


def case_raise_after_start(environ, start_response):
    start_response("200 OK", TEXT + [("X-Lost", "1")])
    raise ValueError("after start_response")


def case_raise_first_block(environ, start_response):
    start_response("200 OK", TEXT)
    raise ValueError("before the first block")
    yield b""


def case_raise_after_empty_block(environ, start_response):
    start_response("200 OK", TEXT)
    yield b""
    raise ValueError("after an empty block")


def case_raise_mid(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"one\n"
    raise ValueError("after a block")


def case_raise_mid_length(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "100")])
    yield b"one\n"
    raise ValueError("after a block")


def case_raise_after_write(environ, start_response):
    start_response("200 OK", TEXT)(b"one\n")
    raise ValueError("after write")


def case_system_exit(environ, start_response):
    sys.exit(3)


def case_keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt()


def case_generator_exit(environ, start_response):
    raise GeneratorExit()


def case_chained(environ, start_response):
    try:
        raise KeyError("inner")
    except KeyError as inner:
        raise ValueError("outer") from inner


def case_base_exception(environ, start_response):
    class Own(BaseException):
        pass

    raise Own("own")


def case_www_authenticate_then_raise(environ, start_response):
    start_response("401 Unauthorized", TEXT + [("WWW-Authenticate", 'Basic realm="x"')])
    raise ValueError("after start_response")


# start_response and write

def case_write(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"one\n")
    write(b"two\n")
    return [b"three\n"]


def case_write_nothing(environ, start_response):
    "write(b'') commits the headers: a second start_response must fail."
    write = start_response("200 OK", TEXT)
    write(b"")
    try:
        start_response("500 Late", TEXT)
    except Exception as problem:
        return [type(problem).__name__.encode()]
    return [b"accepted"]


def case_write_in_iteration(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"one\n")
    yield b"two\n"
    write(b"three\n")
    yield b"four\n"


def case_write_wrong_type(environ, start_response):
    write = start_response("200 OK", TEXT)
    found = []
    for data in ("text", bytearray(b"x"), memoryview(b"x"), None, 1):
        try:
            write(data)
            found.append("accepted")
        except Exception as problem:
            found.append(type(problem).__name__)
    return [" ".join(found).encode()]


def case_write_returns(environ, start_response):
    value = start_response("200 OK", TEXT)(b"x")
    return [repr(value).encode()]


def case_second_start(environ, start_response):
    start_response("200 OK", TEXT + [("X-First", "1")])
    start_response("202 Accepted", TEXT + [("X-Second", "2")])
    return [b"body"]


def case_second_start_with_exc_info(environ, start_response):
    start_response("200 OK", TEXT + [("X-First", "1")])
    try:
        raise ValueError("recovered")
    except ValueError:
        start_response("503 Busy", TEXT, sys.exc_info())
    return [b"recovered"]


def case_second_start_after_write(environ, start_response):
    start_response("200 OK", TEXT)(b"one\n")
    try:
        start_response("500 Late", TEXT)
    except Exception as problem:
        return [type(problem).__name__.encode()]


def case_exc_info_after_write(environ, start_response):
    "Once the headers are out, start_response raises the exception it is given."
    start_response("200 OK", TEXT)(b"one\n")
    try:
        raise KeyError("mine")
    except KeyError:
        info = sys.exc_info()
    try:
        start_response("500 Late", TEXT, info)
    except KeyError as problem:
        return [b"raised " + str(problem).encode()]
    return [b"not raised"]


def case_rejected_start_keeps_the_first(environ, start_response):
    start_response("200 OK", TEXT + [("X-First", "1")])
    try:
        start_response("bad", TEXT)
    except ValueError:
        pass
    return [b"body"]


def case_list_is_copied(environ, start_response):
    headers = TEXT + [("X-A", "1")]
    start_response("200 OK", headers)
    headers.append(("X-B", "2"))
    headers[1] = ("X-A", "changed")
    return [b"body"]


# lengths

def case_length_exact(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "6")])
    return [b"abc", b"def"]


def case_length_too_much(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "3")])
    yield b"ab"
    yield b"cdef"
    yield b"ghi"
    print("app: exhausted", file=environ["wsgi.errors"])


def case_length_too_little(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "20")])
    return [b"five\n"]


def case_length_zero(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "0")])
    return [b"surplus"]


def case_length_wrong(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "abc")])
    return [b"body"]


def case_length_negative(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "-1")])
    return [b"body"]


def case_length_empty(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "")])
    return [b""]


def case_length_huge(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "99999999999999999999")])
    return [b"body"]


def case_length_twice(environ, start_response):
    start_response("200 OK", TEXT + [("Content-Length", "9"), ("Content-Length", "4")])
    return [b"body"]


# status and headers on the wire

def case_status(environ, start_response):
    "The status line comes as the query string, with + for blanks."
    start_response(environ["QUERY_STRING"].replace("+", " "), TEXT)
    return [b"body"]


def case_duplicates(environ, start_response):
    start_response("200 OK", TEXT + [("X-A", "1"), ("X-B", "b"), ("X-A", "2"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b""]


def case_latin1(environ, start_response):
    start_response("200 Gr\xfc\xdfe", TEXT + [("X-Latin", "caf\xe9")])
    return [b"body"]


def case_no_type(environ, start_response):
    start_response("200 OK", [])
    return [b"body"]


def case_two_types(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/a"), ("content-type", "Text/B; charset=X")])
    return [b"body"]


def case_redirect(environ, start_response):
    start_response("302 Found", TEXT + [("Location", "/elsewhere")])
    return [b"over there"]


def case_location_with_200(environ, start_response):
    start_response("200 OK", TEXT + [("Location", "/results/list")])
    return [b"here"]


def case_local_redirect(environ, start_response):
    "In daemon mode Apache answers with what is at the Location, without telling the client."
    environ["wsgi.input"].read()
    start_response("200 OK", TEXT + [("Location", "/list?local"), ("X-Dropped", "1")])
    return [b"here"]


def case_status_header(environ, start_response):
    start_response("200 OK", TEXT + [("Status", "404 Not Found")])
    return [b"body"]


def case_connection_close(environ, start_response):
    start_response("200 OK", TEXT + [("Connection", "close")])
    return [b"body"]


def case_own_server_and_date(environ, start_response):
    start_response("200 OK", TEXT + [("Server", "mine"), ("X-Other", "1")])
    return [b"body"]


def case_tab_in_value(environ, start_response):
    start_response("200 OK", TEXT + [("X-Tab", "a\tb")])
    return [b"body"]


def case_control_in_value(environ, start_response):
    start_response("200 OK", TEXT + [("X-Control", "a\x01b")])
    return [b"body"]


def case_odd_name(environ, start_response):
    start_response("200 OK", TEXT + [("X(Odd)", "1")])
    return [b"body"]


def case_last_modified(environ, start_response):
    start_response("200 OK", TEXT + [("Last-Modified", "Tue, 01 Jan 2019 00:00:00 GMT"), ("ETag", '"abc"')])
    return [b"body of some length"]


def case_www_authenticate(environ, start_response):
    start_response("401 Unauthorized", TEXT + [("WWW-Authenticate", 'Basic realm="x"'), ("WWW-Authenticate", 'Digest realm="y"')])
    return [b"who?"]


def case_length_and_method(environ, start_response):
    "For HEAD: the length stays, the body goes."
    body = environ["REQUEST_METHOD"].encode()
    start_response("200 OK", TEXT + [("Content-Length", str(len(body)))])
    return [body]


def case_method(environ, start_response):
    start_response("200 OK", TEXT + [("X-Method", environ["REQUEST_METHOD"])])
    return [environ["REQUEST_METHOD"].encode()]


def case_large(environ, start_response):
    start_response("200 OK", TEXT)
    return [bytes([65 + n]) * 100000 for n in range(10)]


def case_many_blocks(environ, start_response):
    start_response("200 OK", TEXT)
    for n in range(500):
        yield b"%d\n" % n


def case_own_chunks(environ, start_response):
    "An application that frames its body itself."
    start_response("200 OK", TEXT + [("Transfer-Encoding", "chunked")])
    return [b"4\r\nbody\r\n0\r\n\r\n"]
