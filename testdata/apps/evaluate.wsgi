# Evaluates the Python expressions in the query string, separated by ";", and answers with one line for each: its value,
# or the name of the exception's type. A path that begins with /raw leaves the answer to the expressions.
import io, os, sys, tempfile, threading, time  # for the expressions
from urllib.parse import unquote_to_bytes

kept = {}  # what an expression wants to find again in a later request


def application(environ, start_response):
    result = [b"default\n"]
    names = dict(globals(), environ=environ, sr=start_response, i=environ["wsgi.input"], e=environ["wsgi.errors"],
                 fw=environ["wsgi.file_wrapper"])
    raw = environ["PATH_INFO"].startswith("/raw")
    lines = []
    for expression in unquote_to_bytes(environ["QUERY_STRING"]).decode("utf-8").split(";"):
        try:
            value = eval(expression, names)
            lines.append(ascii(value))
            if raw:
                result = value
        except BaseException as problem:
            lines.append(type(problem).__name__)
            if raw:
                raise
    if raw:
        return result
    body = ("\n".join(lines) + "\n").encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
