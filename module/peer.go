package module

import (
	"fmt"
	"strings"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/fate"
	"modwsgi/directives"
)

// A peer is the process that a request was in, or should have been in, as far as Apache's child knows it. The zero value is one of which
// nothing is known.
type peer struct {
	pid    int
	fate   fate.Fate     // of no meaning unless known
	known  bool          // the supervisor has said what became of it
	silent time.Duration // for so long nothing came from it; 0: that is not what happened
}

// readPeer splits off what daemon/client/fate.c adds to the detail of a fault: a last line of five numbers.
func readPeer(detail string) (string, peer) {
	before, line, found := cutLast(detail, "\n")
	var f daemon.Fate
	if _, err := fmt.Sscanf(line, "%d %d %d %d %d", &f.Serial, &f.PID, &f.Status, &f.Cause, &f.Value); !found || err != nil {
		return detail, peer{}
	}
	p := peer{pid: f.PID, known: f.Serial != 0}
	if p.known {
		p.fate = fate.Unpack(f)
	} else {
		p.silent = time.Duration(f.Value) * time.Millisecond
	}
	return before, p
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

func (p peer) name(group string) string {
	if p.pid == 0 {
		return "a process of " + group
	}
	return fmt.Sprintf("process %d of %s", p.pid, group)
}

// lost says what became of the process that had a request. detail is what its connection looked like.
func (p peer) lost(group, detail string, limits *directives.DaemonGroup) string {
	switch {
	case p.known:
		return p.name(group) + " " + p.fate.Words(limits)
	case p.silent > 0:
		return p.name(group) + " did nothing for too long" + p.patience(limits) + ": " + detail
	case p.pid != 0:
		return p.name(group) + " broke the connection, and has not ended: " + detail + "; see what it has logged"
	}
	return p.name(group) + " broke the connection, and nobody has said how it ended: " + detail
}

// patience is the limit that a silent process has run into.
func (p peer) patience(limits *directives.DaemonGroup) string {
	switch {
	case limits.SocketTimeout > 0:
		return fmt.Sprintf(" (socket-timeout=%.0f)", limits.SocketTimeout.Seconds())
	case p.silent > 0:
		return fmt.Sprintf(" (Timeout %.0f)", p.silent.Seconds())
	}
	return " (Timeout)"
}

// missing says why there was no process for a request.
func (p peer) missing(group string, limits *directives.DaemonGroup) string {
	text := fmt.Sprintf("no process of %s took it within connect-timeout=%.0f", group, limits.ConnectTimeout.Seconds())
	if !p.known {
		return text + ": none is running"
	}
	return text + ": the last one that was to start, " + p.who() + ", " + p.fate.Words(limits)
}

func (p peer) who() string {
	if p.pid == 0 {
		return fmt.Sprintf("number %d", p.fate.Serial)
	}
	return fmt.Sprintf("process %d", p.pid)
}
