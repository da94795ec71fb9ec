package directives

import "strings"

// A HandlerScript binds an Apache handler name to a script.
type HandlerScript struct {
	Name, Path                     string
	ProcessGroup, ApplicationGroup Name
	PassAuthorization              Tristate
}

// A Script is an access, authentication, group or dispatch script.
type Script struct {
	Path             string
	ApplicationGroup Name // never NameUnset
}

// An ImportScript is loaded when a process starts.
type ImportScript struct {
	Path                           string
	ProcessGroup, ApplicationGroup string // "": embedded, main interpreter
	Preload                        bool   // comes from an alias, not from WSGIImportScript

	server int
	place  place
}

var handlerOptions = []option[HandlerScript]{
	{Name: "process-group", Value: "a name or %{...}", Default: "WSGIProcessGroup",
		Doc: "The daemon process group that runs the script.",
		set: processGroupOption(func(h *HandlerScript) *Name { return &h.ProcessGroup })},
	{Name: "application-group", Value: "a name or %{...}", Default: "WSGIApplicationGroup",
		Doc: "The interpreter; `%{GLOBAL}` means the main one.",
		set: nameOption(groupNames, func(h *HandlerScript) *Name { return &h.ApplicationGroup })},
	{Name: "pass-authorization", Value: "On or Off", Default: "WSGIPassAuthorization",
		Doc: "Whether the script sees the Authorization header.",
		set: flagOption(func(h *HandlerScript) *Tristate { return &h.PassAuthorization })},
}

func readHandlerScript(a *arguments, t *target) {
	h := HandlerScript{Name: a.next(), Path: a.next()}
	if h.Name == "" || h.Path == "" {
		a.errorf(0, "takes at least two arguments, %s", a.directive.Syntax)
		return
	}
	readOptions(a, handlerOptions, &h)
	if a.failed {
		return
	}
	a.checkScriptPath(h.Path)
	if lower(h.Name) != h.Name {
		a.warnf(0, "the handler %q is never reached, since Apache turns handler names into lower case; write %q",
			h.Name, lower(h.Name))
	}
	// The scope's list is still private to this pass, so replacing in place is safe.
	if i := findHandler(t.scope.handlerScripts, h.Name); i >= 0 {
		t.scope.handlerScripts[i] = h
		return
	}
	t.scope.handlerScripts = append(t.scope.handlerScripts, h)
}

var scriptOptions = []option[Script]{
	{Name: "application-group", Value: "a name, %{GLOBAL}, %{SERVER} or %{HOST}", Default: "%{GLOBAL}",
		Doc: "The interpreter, in Apache's child, that runs the script.",
		set: nameOption(scriptNames, func(s *Script) *Name { return &s.ApplicationGroup })},
}

// readScript reads the directives of access, authentication, group and dispatch scripts.
func readScript(field func(*scope) **Script) func(*arguments, *target) {
	return func(a *arguments, t *target) {
		s := &Script{Path: a.next(), ApplicationGroup: Name{Kind: NameGlobal}}
		if s.Path == "" {
			a.errorf(0, "takes at least one argument, %s", a.directive.Syntax)
			return
		}
		readOptions(a, scriptOptions, s)
		if a.failed {
			return
		}
		a.checkScriptPath(s.Path)
		*field(t.scope) = s
		t.process.ScriptsInChildren = true
	}
}

// importOptions are separate values, to know which were given.
type importOptions struct{ processGroup, applicationGroup Name }

var importScriptOptions = []option[importOptions]{
	{Name: "process-group", Value: "a name or %{GLOBAL}", Default: "required",
		Doc: "The daemon process group that imports the script; `%{GLOBAL}` means Apache's children.",
		set: nameOption(startupNames, func(i *importOptions) *Name { return &i.processGroup })},
	{Name: "application-group", Value: "a name or %{GLOBAL}", Default: "required",
		Doc: "The interpreter that imports it; `%{GLOBAL}` means the main one.",
		set: nameOption(startupNames, func(i *importOptions) *Name { return &i.applicationGroup })},
}

func readImportScript(a *arguments, t *target) {
	path := a.next()
	if path == "" {
		a.errorf(0, "takes a path and two options, %s", a.directive.Syntax)
		return
	}
	var options importOptions
	readOptions(a, importScriptOptions, &options)
	for _, o := range []struct {
		name  string
		value Name
	}{{"process-group", options.processGroup}, {"application-group", options.applicationGroup}} {
		if o.value.Kind == NameUnset && !a.failed {
			a.errorf(0, "option '%s' is missing; write %s=%%{GLOBAL} or a name", o.name, o.name)
		}
	}
	if a.failed {
		return
	}
	a.checkScriptPath(path)
	process, _ := options.processGroup.Fixed()
	application, _ := options.applicationGroup.Fixed()
	t.process.ImportScripts = append(t.process.ImportScripts, &ImportScript{Path: path, ProcessGroup: process,
		ApplicationGroup: application, server: a.record.Server, place: a.place})
}

func (a *arguments) checkScriptPath(path string) {
	if !strings.HasPrefix(path, "/") {
		a.warnf(0, "%q is no absolute path; it is used as it is, not relative to ServerRoot", path)
	}
}

// checkIdentifier warns of a callable that a module can hardly have.
func checkIdentifier(r reporter, name string) {
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
		if !letter && (i == 0 || c < '0' || c > '9') {
			r.warnf(0, "%q is looked up as one global name of the script; dotted paths, calls and %%{...} mean nothing here", name)
			return
		}
	}
}
