"""What `make bench` asks for: one path per row of its table."""
import os

HELLO = b"Hello, world!\n"
BODY = b"x" * 100_000
BLOCK = b"y" * 65536
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ten-megabytes")
HEADERS = [("X-Header-%d" % number, "value of header %d" % number) for number in range(28)]


def plain(length):
    return [("Content-Type", "text/plain"), ("Content-Length", str(length))]


def hello(environ, start_response):
    start_response("200 OK", plain(len(HELLO)))
    return [HELLO]


def body(environ, start_response):
    start_response("200 OK", plain(len(BODY)))
    return [BODY]


def chunks(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (BLOCK for _ in range(16))


def post(environ, start_response):
    received = len(environ["wsgi.input"].read())
    answer = b"%d\n" % received
    start_response("200 OK", plain(len(answer)))
    return [answer]


def file(environ, start_response):
    opened = open(FILE, "rb")
    start_response("200 OK", plain(os.fstat(opened.fileno()).st_size))
    return environ["wsgi.file_wrapper"](opened)


def headers(environ, start_response):
    start_response("200 OK", plain(len(HELLO)) + HEADERS)
    return [HELLO]


PATHS = {"/hello": hello, "/body": body, "/chunks": chunks, "/post": post, "/file": file, "/headers": headers}


def application(environ, start_response):
    return PATHS[environ["PATH_INFO"]](environ, start_response)
