package directives

import (
	"fmt"
	"strconv"
	"strings"
)

// readInterpreterOptions opens a section. Unlike elsewhere each selector is one configuration word, split at its first
// "=", so that quotation marks go around the whole of it; and its keys may be written in any case.
func readInterpreterOptions(a *arguments, t *target) {
	section := &InterpreterOptions{place: a.place}
	if t.section != nil {
		a.errorf(0, "the section may not stand inside another one")
		return
	}
	for a.more() {
		a.readSelector(a.next(), section)
	}
	// A section with a wrong selector is entered all the same, so that its content is read in the right place.
	t.process.InterpreterOptions = append(t.process.InterpreterOptions, section)
	a.builder.section = section
}

func (a *arguments) readSelector(word string, section *InterpreterOptions) {
	key, value, found := strings.Cut(word, "=")
	selectors := map[string]*Name{"process-group": &section.ProcessGroup, "application-group": &section.ApplicationGroup}
	field := selectors[lower(key)]
	switch {
	case !found:
		a.errorf(0, "%q is no selector; accepted are process-group=name and application-group=name", word)
	case field == nil:
		a.errorf(0, "unknown selector '%s'%s", key, suggestion(key, []string{"process-group", "application-group"}))
	case field.Kind != NameUnset:
		a.errorf(0, "selector '%s' is given more than once", key)
	case value == "":
		*field = Name{Kind: NameGlobal}
	default:
		*field = startupNames.read(a, value)
	}
	if field == &section.ProcessGroup && field != nil && field.Kind != NameUnset {
		a.useGroup(*field, false)
	}
}

func readPerInterpreterGIL(a *arguments, t *target) {
	readContainerFlag(func(v *InterpreterValues) *Tristate { return &v.PerInterpreterGIL })(a, t)
	if major, minor, known := a.builder.config.pythonVersion(); known && t.values().PerInterpreterGIL == On &&
		(major < 3 || major == 3 && minor < 12) {
		a.warnf(198, "an interpreter's own GIL needs Python 3.12; with Python %d.%d this does nothing", major, minor)
	}
}

func readFreeThreading(a *arguments, t *target) {
	readContainerFlag(func(v *InterpreterValues) *Tristate { return &v.FreeThreading })(a, t)
	if a.failed {
		return
	}
	if t.section != nil && t.section.ApplicationGroup.Kind != NameUnset {
		a.warnf(201, "it concerns whole processes and is ignored in a section with application-group=")
		t.section.FreeThreading = Unset
		return
	}
	if t.values().FreeThreading == On {
		a.warnf(200, "it does nothing: Python%s runs with its GIL, and the module can't be built for a free-threaded build of it", a.builder.config.pythonName())
	}
}

// pythonVersion reads the fact python_version: "3.11", "3.13.1".
func (c *Config) pythonVersion() (major, minor int, known bool) {
	parts := strings.Split(c.Facts["python_version"], ".")
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

// pythonName is the version for a message, with a blank in front, if it is known.
func (c *Config) pythonName() string {
	if major, minor, known := c.pythonVersion(); known {
		return fmt.Sprintf(" %d.%d", major, minor)
	}
	return ""
}
