package directives

import (
	"fmt"
	"strings"
	"testing"
)

// record does what the C edge does in Apache's parent: it turns the text of a configuration into a Recording. It knows
// only <VirtualHost>, directory-type sections, <Limit> and ServerName besides our own directives.
func record(t testing.TB, config string) *Recording {
	t.Helper()
	r := &Recording{Facts: map[string]string{}, Servers: []Server{{Name: "main.example", Port: 80, File: "httpd.conf"}}}
	var server, leaves int
	var leaf uint32
	var context Context
	var section string
	for i, text := range strings.Split(config, "\n") {
		name, args, _ := strings.Cut(strings.TrimSpace(text), " ")
		args = strings.TrimSpace(args)
		line := i + 1
		switch name {
		case "", "#":
		case "ServerName":
			r.Servers[server].Name = args
		case "<VirtualHost":
			r.Servers = append(r.Servers, Server{Port: 80, File: "httpd.conf", Line: line, Virtual: true})
			server, context = len(r.Servers)-1, context|InVirtualHost
		case "</VirtualHost>":
			server, context = 0, context&^InVirtualHost
		case "<Directory", "<Location", "<Files", "<If":
			leaves++
			leaf, section, context = uint32(leaves), strings.TrimSuffix(args, ">"), context|InDirectory
		case "</Directory>", "</Location>", "</Files>", "</If>":
			leaf, section, context = 0, "", context&^InDirectory
		case "<Limit":
			context |= InLimit
		case "</Limit>":
			context &^= InLimit
		default:
			rec := Record{Server: server, Leaf: leaf, Context: context, Args: args, File: "httpd.conf", Line: line, Section: section}
			if strings.HasPrefix(name, "</") {
				rec.Context |= EndOfSection
				name = "<" + strings.Trim(name, "</>")
			} else if name[0] == '<' {
				name = strings.TrimSuffix(name, ">")
				rec.Args = strings.TrimSuffix(args, ">")
			}
			if rec.Directive = Find(name); rec.Directive < 0 {
				t.Fatalf("line %d: no directive %q", line, name)
			}
			r.Records = append(r.Records, rec)
		}
	}
	return r
}

// checked returns what Check says, one line for each problem: severity, line, code if any, reason.
func checked(r *Recording) []string {
	problems := Check(r).Problems
	lines := make([]string, len(problems))
	for i, p := range problems {
		code := ""
		if p.Code != 0 {
			code = fmt.Sprintf("WSGI%04d ", p.Code)
		}
		lines[i] = fmt.Sprintf("%s %d: %s%s", p.Severity, p.Line, code, p.Reason)
	}
	return lines
}

func compiled(t testing.TB, config string) *Config {
	t.Helper()
	c, err := Compile(record(t, config))
	if err != nil {
		t.Fatalf("%v in\n%s", err, config)
	}
	return c
}
