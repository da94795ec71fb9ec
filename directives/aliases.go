package directives

import "strings"

const defaultCallable = "application"

// An Alias is a WSGIScriptAlias or WSGIScriptAliasMatch.
type Alias struct {
	Location string // URL path, or the regular expression
	Regex    bool
	Target   string // used verbatim
	// The options; unset ones leave the merged Settings alone.
	ProcessGroup, ApplicationGroup Name
	CallableObject                 string // literal
	PassAuthorization              Tristate

	place place
}

var aliasOptions = []option[Alias]{
	{Name: "process-group", Value: "a name or %{...}", Default: "WSGIProcessGroup",
		Doc: "The daemon process group that runs the application; `%{GLOBAL}` means embedded.",
		set: processGroupOption(func(a *Alias) *Name { return &a.ProcessGroup })},
	{Name: "application-group", Value: "a name or %{...}", Default: "WSGIApplicationGroup",
		Doc: "The interpreter; `%{GLOBAL}` means the main one.",
		set: nameOption(groupNames, func(a *Alias) *Name { return &a.ApplicationGroup })},
	{Name: "callable-object", Value: "a name", Default: "WSGICallableObject",
		Doc: "The entry point in the script. Taken literally.",
		set: func(o *optionValue, a *Alias) {
			checkIdentifier(o, o.text)
			a.CallableObject = o.text
		}},
	{Name: "pass-authorization", Value: "On or Off", Default: "WSGIPassAuthorization",
		Doc: "Whether the application sees the Authorization header.",
		set: flagOption(func(a *Alias) *Tristate { return &a.PassAuthorization })},
}

// processGroupOption reads a process group that requests are routed to.
func processGroupOption[T any](field func(*T) *Name) func(*optionValue, *T) {
	return func(o *optionValue, to *T) {
		*field(to) = groupNames.read(o, o.text)
		o.useGroup(*field(to), true)
	}
}

// readAlias reads WSGIScriptAlias, or with regex WSGIScriptAliasMatch.
func readAlias(regex bool) func(*arguments, *target) {
	return func(a *arguments, t *target) {
		alias := &Alias{Regex: regex, place: a.place}
		alias.Location, alias.Target = a.next(), a.next()
		if alias.Location == "" || alias.Target == "" {
			a.errorf(0, "takes at least two arguments, %s", a.directive.Syntax)
			return
		}
		readOptions(a, aliasOptions, alias)
		if a.failed {
			return
		}
		if regex {
			a.builder.patterns = append(a.builder.patterns, Pattern{Regex: alias.Location, Directive: a.directive.Name,
				File: a.place.file, Line: a.place.line})
		} else {
			a.checkLocation(alias)
		}
		if !strings.HasPrefix(alias.Target, "/") && !(regex && strings.HasPrefix(alias.Target, "$")) {
			a.warnf(0, "the target %q is no absolute path; it is used as it is, not relative to ServerRoot", alias.Target)
		}
		t.server.own = append(t.server.own, alias)
		a.preload(alias, t)
	}
}

// checkLocation warns of a plain alias that can't work.
func (a *arguments) checkLocation(alias *Alias) {
	location, target := alias.Location, alias.Target
	slashless := strings.TrimRight(target, "/")
	switch {
	case !strings.HasPrefix(location, "/"):
		a.warnf(0, "%q can never match a request, since it does not begin with a slash", location)
	case location != "/" && strings.HasSuffix(location, "/") && !strings.HasSuffix(target, "/"):
		a.warnf(0, "%q ends with a slash and %q does not, so %q is mapped to %q; end both or neither with one",
			location, target, location+"x", target+"x")
	case slashless != target && looksLikeScript(slashless):
		a.warnf(0, "the target %q looks like a script but ends with a slash; write %q", target, slashless)
	}
}

func looksLikeScript(path string) bool {
	return strings.HasSuffix(path, ".wsgi") || strings.HasSuffix(path, ".py")
}

// preload queues an alias whose two groups are known for import at process start.
func (a *arguments) preload(alias *Alias, t *target) {
	process, fixedProcess := alias.ProcessGroup.Fixed()
	application, fixedApplication := alias.ApplicationGroup.Fixed()
	if !fixedProcess || !fixedApplication || strings.Contains(process+application, "%{") ||
		alias.Regex && strings.Contains(alias.Target, "$") {
		return
	}
	t.process.ImportScripts = append(t.process.ImportScripts, &ImportScript{Path: alias.Target, ProcessGroup: process,
		ApplicationGroup: application, Preload: true, server: a.record.Server, place: a.place})
}
