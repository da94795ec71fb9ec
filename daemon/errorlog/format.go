package errorlog

import (
	"fmt"
	"strings"
)

// A Kind says what a Piece becomes in a record. The first nine are mwd_log_piece_kind of daemon/server/server.h.
type Kind int

const (
	KindText             Kind = iota // Piece.Text
	KindTime                         // Tue Nov 24 12:00:00 2026
	KindTimeMicroseconds             // Tue Nov 24 12:00:00.123456 2026
	KindTimeCompact                  // 2026-11-24 12:00:00.123456
	KindLevel
	KindPid
	KindTid
	KindModule
	KindMessage
	KindTimeCompactSeconds // 2026-11-24 12:00:00
	KindZone               // +0100
)

// A Piece is a part of a record.
type Piece struct {
	Kind Kind
	Text string
}

// A Format is a parsed ErrorLogFormat. It is immutable.
type Format struct{ items []item }

// An item is a piece of the format with what governs whether it is there.
type item struct {
	piece     Piece
	separates bool  // a field begins here
	empty     bool  // it never has a value outside requests
	hyphen    bool  // "-" stands for no value
	least     Level // of records that have it
}

// Server is what is known where a record is written.
type Server struct {
	Name     string // ServerName, "" if unknown
	Threaded bool   // whether the MPM is: %T is empty in others
}

// Default is how Apache formats records if ErrorLogFormat is not set (httpd 2.4, the default of that directive; seen with 2.4.71: the
// thread is the system's number, and is there with every MPM).
func Default() *Format {
	f, err := Parse(`[%{u}t] [%m:%l] [pid %P:tid\ %{g}T] %M`, Server{})
	if err != nil {
		panic(err) // a test parses it
	}
	return f
}

// Parse reads the text of an ErrorLogFormat (httpd 2.4, the directive of that name), with or without the quotation marks around it.
func Parse(text string, server Server) (*Format, error) {
	p := parser{rest: unquote(text), server: server}
	for p.rest != "" {
		if err := p.item(); err != nil {
			return nil, fmt.Errorf("ErrorLogFormat: %w", err)
		}
	}
	if !p.message {
		return nil, fmt.Errorf("ErrorLogFormat: there is no %%M in it")
	}
	return &Format{items: p.items}, nil
}

// Pieces are what a record of a level consists of. A field that contains an item without a value is left out as a whole: fields begin at
// spaces, and at "% ".
func (f *Format) Pieces(level Level) []Piece {
	var pieces []Piece
	field, skipping := 0, false
	for _, i := range f.items {
		if i.separates && !skipping {
			field = len(pieces)
		} else if i.separates {
			skipping = false
		}
		switch {
		case i.piece.Kind == KindMessage:
			pieces = append(pieces, i.piece)
		case skipping:
		case level < i.least, i.empty && !i.hyphen:
			pieces, skipping = withoutField(pieces, field), true
		case i.empty:
			pieces = append(pieces, Piece{Text: "-"})
		default:
			pieces = append(pieces, i.piece)
		}
	}
	return joinTexts(pieces)
}

// withoutField leaves out what came since the field began. Apache drops even the message; a record that says nothing helps nobody.
func withoutField(pieces []Piece, field int) []Piece {
	kept := pieces[:field]
	for _, p := range pieces[field:] {
		if p.Kind == KindMessage {
			kept = append(kept, p)
		}
	}
	return kept
}

func joinTexts(pieces []Piece) []Piece {
	var joined []Piece
	for _, p := range pieces {
		if n := len(joined); p.Kind == KindText && n > 0 && joined[n-1].Kind == KindText {
			joined[n-1].Text += p.Text
		} else {
			joined = append(joined, p)
		}
	}
	return joined
}

// unquote removes the quotation marks around an argument, and the backslashes that they made necessary.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '"' && s[0] != '\'' || s[len(s)-1] != s[0] {
		return s
	}
	quote := s[:1]
	return strings.NewReplacer(`\\`, `\`, `\`+quote, quote).Replace(s[1 : len(s)-1])
}
