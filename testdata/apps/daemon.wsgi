# What the tests of daemon mode ask for, one case per path. A gate is a FIFO: opening it waits for the test.
import os, time

TEXT = ("Content-Type", "text/plain")


def application(environ, start_response):
    return globals()["case_" + environ["PATH_INFO"].strip("/")](environ, start_response)


def answer(start_response, text):
    start_response("200 OK", [TEXT, ("Content-Length", str(len(text)))])
    return [text.encode()]


def wait(environ):
    open(environ["QUERY_STRING"]).read()


def case_pid(environ, start_response):
    return answer(start_response, str(os.getpid()))


def case_hold(environ, start_response):
    "Waits at the gate, then says which process it is."
    wait(environ)
    return answer(start_response, str(os.getpid()))


def case_gate(environ, start_response):
    "Waits at the gate in the middle of its answer."
    start_response("200 OK", [TEXT])
    yield b"first|"
    wait(environ)
    yield b"second|"


def case_gate_length(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "13")])
    yield b"first|"
    wait(environ)
    yield b"second|"


def case_log(environ, start_response):
    "Logs before and after the gate; answers with the id that %L shows."
    print("app: before the gate", file=environ["wsgi.errors"])
    wait(environ)
    print("app: behind the gate")
    return answer(start_response, environ["mod_wsgi.request_id"])


def case_flood(environ, start_response):
    "As many megabytes as the query says, without reading the body; then the length of the body."
    megabytes, _, rest = environ["QUERY_STRING"].partition(",")
    block = bytes(range(256)) * 256
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for _ in range(int(megabytes) * 16):
        yield block
    if rest:
        length = 0
        while data := environ["wsgi.input"].read(65536):
            length += len(data)
        yield b"%d" % length


def case_sleep(environ, start_response):
    "Sleeps in steps, so that an exception raised in the thread is noticed."
    end = time.monotonic() + float(environ["QUERY_STRING"])
    while time.monotonic() < end:
        time.sleep(0.01)
    return answer(start_response, str(os.getpid()))


def case_spin(environ, start_response):
    "Uses the processor."
    end = time.process_time() + float(environ["QUERY_STRING"])
    while time.process_time() < end:
        sum(range(1000))
    return answer(start_response, str(os.getpid()))


def case_die(environ, start_response):
    "Ends its process: by a crash, by the signal that the query names, or with that status."
    what = environ["QUERY_STRING"]
    if what.startswith("exit"):
        os._exit(int(what[4:]))
    if what == "crash":
        import ctypes
        ctypes.string_at(0)
    if what == "abort":
        os.abort()
    os.kill(os.getpid(), int(what))
    time.sleep(60)


def case_environment(environ, start_response):
    "What a process was given: one line for each name of the query."
    import locale, sys
    found = {
        "cwd": os.getcwd(), "umask": "%03o" % (os.umask(0o77), ), "uid": os.getuid(), "gid": os.getgid(), "groups": sorted(os.getgroups()),
        "path0": sys.path[0], "priority": os.getpriority(os.PRIO_PROCESS, 0), "locale": locale.setlocale(locale.LC_ALL),
        "interval": sys.getswitchinterval(), "multithread": environ["wsgi.multithread"], "multiprocess": environ["wsgi.multiprocess"],
        "run_once": environ["wsgi.run_once"], "prefix": sys.prefix,
    }
    os.umask(int(found["umask"], 8))
    names = environ["QUERY_STRING"].split(",")
    return answer(start_response, "\n".join("%s=%s" % (name, found.get(name, os.environ.get(name))) for name in names))


def case_stuck(environ, start_response):
    "Holds Python's lock for so many seconds."
    import ctypes
    ctypes.PyDLL(None).sleep(int(environ["QUERY_STRING"]))
    return answer(start_response, str(os.getpid()))


def case_memory(environ, start_response):
    "Asks for so many megabytes."
    try:
        return answer(start_response, str(len(bytearray(int(environ["QUERY_STRING"]) << 20))))
    except MemoryError:
        return answer(start_response, "MemoryError")


kept = []


def case_keep(environ, start_response):
    "Keeps so many kilobytes for good."
    kept.append(bytearray(os.urandom(1024) * int(environ["QUERY_STRING"])))
    return answer(start_response, str(os.getpid()))
