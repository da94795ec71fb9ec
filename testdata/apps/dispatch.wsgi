"""A dispatch script that is told by headers what to say: X-Process-Group, X-Application-Group, X-Callable-Object, each either a text, or one
of the words that SAYINGS explains. X-Environ has it put its environ into a place where application() finds it."""

import json
import sys

PLAIN = (str, int, float, bool, tuple, list)
SAYINGS = {"None": None, "one": 1, "list": [], "bytes": b"from-bytes", "wide": "\u4e2d", "nul": "a\0b", "empty": ""}
last = {}


def say(environ, function, header):
    print(f"app: {function} {environ.get('seen', '-')}", file=environ["wsgi.errors"])
    environ["seen"] = function
    if "HTTP_X_ENVIRON" in environ:
        last.clear()
        last.update(environ)
    word = environ.get(header, "None")
    if word == "raise":
        raise KeyError("raised on purpose")
    if word == "exit":
        sys.exit(3)
    return SAYINGS.get(word, word)


def process_group(environ):
    return say(environ, "process_group", "HTTP_X_PROCESS_GROUP")


def application_group(environ):
    return say(environ, "application_group", "HTTP_X_APPLICATION_GROUP")


def callable_object(environ):
    return say(environ, "callable_object", "HTTP_X_CALLABLE_OBJECT")


def application(environ, start_response):
    dump = {key: [type(value).__name__, value if isinstance(value, PLAIN) else None] for key, value in last.items()}
    dump["wsgi.version"] = ["tuple", [0, 0]]  # for who reads environs
    body = json.dumps(dump, sort_keys=True).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
