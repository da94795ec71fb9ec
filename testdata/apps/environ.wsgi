# Answers with its environ as JSON: {"KEY": [type name, value], …}, sorted. What JSON can't say has only a type.
import json

PLAIN = (str, int, float, bool, tuple, list)


def application(environ, start_response):
    dump = {key: [type(value).__name__, value if isinstance(value, PLAIN) else None] for key, value in environ.items()}
    body = json.dumps(dump, sort_keys=True).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def other(environ, start_response):
    "For WSGICallableObject: the same under another name."
    environ["app.callable"] = "other"
    return application(environ, start_response)
