# Large bodies and what becomes of them, one case per path.
import hashlib, os


def application(environ, start_response):
    return globals()["case_" + environ["PATH_INFO"].strip("/")](environ, start_response)


def answer(start_response, text):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


def case_digest(environ, start_response):
    "Reads the body in blocks; answers with its length and SHA-256."
    digest, length = hashlib.sha256(), 0
    while True:
        block = environ["wsgi.input"].read(65536)
        if not block:
            break
        digest.update(block)
        length += len(block)
    return answer(start_response, "%d %s" % (length, digest.hexdigest()))


def case_length(environ, start_response):
    return answer(start_response, str(len(environ["wsgi.input"].read())))


def case_echo(environ, start_response):
    "Sends each block back as it comes."
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return iter(lambda: environ["wsgi.input"].read(16384), b"")


def case_ignore(environ, start_response):
    return answer(start_response, "ignored")


def case_first_byte(environ, start_response):
    return answer(start_response, repr(environ["wsgi.input"].read(1)))


def case_down(environ, start_response):
    "As many megabytes as the query says, in blocks of 64 KB."
    block = bytes(range(256)) * 256
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for _ in range(int(environ["QUERY_STRING"]) * 16):
        yield block


def case_down_write(environ, start_response):
    block = bytes(range(256)) * 256
    write = start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for _ in range(int(environ["QUERY_STRING"]) * 16):
        write(block)
    return []


def case_pid(environ, start_response):
    return answer(start_response, str(os.getpid()))
