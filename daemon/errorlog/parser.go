package errorlog

import (
	"fmt"
	"strings"
)

type parser struct {
	rest    string
	server  Server
	items   []item
	message bool
}

func (p *parser) item() error {
	var i item
	if after, found := strings.CutPrefix(p.rest, "% "); found { // begins a field, and leaves no trace
		i.separates, p.rest = true, after
	}
	if after, found := strings.CutPrefix(p.rest, "%%"); found {
		i.piece.Text, p.rest = "%", after
		p.items = append(p.items, i)
		return nil
	}
	if !strings.HasPrefix(p.rest, "%") {
		i.separates = i.separates || strings.HasPrefix(p.rest, " ")
		i.piece.Text = p.text()
		p.items = append(p.items, i)
		return nil
	}
	p.rest = p.rest[1:]
	return p.field(i)
}

// text takes everything up to the next % or the next space that begins a field. A backslash makes a space an ordinary character.
func (p *parser) text() string {
	var b strings.Builder
	begun := false
	for p.rest != "" && p.rest[0] != '%' && (p.rest[0] != ' ' || !begun) {
		c := p.rest[0]
		p.rest = p.rest[1:]
		begun = begun || c != ' '
		if c == '\\' && p.rest != "" {
			c = p.rest[0]
			p.rest = p.rest[1:]
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// field reads what follows a %: modifiers, then a letter.
func (p *parser) field(i item) error {
	argument := ""
	for p.rest != "" {
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case c == '{':
			argument, p.rest, _ = strings.Cut(p.rest, "}")
		case c == '-':
			i.hyphen = true
		case '0' <= c && c <= '9':
			n := Level(c - '0')
			for p.rest != "" && '0' <= p.rest[0] && p.rest[0] <= '9' && n < 1000 {
				n = 10*n + Level(p.rest[0]-'0')
				p.rest = p.rest[1:]
			}
			i.least = n
		default:
			return p.value(i, c, argument)
		}
	}
	return fmt.Errorf("it ends in the middle of an item")
}

// value adds the item for a letter.
func (p *parser) value(i item, letter byte, argument string) error {
	switch letter {
	case 'M':
		i.piece.Kind, p.message = KindMessage, true
	case 't':
		return p.time(i, argument)
	case 'l':
		i.piece.Kind = KindLevel
	case 'm':
		i.piece.Kind = KindModule
	case 'P':
		i.piece.Kind = KindPid
	case 'T':
		i.piece.Kind = KindTid
		i.empty = argument != "g" && !p.server.Threaded
	case 'v':
		i.piece.Text, i.empty = p.server.Name, p.server.Name == ""
	case 'a', 'A', 'e', 'E', 'F', 'i', 'k', 'L', 'n', 'V':
		i.empty = true // of a connection, a request, an errno or a line of C
	default:
		return fmt.Errorf("%%%c is unknown", letter)
	}
	p.items = append(p.items, i)
	return nil
}

func (p *parser) time(i item, options string) error {
	compact, micro := strings.ContainsRune(options, 'c'), strings.ContainsRune(options, 'u')
	switch {
	case compact && micro:
		i.piece.Kind = KindTimeCompact
	case compact:
		i.piece.Kind = KindTimeCompactSeconds
	case micro:
		i.piece.Kind = KindTimeMicroseconds
	default:
		i.piece.Kind = KindTime
	}
	p.items = append(p.items, i)
	if strings.ContainsRune(options, 'z') {
		p.items = append(p.items, item{piece: Piece{Text: " "}, least: i.least}, item{piece: Piece{Kind: KindZone}, least: i.least})
	}
	return nil
}
