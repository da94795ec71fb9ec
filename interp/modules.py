"""The modules `mod_wsgi` and `apache` as applications see them. Run in the namespace of bootstrap.py, before it; mod_wsgi.pyi and
apache.pyi are the same for type checkers, and a test holds them to this."""

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


def make_log_handler(write, is_enabled):
    """The class mod_wsgi.LogHandler, made when an application asks for it: not everybody has the package logging loaded."""
    import logging

    levels = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # Python's, Apache's

    def apache_level(level):
        for python, apache in levels:
            if level >= python:
                return apache
        return 7

    class LogHandler(logging.Handler):
        """Sends log records to Apache's error log: that of the request which the calling thread serves, if any."""

        def emit(self, record):
            try:
                level = apache_level(record.levelno)
                if is_enabled(level):
                    write(level, record.pathname, record.lineno, self.format(record))
            except Exception:
                self.handleError(record)

    LogHandler.__module__, LogHandler.__qualname__ = "mod_wsgi", "LogHandler"
    return LogHandler


# What subscribers are called for. The lists are the applications' to edit; the C code calls what is in them.
event_callbacks, shutdown_callbacks, signal_callbacks = [], [], []


def make_subscriptions(inform, in_daemon_process):
    """subscribe_events() and its like. Each returns what it was given, so that it can be used as a decorator."""

    def subscribe_events(callback, /):
        """Has callback(name, **payload) called for every event of this interpreter."""
        event_callbacks.append(callback)
        return callback

    def subscribe_shutdown(callback, /):
        """Has callback(name, **payload) called before the process ends."""
        shutdown_callbacks.append(callback)
        return callback

    def subscribe_signals(callback, /):
        """Has callback(name, **payload) called when a daemon process receives SIGHUP or SIGUSR2."""
        if in_daemon_process:
            signal_callbacks.append(callback)
        else:
            import traceback

            inform(
                "mod_wsgi.subscribe_signals() was ignored: signals of Apache's own processes are the server's, only daemon processes "
                "publish them\n" + "".join(traceback.format_stack(sys._getframe(1)))
            )
        return callback

    return subscribe_events, subscribe_shutdown, subscribe_signals


def import_other(name, report):
    """An installed module of that name, or None. One that fails to import is as good as none, and the log says why."""
    try:
        return __import__(name)
    except ModuleNotFoundError as problem:
        if problem.name != name:
            report(188, name)
    except BaseException:
        report(188, name)
    return None


def attributes(module, eager, lazy):
    """Gives a module its attributes: those of `lazy` are made by their functions when somebody asks for them."""

    def __getattr__(name):
        make = lazy.get(name)
        if make is None:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return vars(module).setdefault(name, make())

    def __dir__():
        return sorted({*vars(module), *lazy})

    vars(module).update(eager)
    module.__getattr__, module.__dir__ = __getattr__, __dir__
    module.__all__ = [name for name in __dir__() if not name.startswith("_")]


def install_mod_wsgi(options):
    import importlib.machinery
    import types

    module = types.ModuleType("mod_wsgi", "The server that this application runs in.")
    module.__spec__ = importlib.machinery.ModuleSpec("mod_wsgi", None)
    other = import_other("mod_wsgi", options["report"])
    if hasattr(other, "__path__"):  # an installed package of that name: its submodules stay importable
        module.__path__ = other.__path__
    eager = {name: options[name] for name in (
        "version", "process_group", "application_group", "maximum_processes", "threads_per_process", "request_data", "_go_entries",
    )}
    subscriptions = make_subscriptions(options["inform"], bool(options["process_group"]))
    metrics = make_metrics(options["record"], options["drain"], options["totals"], options["server"], bool(options["process_group"]))
    for member in (FileWrapper, RequestTimeout, *subscriptions, *metrics):
        member.__module__, member.__qualname__ = "mod_wsgi", member.__name__
        eager[member.__name__] = member
    eager.update(event_callbacks=event_callbacks, shutdown_callbacks=shutdown_callbacks, signal_callbacks=signal_callbacks)
    attributes(module, eager, {
        "active_requests": options["active_requests"],
        "LogHandler": lambda: make_log_handler(options["log"], options["log_enabled"]),
    })
    sys.modules["mod_wsgi"] = module


def install_apache(options):
    import types

    # A daemon process is none of Apache's: what an installed module of that name does may not suit it.
    module = None if options["process_group"] else import_other("apache", options["report"])
    if module is None:
        module = types.ModuleType("apache", "The Apache that this application runs in.")
        sys.modules["apache"] = module
    for name, value in options["apache"].items():
        setattr(module, name, value)
