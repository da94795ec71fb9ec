package errorlog

import (
	"cmp"
	"fmt"
	"strconv"
)

// FromFacts makes out of a recording's facts (directives.Recording) what the records of a server look like, and LogLevel there. name is the
// server's. Its error is for the log: the result is usable.
func FromFacts(facts map[string]string, server int, name string) (*Format, Level, error) {
	level := Warning // httpd 2.4, default of LogLevel
	if n, err := strconv.Atoi(facts[fmt.Sprintf("server.%d.log_level", server)]); err == nil {
		level = Level(n)
	}
	text := cmp.Or(facts[fmt.Sprintf("server.%d.error_log_format", server)], facts["error_log_format"])
	if text == "" {
		return Default(), level, nil
	}
	format, err := Parse(text, Server{Name: name, Threaded: facts["threaded"] != "0"})
	if err != nil {
		return Default(), level, err
	}
	return format, level, nil
}
