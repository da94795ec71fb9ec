package directives

import (
	"crypto/sha256"
	"fmt"
	"sync"
)

// A Directive is one row of the table.
type Directive struct {
	Name   string // "<Name" for a section
	Syntax string // arguments, for people
	Args   ArgumentKind
	Places Places
	// Container tells that the directive takes a scoped value inside <WSGIInterpreterOptions>.
	Container bool
	Default   string // for people; for an On/Off directive also what it compares with
	Since     string
	Merge     MergeRule
	Effect    Effect
	// Meanwhile says what happens instead, for a directive without effect.
	Meanwhile string
	Help      string // one line, shown by httpd -L
	Doc       string // a paragraph or more for the reference page

	// read interprets the arguments and stores the value in the target. It reports what is wrong through the arguments.
	read func(a *arguments, t *target)
}

// IsSection tells whether the directive opens a section.
func (d *Directive) IsSection() bool { return d.Name[0] == '<' }

// label is the name as messages show it.
func (d *Directive) label() string {
	if d.IsSection() {
		return d.Name + ">"
	}
	return d.Name
}

// ArgumentKind says how the arguments are split.
type ArgumentKind int

const (
	OneWord ArgumentKind = iota
	OneOrTwoWords
	Words   // the directive reads the line itself
	OnOff   // one flag word
	Options // words, then name=value options
)

// Places are the parts of a configuration in which a directive may stand.
type Places uint8

const (
	AtServer Places = 1 << iota
	AtVirtualHost
	AtDirectory           // directory-type sections
	AtHtaccessFileInfo    // .htaccess under AllowOverride FileInfo
	AtHtaccessAuthConfig  // .htaccess under AllowOverride AuthConfig
	mainServer            = AtServer
	anyServer             = AtServer | AtVirtualHost
	anySection            = anyServer | AtDirectory
	everywhere            = anySection | AtHtaccessFileInfo
	directoriesAuthConfig = AtDirectory | AtHtaccessAuthConfig
)

// Override is Apache's req_override for the places, as a C expression. AuthConfig directives are OR_AUTHCFG, which
// Apache itself masks at server level.
func (p Places) Override() string {
	switch {
	case p&AtHtaccessFileInfo != 0:
		return "OR_FILEINFO"
	case p&AtHtaccessAuthConfig != 0:
		return "OR_AUTHCFG"
	case p&AtDirectory != 0:
		return "RSRC_CONF|ACCESS_CONF"
	}
	return "RSRC_CONF"
}

// MergeRule says how a value combines with that of the enclosing scope.
type MergeRule int

const (
	NotMerged     MergeRule = iota // one value, that of the main server
	InnermostSet                   // the innermost scope that sets it wins
	InnermostList                  // the innermost scope's list replaces the outer one's
	UnionByName                    // entries of both; the inner one wins a name
	InnerFirst                     // the inner list, then the outer one's
	Collected                      // every occurrence counts, wherever it stands
)

// Effect says whether a directive does something.
type Effect int

const (
	Now   Effect = iota
	Never        // accepted so that existing configurations start
)

var fingerprint = sync.OnceValue(func() string {
	h := sha256.New()
	fmt.Fprintln(h, recordingMagic, answerMagic)
	for _, d := range Table {
		fmt.Fprintln(h, d.Name, d.Args, d.Places, d.Container, d.Effect)
	}
	for _, name := range optionNames(daemonOptions) {
		fmt.Fprintln(h, name)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
})

// Fingerprint identifies the table, so that a module and a checker of different builds refuse each other.
func Fingerprint() string { return fingerprint() }

// Find returns a directive's index in Table, or -1.
func Find(name string) int {
	for i := range Table {
		if Table[i].Name == name {
			return i
		}
	}
	return -1
}
