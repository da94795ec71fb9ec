package directives

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Readers of directives that need no file of their own.

// readFlag reads an On/Off directive of a scope.
func readFlag(field func(*scope) *Tristate) func(*arguments, *target) {
	return readFlagInto(func(t *target) *Tristate { return field(t.scope) })
}

func readFlagInto(field func(*target) *Tristate) func(*arguments, *target) {
	return func(a *arguments, t *target) {
		if value, ok := a.flag(); ok {
			*field(t) = value
		}
	}
}

// readContainerFlag reads a flag that <WSGIInterpreterOptions> may scope.
func readContainerFlag(field func(*InterpreterValues) *Tristate) func(*arguments, *target) {
	return readFlagInto(func(t *target) *Tristate { return field(t.values()) })
}

// readSwitch reads an On/Off directive of the main server, whose default newBuilder has set.
func readSwitch(field func(*ProcessSettings) *bool) func(*arguments, *target) {
	return func(a *arguments, t *target) {
		if value, ok := a.flag(); ok {
			*field(t.process) = value == On
			a.idle = value.String() == a.directive.Default
		}
	}
}

func readText(field func(*ProcessSettings) *string) func(*arguments, *target) {
	return func(a *arguments, t *target) {
		if word, ok := a.single(); ok {
			*field(t.process) = word
		}
	}
}

// ignore reads one word and forgets it, for names of older releases.
func ignore(a *arguments, _ *target) {
	if _, ok := a.single(); ok {
		a.warnf(0, "%s", a.directive.Meanwhile)
	}
}

// ignoreFlag is ignore for On/Off. The value that the present behaviour equals needs no warning but a notice.
func ignoreFlag(a *arguments, _ *target) {
	value, ok := a.flag()
	if !ok {
		return
	}
	if value.String() == a.directive.Default {
		a.noticef(0, "%s", a.directive.Meanwhile)
		return
	}
	a.warnf(0, "%s", a.directive.Meanwhile)
}

// ignoreQuietly adds to a reader that what it reads is not needed any more.
func ignoreQuietly(read func(*arguments, *target)) func(*arguments, *target) {
	return func(a *arguments, t *target) {
		read(a, t)
		if !a.failed && !a.idle {
			a.noticef(0, "it does nothing and may be removed: %s", a.directive.Meanwhile)
		}
	}
}

// ignoreFlagQuietly is for what has never done anything in the release that this module follows.
func ignoreFlagQuietly(a *arguments, _ *target) {
	if _, ok := a.flag(); ok {
		a.noticef(0, "it does nothing and may be removed: %s", a.directive.Meanwhile)
	}
}

// readApacheExtensions keeps the old name of WSGIPassApacheRequest working.
func readApacheExtensions(a *arguments, t *target) {
	if value, ok := a.flag(); ok {
		t.scope.passApacheRequest = value
		a.warnf(0, "it is the old name of WSGIPassApacheRequest; write that")
	}
}

func readApplicationGroup(a *arguments, t *target) {
	if word, ok := a.single(); ok {
		t.scope.applicationGroup = groupNames.read(a, word)
	}
}

func readProcessGroup(a *arguments, t *target) {
	if word, ok := a.single(); ok {
		t.scope.processGroup = groupNames.read(a, word)
		a.useGroup(t.scope.processGroup, true)
	}
}

func readCallableObject(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	name := callableNames.parse(word)
	if name.Kind == NameLiteral && strings.HasPrefix(word, "%") {
		a.warnf(0, "%q is not expanded here and means %q; expanded is only %%{ENV:variable}", word, defaultCallable)
		name.Text = defaultCallable
	} else if name.Kind == NameLiteral {
		checkIdentifier(a, word)
	}
	t.scope.callableObject = name
}

// readRestrictProcess takes any number of names; none refuses every group.
func readRestrictProcess(a *arguments, t *target) {
	list := []string{}
	for a.more() {
		name := startupNames.read(a, a.next())
		text, _ := name.Fixed()
		list = append(list, text)
		a.useGroup(name, false)
	}
	if len(list) == 0 {
		a.warnf(0, "without a name it refuses every request; %%{GLOBAL} stands for the embedded mode")
	}
	t.scope.restrictProcess = &list
}

func readMapHEADToGET(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	for _, mapping := range []HEADMapping{HEADAuto, HEADOn, HEADOff} {
		if strings.EqualFold(word, mapping.String()) {
			t.scope.mapHEADToGET = mapping
			return
		}
	}
	a.errorf(0, "%q is not accepted; write On, Off or Auto", word)
}

func readPythonOptimize(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	level, ok := readInteger(a, word, -1<<31, 1<<31-1)
	if !ok {
		return
	}
	if level > 2 {
		a.warnf(0, "level %d is the same as 2", level)
	} else if level < 0 {
		a.warnf(0, "level %d is the same as 0", level)
	}
	t.process.PythonOptimize = int(max(0, level))
}

func readPythonHashSeed(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	if word == "random" {
		t.process.PythonHashSeed = HashSeed{}
		return
	}
	seed, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		a.errorf(0, "%q is not accepted; write random or a number from 0 to 4294967295", word)
		return
	}
	t.process.PythonHashSeed = HashSeed{Fixed: true, Value: uint32(seed)}
}

func readPythonWarnings(a *arguments, t *target) {
	if word, ok := a.single(); ok {
		t.process.PythonWarnings = append(t.process.PythonWarnings, word)
	}
}

func readPythonPath(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	t.values().PythonPath = splitPath(word)
	for _, dir := range t.values().PythonPath {
		if dir == "" {
			a.warnf(0, "an empty directory name in %q stands for the working directory", word)
		} else if !filepath.IsAbs(dir) {
			a.warnf(0, "%q is no absolute path; it depends on the working directory", dir)
		}
	}
}

func readPythonHome(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	t.process.PythonHome = word
	a.builder.places.pythonHome = a.place
	if !filepath.IsAbs(word) {
		a.warnf(0, "%q is no absolute path; it depends on the working directory", word)
	}
}

func readRestrictEmbedded(a *arguments, t *target) {
	if value, ok := a.flag(); ok {
		t.process.RestrictEmbedded = value
	}
}

func readSwitchInterval(a *arguments, t *target) {
	if word, ok := a.single(); ok {
		if interval, ok := readInterval(a, word); ok {
			t.values().SwitchInterval = interval
		}
	}
}

func readSocketPrefix(a *arguments, t *target) {
	if word, ok := a.single(); ok {
		t.process.SocketPrefix = word
		a.builder.places.socketPrefix = a.place
	}
}

var acceptMutexes = []string{"default", "flock", "fcntl", "sysvsem", "posixsem", "pthread"}

func readAcceptMutex(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	for _, name := range acceptMutexes {
		if strings.EqualFold(word, name) {
			t.process.AcceptMutex = name
			return
		}
	}
	a.errorf(0, "%q is not accepted; write one of %s%s", word, strings.Join(acceptMutexes, ", "), suggestion(word, acceptMutexes))
}
