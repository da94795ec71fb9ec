package directives

// pythonDirectives say how Python and its interpreters start.
var pythonDirectives = []Directive{
	{
		Name: "WSGIPythonHome", Syntax: "prefix", Places: mainServer,
		Default: "Python's own", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "The Python installation or virtual environment",
		Doc:  "The directory that `sys.prefix` shows, for a virtual environment the one with `pyvenv.cfg`. It has to belong to the Python version that the module was built for.",
		read: readPythonHome,
	},
	{
		Name: "WSGIPythonPath", Syntax: "directory[:directory...]", Places: mainServer, Container: true,
		Default: "none", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Directories to put first in sys.path",
		Doc:  "For the embedded mode; daemon process groups have the option `python-path=`. `.pth` files in the directories count.",
		read: readPythonPath,
	},
	{
		Name: "WSGIPythonOptimize", Syntax: "0|1|2", Places: mainServer,
		Default: "0", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Python's optimisation level",
		Doc:  "1 leaves out `assert`, 2 documentation strings too.",
		read: readPythonOptimize,
	},
	{
		Name: "WSGIPythonWarnings", Syntax: "filter", Places: mainServer,
		Default: "none", Since: "3.0", Merge: Collected, Effect: Now,
		Help: "A filter for Python's warnings",
		Doc:  "As for Python's `-W`. One filter for each occurrence, in order.",
		read: readPythonWarnings,
	},
	{
		Name: "WSGIPythonHashSeed", Syntax: "random | 0-4294967295", Places: mainServer,
		Default: "Python's own choice", Since: "4.1.0", Merge: NotMerged, Effect: Now,
		Help: "The seed of Python's hashes",
		Doc:  "`random` leaves the choice to Python, as if the directive were absent.",
		read: readPythonHashSeed,
	},
	{
		Name: "WSGIDontWriteBytecode", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "Off", Since: "3.4", Merge: NotMerged, Effect: Now,
		Help: "Whether Python writes no .pyc files",
		Doc:  "`Off` leaves it to Python and its environment variable `PYTHONDONTWRITEBYTECODE`.",
		read: readSwitch(func(p *ProcessSettings) *bool { return &p.DontWriteBytecode }),
	},
	{
		Name: "WSGIPythonEggs", Syntax: "directory", Places: mainServer,
		Default: "none", Since: "2.0", Merge: NotMerged, Effect: Now,
		Help: "The directory where Python eggs are unpacked",
		Doc:  "Sets `PYTHON_EGG_CACHE` in the embedded mode; daemon process groups have the option `python-eggs=`.",
		read: readText(func(p *ProcessSettings) *string { return &p.PythonEggs }),
	},
	{
		Name: "WSGIRestrictEmbedded", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "Off", Since: "2.0", Merge: NotMerged, Effect: Now,
		Help: "Whether the embedded mode is forbidden",
		Doc: "With `On` requests that would run embedded are answered with 500, and Apache's children do not start Python, unless an access, authentication, group or dispatch script or an embedded " +
			"`WSGIImportScript` needs it.",
		read: readRestrictEmbedded,
	},
	{
		Name: "WSGIRestrictStdin", Syntax: "On|Off", Args: OnOff, Places: mainServer, Container: true,
		Default: "Off", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Whether sys.stdin may not be used",
		Doc:  "With `On` any use of `sys.stdin` raises an exception. It does not apply under `httpd -X`.",
		read: readContainerFlag(func(v *InterpreterValues) *Tristate { return &v.RestrictStdin }),
	},
	{
		Name: "WSGIRestrictStdout", Syntax: "On|Off", Args: OnOff, Places: mainServer, Container: true,
		Default: "Off", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Whether sys.stdout may not be used",
		Doc:  "With `On` any use of `sys.stdout` raises an exception; with `Off` it writes to the error log. It does not apply under `httpd -X`.",
		read: readContainerFlag(func(v *InterpreterValues) *Tristate { return &v.RestrictStdout }),
	},
	{
		Name: "WSGIRestrictSignal", Syntax: "On|Off", Args: OnOff, Places: mainServer, Container: true,
		Default: "On", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Whether signal.signal() registers nothing",
		Doc:  "With `On` the call has no effect, so that applications leave Apache's signal handlers alone; it is logged with a stack trace at level info.",
		read: readContainerFlag(func(v *InterpreterValues) *Tristate { return &v.RestrictSignal }),
	},
	{
		Name: "WSGIDestroyInterpreter", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "On", Since: "4.9.1", Merge: NotMerged, Effect: Now,
		Help: "Whether Python is finalised when a process ends",
		Doc:  "`Off` skips it, and with it functions registered with `atexit`.",
		read: readSwitch(func(p *ProcessSettings) *bool { return &p.DestroyInterpreter }),
	},
	{
		Name: "WSGIImportScript", Syntax: "path process-group=name application-group=name", Args: Options, Places: anyServer,
		Default: "none", Since: "2.0", Merge: Collected, Effect: Now,
		Help: "A script to import when a process starts",
		Doc:  "Both options are required. A daemon process group has to be declared further up.",
		read: readImportScript,
	},
	{
		Name: "<WSGIInterpreterOptions", Syntax: "[process-group=name] [application-group=name]>", Args: Words, Places: mainServer,
		Since: "6.0.0", Merge: Collected, Effect: Now,
		Help: "Settings for some interpreters only",
		Doc: "The selectors say which; one that is left out selects any, `%{GLOBAL}` the embedded mode or the main interpreter. Here quotation marks go around the whole selector. " +
			"Inside may stand `WSGIPerInterpreterGIL`, `WSGIFreeThreading`, `WSGISwitchInterval`, `WSGIPythonPath`, `WSGIRestrictStdin`, `WSGIRestrictStdout` and `WSGIRestrictSignal`; " +
			"other directives act as if they stood outside. Of several sections that match, the one with more selectors wins, then the later one.",
		read: readInterpreterOptions,
	},
	{
		Name: "WSGIPerInterpreterGIL", Syntax: "On|Off", Args: OnOff, Places: mainServer, Container: true,
		Default: "Off", Since: "6.0.0", Merge: NotMerged, Effect: Now,
		Help: "Whether each sub-interpreter has its own GIL",
		Doc: "With `On` the interpreters of several application groups run at the same time, each on a core of its own. Needs Python 3.12. The main interpreter (`%{GLOBAL}`) is never affected. " +
			"Extension modules that do not support it fail to import; the error log names them, and `<WSGIInterpreterOptions application-group=...>` can exempt the application.",
		read: readPerInterpreterGIL,
	},
	{
		Name: "WSGIFreeThreading", Syntax: "On|Off", Args: OnOff, Places: mainServer, Container: true,
		Default: "Off", Since: "6.0.0", Merge: NotMerged, Effect: Never,
		Help: "Whether Python starts without its GIL",
		Doc: "It needs a free-threaded build of Python, which the module can't be built for: it relies on the GIL. `On` does nothing, and a warning says so at each start (WSGI0200). " +
			"`WSGIPerInterpreterGIL` lets applications run on several cores.",
		read: readFreeThreading,
	},
	{
		Name: "WSGISwitchInterval", Syntax: "seconds", Places: mainServer, Container: true,
		Default: "Python's", Since: "6.0.0", Merge: NotMerged, Effect: Now,
		Help: "How often Python switches threads",
		Doc: "A number of seconds above 0, passed to `sys.setswitchinterval`. Daemon process groups have the option `switch-interval=`. The interval belongs to a GIL: " +
			"in a section with `application-group=` it acts on a main interpreter and on one with its own GIL, for others a warning (WSGI0199) is logged.",
		read: readSwitchInterval,
	},
}
