"""Processes, threads and event loops that an application starts: one way of doing it per path."""
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "var")


def note(name, text):
    path = os.path.join(HERE, name)
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def ended(pid, seconds=15):
    """How a child ended; one that hangs is killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return "status %d" % os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"


def forked(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)
    return ended(pid)


# ---- os.fork(): what a copy may do ----

def do_exit(environ):
    return forked(lambda: None)


def do_log(environ):
    import logging
    logging.basicConfig(force=True)

    def speak():
        print("app: print of the copy")
        print("app: errors of the copy", file=environ["wsgi.errors"])
        logging.warning("app: logging of the copy")
        import mod_wsgi
        mod_wsgi._go_entries()
    return forked(speak)


def do_fault(environ):
    """Everything that makes the server explain something, in a copy."""
    def fail():
        sys.excepthook(ValueError, ValueError("app: in the copy"), None)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        import importlib
        try:
            importlib.import_module("no_such_module")
        except ImportError:
            pass
        for stream in environ["wsgi.input"].read, lambda: environ["wsgi.file_wrapper"](open(__file__, "rb")).read:
            try:
                stream()
            except (RuntimeError, OSError, AttributeError):
                pass
    return forked(fail)


def do_thread_in_copy(environ):
    def work():
        thread = threading.Thread(target=lambda: print("app: thread of the copy"))
        thread.start()
        thread.join(5)
    return forked(work)


def do_grandchild(environ):
    """A daemon as of old: forks twice, and goes on after its parent is gone."""
    def first():
        os.setsid()
        if os.fork() == 0:
            print("app: grandchild")
            note("grandchild", "ran")
            os._exit(0)
    return forked(first)


# ---- os.fork(): copies that fall out of the application ----

def fall(action):
    pid = os.fork()
    if pid == 0:
        return action()
    return ended(pid)


def throw(problem):
    raise problem


def do_return(environ):
    return fall(lambda: "the copy answers")


def do_system_exit(environ):
    return fall(lambda: sys.exit(3))


def do_exit_text(environ):
    return fall(lambda: sys.exit("app: goodbye"))


def do_raise(environ):
    return fall(lambda: throw(ValueError("app: raised in the copy")))


def do_interrupt(environ):
    return fall(lambda: throw(KeyboardInterrupt()))


class Body:
    """An iterable that forks in one of its methods."""

    def __init__(self, method):
        self.method, self.n, self.text = method, 0, ""

    def fork(self, method):
        if method != self.method:
            return False
        pid = os.fork()
        if pid:
            self.text = ended(pid)
            note(method, self.text)
        return pid == 0

    def __iter__(self):
        self.fork("iter")
        return self

    def __next__(self):
        self.n += 1
        if self.n == 2 and self.fork("next"):
            raise ValueError("app: in next of the copy")
        if self.n > 3:
            raise StopIteration
        return b"block"

    def close(self):
        self.fork("close")


def generator():
    yield b"first"
    pid = os.fork()
    if pid == 0:
        yield b"copy"
        return
    yield ended(pid).encode()


def do_generator(environ):
    return generator()


def do_iter(environ):
    return Body("iter")


def do_next(environ):
    return Body("next")


def do_close(environ):
    return Body("close")


def do_leave_thread(environ):
    """A thread of the application's forks; in the copy, where it is the only one, it ends."""
    result = []

    def work():
        pid = os.fork()
        if pid:
            result.append(ended(pid))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return result[0]


# ---- multiprocessing: its children must be able to import what they are told to run ----

def context(name):
    import multiprocessing
    return multiprocessing.get_context(name)


def do_process(environ, kind):
    import operator
    with context(kind).Pool(2) as pool:
        return str(pool.starmap(operator.mul, [(2, 3), (4, 5)]))


def do_queue(environ, kind):
    threading.current_thread()  # from now on Python knows this thread, which it did not start
    queue = context(kind).Queue()
    process = context(kind).Process(target=queue.put, args=("queued",))
    process.start()
    text = queue.get(timeout=20)
    process.join(20)
    return "%s %s" % (text, process.exitcode)


def do_executor(environ, kind):
    from concurrent.futures import ProcessPoolExecutor
    import math
    with ProcessPoolExecutor(1, mp_context=context(kind)) as executor:
        return str(executor.submit(math.factorial, 5).result(20))


def do_terminate(environ, kind):
    process = context(kind).Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join(10)
    return str(process.exitcode)


# ---- subprocess ----

def do_run(environ):
    return subprocess.run(["echo", "run"], capture_output=True, text=True, timeout=20).stdout.strip()


def do_stop(environ):
    process = subprocess.Popen(["sleep", "60"])
    process.terminate()
    try:
        return "ended %d" % process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        return "hangs %d" % process.wait()


def do_preexec(environ):
    return subprocess.run("ulimit -n", shell=True, capture_output=True, text=True, timeout=20,
                          preexec_fn=lambda: __import__("resource").setrlimit(7, (100, 100))).stdout.strip()


def do_preexec_fails(environ):
    try:
        subprocess.run(["true"], preexec_fn=lambda: 1 / 0, timeout=20)
    except subprocess.SubprocessError as problem:
        return str(problem)


def do_no_such_program(environ):
    try:
        subprocess.run(["/no/such/program"], timeout=20)
    except FileNotFoundError as problem:
        return problem.filename


def do_pipe(environ):
    text = "x" * 300000
    return str(subprocess.run(["cat"], input=text, capture_output=True, text=True, timeout=20).stdout == text)


def do_system(environ):
    return "%d %s" % (os.system("exit 3") >> 8, os.popen("echo popen").read().strip())


def do_spawn(environ):
    return ended(os.posix_spawnp("sh", ["sh", "-c", "exit 4"], os.environ))


def do_python(environ):
    return subprocess.run([sys.executable, "-c", "import sys; print(sys.version_info[:2] == %r)" % (sys.version_info[:2],)],
                          capture_output=True, text=True, timeout=20).stdout.strip()


def do_many(environ):
    """Forks from several threads at once, while others log and load."""
    import importlib
    results, stop = [], threading.Event()

    def noise():
        while not stop.is_set():
            print("app: noise")
            sys.modules.pop("colorsys", None)
            importlib.import_module("colorsys")
            time.sleep(0.001)

    def work():
        for _ in range(10):
            results.append(forked(lambda: print("app: one of many")))
    threads = [threading.Thread(target=work) for _ in range(3)]
    noises = [threading.Thread(target=noise)]
    for thread in threads + noises:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in noises:
        thread.join()
    return "%d %s" % (len(results), sorted(set(results)))


# ---- Threads and event loops ----

def do_outlive(environ):
    def work():
        while not os.path.exists(os.path.join(HERE, "go_on")):
            time.sleep(0.01)
        print("app: after the request")
        try:
            environ["wsgi.errors"].write("x")
        except RuntimeError:
            note("outlived", "closed")
    threading.Thread(target=work, daemon=environ["QUERY_STRING"] == "daemon").start()
    return "started"


def do_asyncio(environ):
    import asyncio

    async def step(n):
        await asyncio.sleep(0.01)
        return n

    async def main():
        numbers = await asyncio.gather(*map(step, range(3)))
        thread = await asyncio.to_thread(lambda: "thread")
        process = await asyncio.create_subprocess_exec("echo", "process", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.01)
        except asyncio.TimeoutError:
            return "%s %s %s timeout" % (numbers, thread, out.decode().strip())
    return asyncio.run(asyncio.wait_for(main(), 20))


def do_loop(environ):
    """A loop of the application's own, on a thread of its own, for all requests."""
    import asyncio
    if not hasattr(do_loop, "loop"):
        do_loop.loop = asyncio.new_event_loop()
        threading.Thread(target=do_loop.loop.run_forever, daemon=True).start()

    async def work():
        await asyncio.sleep(0.01)
        return "looped"
    return asyncio.run_coroutine_threadsafe(work(), do_loop.loop).result(20)


def application(environ, start_response):
    name, _, kind = environ["PATH_INFO"].strip("/").partition("/")
    arguments = (environ, kind) if kind else (environ,)
    body = globals()["do_" + name](*arguments)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()] if isinstance(body, str) else body
