package directives

import "strings"

// An option is one name=value option of a directive that stores its options in a T.
type option[T any] struct {
	Name       string
	Value      string // what is accepted, for people
	Default    string
	Since      string
	Doc        string
	AllowEmpty bool
	Effect     Effect
	set        func(o *optionValue, to *T)
}

func optionNames[T any](table []option[T]) []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].Name
	}
	return names
}

// An optionValue is one option as written. It reports with the option's name in front.
type optionValue struct {
	*arguments
	name, text string
}

func (o *optionValue) errorf(code int, format string, args ...any) {
	o.report(Error, code, "option '"+o.name+"': "+format, args...)
}

func (o *optionValue) warnf(code int, format string, args ...any) {
	o.report(Warning, code, "option '"+o.name+"': "+format, args...)
}

// readOptions reads the rest of the line as options: the name runs up to "=" and holds no blank, the value is the
// configuration word after it. Every mistake of the line is reported, not only the first.
func readOptions[T any](a *arguments, table []option[T], to *T) {
	seen := map[string]bool{}
	for a.more() {
		name, ok := a.optionName()
		if !ok {
			continue
		}
		o := &optionValue{arguments: a, name: name, text: a.next()}
		row := findOption(table, name)
		switch {
		case row == nil:
			a.errorf(0, "unknown option '%s'%s", name, suggestion(name, optionNames(table)))
			continue
		case o.text == "" && !row.AllowEmpty:
			a.errorf(0, "option '%s' has no value; accepted is %s", name, row.Value)
			continue
		case seen[name]:
			o.warnf(0, "it is given more than once, the last value counts")
		}
		seen[name] = true
		row.set(o, to)
		if row.Effect == Never {
			o.warnf(0, "%s", row.Doc)
		}
	}
}

func findOption[T any](table []option[T], name string) *option[T] {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// optionName reads up to and including the "=". A word without one is reported and skipped.
func (a *arguments) optionName() (string, bool) {
	line := a.rest
	if line[0] == '"' || line[0] == '\'' {
		word := a.next()
		if name, value, found := strings.Cut(word, "="); found {
			a.errorf(0, "%q is in quotation marks as a whole; they belong around the value only: %s=%q", word, name, value)
		} else {
			a.errorf(0, "%q is no option; options are written name=value", word)
		}
		return "", false
	}
	end := 0
	for end < len(line) && line[end] != '=' && !isBlank(line[end]) {
		end++
	}
	if end > 0 && end < len(line) && line[end] == '=' {
		a.rest = line[end+1:]
		return line[:end], true
	}
	after := words{rest: line[end:]}
	switch {
	case end == 0:
		a.next()
		a.errorf(0, "an option has no name before %q; options are written name=value", line)
	case after.more() && after.rest[0] == '=':
		a.rest = after.rest[1:]
		value := a.next()
		a.errorf(0, "blank before '=' in %q; write %s=%s", line[:end]+" =", line[:end], value)
	default:
		a.errorf(0, "%q is no option; options are written name=value", a.next())
	}
	return "", false
}

// Setters for the common types of options.

func nameOption[T any](d nameDialect, field func(*T) *Name) func(*optionValue, *T) {
	return func(o *optionValue, to *T) { *field(to) = d.read(o, o.text) }
}

func flagOption[T any](field func(*T) *Tristate) func(*optionValue, *T) {
	return func(o *optionValue, to *T) {
		value, ok := parseFlag(o.text)
		if !ok {
			o.errorf(0, "%q is not accepted; write On or Off", o.text)
			return
		}
		*field(to) = value
	}
}

func textOption[T any](field func(*T) *string) func(*optionValue, *T) {
	return func(o *optionValue, to *T) { *field(to) = o.text }
}

func integerOption[T any](low, high int64, field func(*T) *int) func(*optionValue, *T) {
	return func(o *optionValue, to *T) {
		if n, ok := readInteger(o, o.text, low, high); ok {
			*field(to) = int(n)
		}
	}
}
