package directives

import "strings"

// NameKind tells how the name of a process group, an application group or a callable is found.
type NameKind int

const (
	NameUnset NameKind = iota
	NameLiteral
	NameGlobal   // %{GLOBAL}: the embedded mode, or the main interpreter
	NameResource // %{RESOURCE}: server name, port and script name
	NameServer   // %{SERVER}: server name and port
	NameHost     // %{HOST}: the request's host and port
	NameEnv      // %{ENV:Text}: a variable of the request
)

// A Name is the name of a group or a callable, as configured.
type Name struct {
	Kind NameKind
	Text string // the literal, or the variable of NameEnv
}

func (n Name) String() string {
	switch n.Kind {
	case NameUnset:
		return ""
	case NameEnv:
		return "%{ENV:" + n.Text + "}"
	case NameLiteral:
		return n.Text
	}
	for token, kind := range nameTokens {
		if kind == n.Kind {
			return token
		}
	}
	return ""
}

// Fixed tells whether the name is the same for every request, and returns it: "" for %{GLOBAL}.
func (n Name) Fixed() (string, bool) {
	switch n.Kind {
	case NameGlobal:
		return "", true
	case NameLiteral:
		return n.Text, true
	}
	return "", false
}

var nameTokens = map[string]NameKind{
	"%{GLOBAL}":   NameGlobal,
	"%{RESOURCE}": NameResource,
	"%{SERVER}":   NameServer,
	"%{HOST}":     NameHost,
}

// A nameDialect is the set of tokens that one use of names expands. A token outside it is taken literally.
type nameDialect []NameKind

var (
	groupNames    = nameDialect{NameGlobal, NameResource, NameServer, NameHost, NameEnv}
	scriptNames   = nameDialect{NameGlobal, NameServer, NameHost} // application-group= of access, auth and dispatch scripts
	startupNames  = nameDialect{NameGlobal}                       // there is no request to expand anything against
	callableNames = nameDialect{NameEnv}
)

// parse never fails: what is no token of the dialect is a literal.
func (d nameDialect) parse(text string) Name {
	n := tokenOf(text)
	for _, kind := range d {
		if n.Kind == kind {
			return n
		}
	}
	return Name{Kind: NameLiteral, Text: text}
}

func tokenOf(text string) Name {
	if kind, ok := nameTokens[text]; ok {
		return Name{Kind: kind}
	}
	if variable, ok := strings.CutPrefix(text, "%{ENV:"); ok {
		if variable, ok = strings.CutSuffix(variable, "}"); ok && variable != "" {
			return Name{Kind: NameEnv, Text: variable}
		}
	}
	return Name{Kind: NameLiteral, Text: text}
}

// tokens lists what the dialect expands, for messages.
func (d nameDialect) tokens() []string {
	var list []string
	for _, kind := range d {
		if kind == NameEnv {
			list = append(list, "%{ENV:variable}")
		} else {
			list = append(list, Name{Kind: kind}.String())
		}
	}
	return list
}

// read parses text and warns when it looks like a token that this dialect does not expand.
func (d nameDialect) read(r reporter, text string) Name {
	n := d.parse(text)
	if n.Kind == NameLiteral && strings.Contains(text, "%{") {
		tokens := d.tokens()
		r.warnf(0, "%q is taken literally as a name; expanded are only %s, each as the whole value%s",
			text, strings.Join(tokens, ", "), suggestion(text, tokens))
	}
	return n
}
