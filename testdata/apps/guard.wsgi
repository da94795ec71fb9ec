"""Every script that decides about a request in one. The answer to give stands in the user's name or, for hosts, in the header
X-Answer; application() shows the environ that the last decision was made with, and where it was made."""

import json
import sys

PLAIN = (str, int, float, bool, tuple, list)
last = {}


class Truthy:
    def __bool__(self):
        return True


class Stubborn:
    def __iter__(self):
        raise KeyError("no groups today")


def half_way():
    yield "staff"
    raise KeyError("half-way")


ANSWERS = {
    "true": True, "false": False, "none": None, "one": 1, "zero": 0, "truthy": Truthy(), "list": [True],
    "empty": "", "bytes": b"somebody", "name": "somebody else", "umlaut": "Zo\u00eb", "wide": "\u4e2d", "nul": "some\0body",
    "surrogate": "\ud800", "line": "some\nbody",
}

GROUPS = {
    "staff": ["staff"], "two": ("admin", b"staff"), "capitals": {"STAFF"}, "generator": (name for name in ()),
    "blanks": ["the staff"], "none": None, "empty": [], "text": "staff", "others": ["others"], "bytes": b"staff", "number": 7,
    "numbers": ["staff", 7], "wide": ["\u4e2d", "staff"], "nul": ["staff\0x"], "dict": {"staff": 1}, "stubborn": Stubborn(),
    "umlaut": ["Zo\u00eb"], "blank name": [""],
}


def answer(table, function, environ, key):
    last.clear()
    last.update(environ, **{"guard.function": function, "guard.group": __import__("mod_wsgi").application_group})
    print(f"app: {function} {key}", file=environ["wsgi.errors"])
    if key == "raise":
        raise KeyError("raised on purpose")
    if key == "exit":
        sys.exit(3)
    return table[key]


def allow_access(environ, host):
    last["guard.host"] = host
    return answer(ANSWERS, f"allow_access {host}", environ, environ.get("HTTP_X_ANSWER", "none"))


def check_password(environ, user, password):
    if password != "secret":
        return False
    if user.startswith("member "):  # of which groups, groups_for_user() tells
        return True
    return answer(ANSWERS, "check_password", environ, user)


def get_realm_hash(environ, user, realm):
    import hashlib

    hashed = hashlib.md5(f"{user}:{realm}:secret".encode("latin-1")).hexdigest()
    answers = {"text": hashed, "bytes": hashed.encode(), "none": None, "empty": "", "empty bytes": b"", "number": 7, "wide": "\u4e2d", "true": True}
    return answer(answers, "get_realm_hash", environ, user)


def groups_for_user(environ, user):
    user = user.removeprefix("member ")
    if user == "half-way":
        return half_way()
    return answer(GROUPS, "groups_for_user", environ, user)


def application(environ, start_response):
    dump = {key: [type(value).__name__, value if isinstance(value, PLAIN) else None] for key, value in last.items()}
    dump["wsgi.version"] = ["tuple", [0, 0]]  # for who reads environs
    body = json.dumps(dump, sort_keys=True).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"), ("X-User", environ.get("REMOTE_USER", "-")), ("Content-Length", str(len(body)))])
    return [body]
