"""What every interpreter is given before it runs an application; run once in each, in a namespace of its own, together with the other
Python files of this folder.

install() is called by the C code with the facts and objects that only C has; the classes are used from there too.
"""

import sys


class Restricted:
    """Stands in for a stream that the configuration takes away: any use of it is an error."""

    __module__ = "mod_wsgi"

    def __init__(self, name):
        object.__setattr__(self, "_name", name)

    def __getattribute__(self, attribute):
        name = object.__getattribute__(self, "_name")
        raise OSError(f"{name} is not available: access to it is restricted by the server's configuration")


def format_exception(kind, value, traceback):
    """The lines of a traceback as one str, without the frames of this file."""
    import traceback as formatter

    return "".join(formatter.format_exception(kind, value, traceback))


def shutdown(seconds):
    """What the end of the process means to an application: its threads are joined, then its exit functions run."""
    import atexit
    import threading
    import time

    end = time.monotonic() + seconds

    def call_threading_exits():
        for function in reversed(getattr(threading, "_threading_atexits", ())):
            function()  # as threading._shutdown() would: thread pools are told to end, and waited for without a limit

    ender = threading.Thread(target=call_threading_exits, daemon=True)
    ender.start()
    for thread in threading.enumerate():
        if thread in (threading.main_thread(), threading.current_thread(), ender) or thread.daemon:
            continue
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            sys.stderr.write(f"mod_wsgi: thread {thread.name!r} has not ended within {seconds:.1f} s; the process ends without it\n")
    ender.join(max(0.0, end - time.monotonic()))
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # closed or replaced by the application


def restrict_signals(inform):
    """Keeps applications from replacing the signal handlers of the server that they live in."""
    import os
    import signal

    original, server = signal.signal, os.getpid()

    def intercepted(signalnum, handler, /):
        number = int(signalnum)
        if os.getpid() != server:  # a process that the application forked is its own
            return original(number, handler)
        import traceback

        inform(
            f"signal.signal({number}) was ignored: this process's signals are the server's "
            f"(WSGIRestrictSignal Off allows it)\n" + "".join(traceback.format_stack(sys._getframe(1)))
        )
        return handler

    signal.signal = intercepted


def free_children_of_signals():
    """Gives what an application starts the usual signals. A request's thread of Apache's has blocked them, and what handles them is the server's:
    nothing that inherits this could be ended with terminate()."""
    import _posixsubprocess
    import _thread
    import os
    import signal
    import threading  # registers what it does in copies, before us

    register, handlers = signal.signal, {signal.SIG_DFL, None}  # None: not Python's, but Apache's
    fork_exec = _posixsubprocess.fork_exec
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)

    masks = {}  # by thread that forks

    def before():  # until the copy has its own handlers: Apache's would take down what the server uses
        masks[_thread.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, ends)

    def in_server():
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop(_thread.get_ident()))

    def in_copy():
        main = threading._main_thread
        if getattr(main, "_tstate_lock", True) is None:
            # Before 3.13: a copy made on a thread that is not Python's own. multiprocessing's would end with an AssertionError, unheard.
            main._set_tstate_lock()
        for number in ends:
            if signal.getsignal(number) in handlers:
                register(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def start_program(*arguments):
        # Only SIGTERM, for the others may wait here, and would strike. Linux gives it to the main thread, where Apache expects it.
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        try:
            return fork_exec(*arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    os.register_at_fork(before=before, after_in_parent=in_server, after_in_child=in_copy)
    _posixsubprocess.fork_exec = start_program


def report_refusals(explain):
    """Has the log say which extension module refuses this interpreter: applications like to swallow that and to fail later."""
    from importlib.machinery import ExtensionFileLoader as loader

    told = set()

    def reporting(method):
        def call(self, argument):
            try:
                return method(self, argument)
            except BaseException as problem:
                if self.name not in told:
                    told.add(self.name)
                    explain(self.name, f"{type(problem).__name__}: {problem}".replace("\0", ""))
                raise

        # CPython leaves functions of this file out of tracebacks.
        call.__code__ = call.__code__.replace(co_filename="<frozen importlib._bootstrap_external>")
        return call

    loader.create_module = reporting(loader.create_module)
    loader.exec_module = reporting(loader.exec_module)


def extend_path(directories):
    """Adds directories as site does, with their .pth files, in front of everything else and in their order."""
    import site

    before = list(sys.path)
    for directory in directories:
        try:
            site.addsitedir(directory)
        except Exception as problem:
            sys.stderr.write(f"WSGI0091: cannot add {directory} to sys.path, nor what follows it: {type(problem).__name__}: {problem}\n")
            break
    added = [entry for entry in sys.path if entry not in before]
    sys.path[:] = added + before


def install(options):
    sys.argv = ["mod_wsgi"]
    sys.stderr = options["stderr"]
    if not options["keep_stdio"]:
        sys.stdout = Restricted("sys.stdout") if options["restrict_stdout"] else options["stdout"]
        if options["restrict_stdin"]:
            sys.stdin = Restricted("sys.stdin")
    report_refusals(options["explain_refusal"])
    if options["egg_cache"]:
        import os

        os.environ["PYTHON_EGG_CACHE"] = options["egg_cache"]
    install_mod_wsgi(options)
    install_apache(options)
    free_children_of_signals()
    if options["restrict_signal"]:
        restrict_signals(options["inform"])
    for directories in options["python_path"]:
        extend_path(directories)
    if options["first_path"]:
        sys.path.insert(0, options["first_path"])
