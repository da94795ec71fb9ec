package directives

import (
	"strings"
	"testing"
)

// The classic module 4.9.4 accepts and refuses the same configurations.
func TestGroupsOfPreloadedScripts(t *testing.T) {
	const preloaded = "WSGIScriptAlias /x /x process-group=g application-group=%{GLOBAL}\n"
	host := func(content ...string) string {
		return "<VirtualHost *>\n" + strings.Join(content, "\n") + "\n</VirtualHost>\n"
	}
	const group = "WSGIDaemonProcess g\n"
	for _, c := range []struct {
		name, config string
		accepted     bool
	}{
		{"alias before its group", preloaded + group, false},
		{"alias after its group", group + preloaded, true},
		{"two hosts with different names", host("ServerName a", group) + host("ServerName b", preloaded), false},
		{"two hosts with the same name", host("ServerName a", group) + host("ServerName a", preloaded), true},
		{"two hosts without names", host(group) + host(preloaded), true},
		{"only the group's host has a name", host("ServerName a", group) + host(preloaded), false},
		{"only the alias's host has a name", host(group) + host("ServerName a", preloaded), false},
		{"main server, a host's group", host("ServerName a", group) + preloaded, false},
		{"main server, a group of a host with its name", host("ServerName main.example", group) + preloaded, true},
		{"host, the main server's group", group + host("ServerName a", preloaded), true},
		{"host, its own group", host(group, preloaded), true},
		{"process group alone", "WSGIScriptAlias /x /x process-group=nope", true},
		{"variable application group", "WSGIScriptAlias /x /x process-group=nope application-group=%{SERVER}", true},
		{"token inside a name", "WSGIScriptAlias /x /x process-group=nope application-group=a%{SERVER}", true},
		{"percent sign alone", "WSGIScriptAlias /x /x process-group=nope application-group=a%b", false},
		{"variable target", "WSGIScriptAliasMatch /x /x$1 process-group=nope application-group=a", true},
		{"fixed target of a regular expression", "WSGIScriptAliasMatch /x /x process-group=nope application-group=a", false},
		{"a token is a name for WSGIImportScript", "WSGIImportScript /x process-group=%{SERVER} application-group=a", false},
	} {
		problems := Check(record(t, c.config)).Problems
		accepted := true
		for _, p := range problems {
			accepted = accepted && p.Severity != Error
		}
		if accepted != c.accepted {
			t.Errorf("%s: accepted %v, want %v\n%v", c.name, accepted, c.accepted, problems)
		}
	}
}
