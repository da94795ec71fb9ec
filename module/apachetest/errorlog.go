package apachetest

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// disasters are texts that never belong in the log of a server that works.
var disasters = []string{"exit signal", "AH00046", "Segmentation", "fatal error", "AH00052", "panic:", "SIGABRT",
	"runtime error:", "ERROR: AddressSanitizer"}

// Log returns the main error log so far.
func (s *Server) Log() string { return s.LogFile("error.log") }

// LogFile returns a log file below Root/logs, "" when it does not exist.
func (s *Server) LogFile(name string) string {
	text, _ := os.ReadFile(s.Root + "/logs/" + name)
	return string(text)
}

// Mark is a place in a log file: what is written later can be asked for.
type Mark struct {
	server *Server
	file   string
	offset int
}

// Mark remembers the present end of the main error log.
func (s *Server) Mark() Mark { return s.MarkFile("error.log") }

// MarkStart is the beginning of a log file below Root/logs: for what has been logged at any time.
func (s *Server) MarkStart(name string) Mark { return Mark{server: s, file: name} }

// MarkFile remembers the present end of a log file below Root/logs.
func (s *Server) MarkFile(name string) Mark {
	return Mark{s, name, len(s.LogFile(name))}
}

// Since returns what was logged after the mark.
func (m Mark) Since() string {
	text := m.server.LogFile(m.file)
	return text[min(m.offset, len(text)):]
}

// Wait waits until the text (a regular expression) has been logged after the mark, and returns the first line with it.
func (m Mark) Wait(t testing.TB, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(`(?m)^.*(?:` + pattern + `).*$`)
	var line string
	err := poll(10*time.Second, func() (bool, error) {
		line = expression.FindString(m.Since())
		return line != "", nil
	})
	if err != nil {
		t.Fatalf("%s: %s does not appear in %s; what does:\n%s", m.server.config.Module.Name, pattern, m.file, m.Since())
	}
	return line
}

// WaitLog waits until the main error log contains the regular expression, and returns the first line that does.
func (s *Server) WaitLog(t testing.TB, pattern string) string {
	t.Helper()
	return s.MarkStart("error.log").Wait(t, pattern)
}

func (s *Server) examineLog(t testing.TB) {
	t.Helper()
	for _, line := range strings.Split(s.output(), "\n") {
		for _, word := range disasters {
			if strings.Contains(line, word) && !s.tolerates(line) {
				t.Errorf("%s (%s): the error log says: %s", s.config.Module.Name, s.config.MPM, line)
				break
			}
		}
	}
}

func (s *Server) tolerates(line string) bool {
	for _, text := range s.config.Tolerate {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

var logPrefix = regexp.MustCompile(`^\[[^]]*\] (?:\[[^]]*\] )*`)

// LogMessage is the message part of an error-log line: time, module, process and client are cut off.
func LogMessage(line string) string { return logPrefix.ReplaceAllString(line, "") }
