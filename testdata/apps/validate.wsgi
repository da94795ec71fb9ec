# The checking wrapper of the standard library around an application that uses every part of the protocol.
from wsgiref.validate import validator


def plain(environ, start_response):
    read = environ["wsgi.input"]
    got = read.read(3), read.readline(), read.read(0 + 2), b"".join(read.readlines())
    print("app: validated", file=environ["wsgi.errors"])
    environ["wsgi.errors"].flush()
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["REQUEST_METHOD"] != "HEAD":
        write(b"written|")
    return [b"|".join(got)]


application = validator(plain)
