"""What every interpreter is given before it runs an application; run once in each, in a namespace of its own.

install() is called by the C code with the facts and objects that only C has; the classes are used from there too.
"""

import sys


class FileWrapper:
    """wsgi.file_wrapper: PEP 3333, Optional Platform-Specific File Handling."""

    __module__ = "mod_wsgi"

    def __init__(self, filelike, blksize=8192):
        if blksize < 0:
            raise ValueError("block size must not be negative")
        self._filelike = filelike
        self._blksize = blksize
        self._closed = False

    def _check_open(self):
        if self._closed:
            raise ValueError("I/O operation on closed file wrapper")

    @property
    def filelike(self):
        self._check_open()
        return self._filelike

    @property
    def blksize(self):
        return self._blksize

    def __iter__(self):
        return self

    def __next__(self):
        self._check_open()
        block = self._filelike.read(self._blksize)
        if not isinstance(block, bytes):
            raise TypeError(f"file-like object returned {type(block).__name__}, not bytes")
        if not block:
            raise StopIteration
        return block

    def close(self):
        if self._closed:
            return
        filelike, self._filelike, self._closed = self._filelike, None, True
        try:
            close = filelike.close
        except AttributeError:
            return
        try:
            close()
        except Exception:
            pass  # the answer is out; the reference swallows this too


class RequestTimeout(BaseException):
    """Ends a request with 504. Not an Exception, so that an application's own handlers let it pass."""

    __module__ = "mod_wsgi"


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
    """Gives what an application starts the usual signals. A request's thread has blocked them, and what handles them is the server's:
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


def install_module(options):
    import importlib.machinery
    import types

    def existing_path(name):
        """The __path__ of an installed package of that name: its submodules stay importable."""
        try:
            module = __import__(name)
        except ModuleNotFoundError:
            return None
        return getattr(module, "__path__", None)

    path = existing_path("mod_wsgi")
    module = types.ModuleType("mod_wsgi")
    module.__spec__ = importlib.machinery.ModuleSpec("mod_wsgi", None)
    if path is not None:
        module.__path__ = path
    module.version = options["version"]
    module.process_group = options["process_group"]
    module.application_group = options["application_group"]
    module.maximum_processes = options["maximum_processes"]
    module.threads_per_process = options["threads_per_process"]
    module.FileWrapper = FileWrapper
    module.RequestTimeout = RequestTimeout
    module._go_entries = options["go_entries"]
    sys.modules["mod_wsgi"] = module

    try:
        apache = __import__("apache")
    except ModuleNotFoundError:
        apache = types.ModuleType("apache")
        sys.modules["apache"] = apache
    apache.version = options["apache_version"]


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
    install_module(options)
    free_children_of_signals()
    if options["restrict_signal"]:
        restrict_signals(options["inform"])
    for directories in options["python_path"]:
        extend_path(directories)
    if options["first_path"]:
        sys.path.insert(0, options["first_path"])
