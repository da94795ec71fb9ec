package directives

import (
	"slices"
	"time"
)

// InterpreterSettings are what the configuration comes to for one interpreter of one process.
type InterpreterSettings struct {
	OwnGIL                                        bool // never of a main interpreter
	RestrictStdin, RestrictStdout, RestrictSignal bool

	// SwitchInterval belongs to the GIL that the interpreter created; 0 leaves Python's.
	SwitchInterval time.Duration
	// SwitchIntervalSkipped tells that a section with application-group= asks for an interval of an interpreter that shares
	// the GIL of others, where it can't have one (WSGI0199).
	SwitchIntervalSkipped bool

	// PythonPath has a layer for the process, if it names directories, and one for each section, the least specific first.
	// Each goes in front of the one before.
	PythonPath [][]string
}

// Interpreter resolves the settings of the interpreter of an application group ("" is the main one) in a process of a daemon
// process group ("" is an Apache child). Each value comes from the section that sets it with the most selectors, the later one of
// equals, or else from the top level. ownGIL tells whether this Python can give an interpreter a GIL of its own.
func (p *ProcessSettings) Interpreter(processGroup, applicationGroup string, ownGIL bool) InterpreterSettings {
	sections := p.sectionsFor(processGroup, applicationGroup)
	s := InterpreterSettings{
		RestrictStdin:  p.flag(sections, func(v *InterpreterValues) Tristate { return v.RestrictStdin }).Or(false),
		RestrictStdout: p.flag(sections, func(v *InterpreterValues) Tristate { return v.RestrictStdout }).Or(false),
		RestrictSignal: p.flag(sections, func(v *InterpreterValues) Tristate { return v.RestrictSignal }).Or(true),
	}
	own := p.flag(sections, func(v *InterpreterValues) Tristate { return v.PerInterpreterGIL }).Or(false)
	s.OwnGIL = own && ownGIL && applicationGroup != ""
	s.SwitchInterval, s.SwitchIntervalSkipped = p.switchInterval(sections, processGroup, s.OwnGIL || applicationGroup == "")
	s.PythonPath = p.pathLayers(sections, processGroup)
	return s
}

// sectionsFor returns the sections that select the interpreter, the least specific first.
func (p *ProcessSettings) sectionsFor(processGroup, applicationGroup string) []*InterpreterOptions {
	var matching []*InterpreterOptions
	for _, section := range p.InterpreterOptions {
		if section.ProcessGroup.selects(processGroup) && section.ApplicationGroup.selects(applicationGroup) {
			matching = append(matching, section)
		}
	}
	slices.SortStableFunc(matching, func(a, b *InterpreterOptions) int { return a.specificity() - b.specificity() })
	return matching
}

// selects reads a name as the selector of a section: one that is absent selects everything.
func (n Name) selects(name string) bool {
	fixed, known := n.Fixed()
	return n.Kind == NameUnset || known && fixed == name
}

func (o *InterpreterOptions) specificity() int {
	keys := 0
	for _, selector := range []Name{o.ProcessGroup, o.ApplicationGroup} {
		if selector.Kind != NameUnset {
			keys++
		}
	}
	return keys
}

func (p *ProcessSettings) flag(sections []*InterpreterOptions, of func(*InterpreterValues) Tristate) Tristate {
	value := of(&p.InterpreterValues)
	for _, section := range sections {
		if v := of(&section.InterpreterValues); v != Unset {
			value = v
		}
	}
	return value
}

// switchInterval is 0 for an interpreter that uses the GIL of another one, which has set it. The top level's interval is for Apache's
// children; a daemon process group has the option switch-interval=.
func (p *ProcessSettings) switchInterval(sections []*InterpreterOptions, processGroup string, hasGIL bool) (interval time.Duration, skipped bool) {
	if processGroup == "" {
		interval = p.SwitchInterval
	}
	scoped := false
	for _, section := range sections {
		if section.SwitchInterval != 0 {
			interval, scoped = section.SwitchInterval, section.ApplicationGroup.Kind != NameUnset
		}
	}
	if !hasGIL {
		return 0, scoped
	}
	return interval, false
}

func (p *ProcessSettings) pathLayers(sections []*InterpreterOptions, processGroup string) [][]string {
	base := p.PythonPath
	if processGroup != "" {
		base = nil
		for _, group := range p.Groups {
			if group.Name == processGroup {
				base = group.PythonPath
			}
		}
	}
	var layers [][]string
	if len(base) > 0 {
		layers = append(layers, base)
	}
	for _, section := range sections {
		if len(section.PythonPath) > 0 {
			layers = append(layers, section.PythonPath)
		}
	}
	return layers
}
