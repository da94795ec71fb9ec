package directives

import "time"

// ProcessSettings are what concerns whole processes: the directives of the main server only, daemon process groups,
// scripts to import at start and interpreter options.
type ProcessSettings struct {
	InterpreterValues // those outside every <WSGIInterpreterOptions>

	CaseSensitivity    bool
	DestroyInterpreter bool
	DontWriteBytecode  bool
	RestrictEmbedded   Tristate // Off forces Python's start in Apache's children
	ServerMetrics      bool

	PythonHome     string
	PythonEggs     string
	PythonOptimize int
	PythonWarnings []string
	PythonHashSeed HashSeed

	AcceptMutex    string // "" or one of the accepted names, in lower case
	SocketPrefix   string // "": Apache's runtime directory and "/wsgi"; as written otherwise
	SocketRotation bool

	SlowRequests      time.Duration // 0: off
	TelemetryTarget   string        // path of the socket, "": off
	TelemetryInterval time.Duration
	CaptureUserAgent  bool

	Groups             []*DaemonGroup
	ImportScripts      []*ImportScript // WSGIImportScript and preloading aliases, in the order of the configuration
	InterpreterOptions []*InterpreterOptions

	// ScriptsInChildren tells that an access, authentication, group or dispatch script stands anywhere in the
	// configuration: Apache's children then need Python even under WSGIRestrictEmbedded On.
	ScriptsInChildren bool
}

// HashSeed is WSGIPythonHashSeed. Unset and random both leave the choice to Python.
type HashSeed struct {
	Fixed bool
	Value uint32
}

// InterpreterValues can be set for all interpreters or, inside <WSGIInterpreterOptions>, for some.
type InterpreterValues struct {
	PerInterpreterGIL, FreeThreading              Tristate
	RestrictStdin, RestrictStdout, RestrictSignal Tristate
	SwitchInterval                                time.Duration // 0: unset
	PythonPath                                    []string
}

// InterpreterOptions are one <WSGIInterpreterOptions> section.
type InterpreterOptions struct {
	// ProcessGroup and ApplicationGroup select the interpreters; NameUnset selects any, NameGlobal the embedded mode
	// and the main interpreter.
	ProcessGroup, ApplicationGroup Name
	InterpreterValues

	place place
}

// PythonNeeded tells whether an Apache child has to start Python.
func (p *ProcessSettings) PythonNeeded() bool {
	if p.RestrictEmbedded != On || p.ScriptsInChildren {
		return true
	}
	for _, script := range p.ImportScripts {
		if script.ProcessGroup == "" {
			return true
		}
	}
	return false
}
