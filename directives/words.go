package directives

import "strings"

// words splits the arguments of a directive the way Apache does (httpd 2.4, ap_getword_conf). Only the splitter's
// position is state: what remains unread is rest.
type words struct {
	rest string
	// unclosed is set when a quotation mark had no counterpart. Apache accepts that silently.
	unclosed bool
}

// isBlank is C's isspace in the C locale.
func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func (w *words) skipBlanks() {
	i := 0
	for i < len(w.rest) && isBlank(w.rest[i]) {
		i++
	}
	w.rest = w.rest[i:]
}

// more tells whether a word is left.
func (w *words) more() bool {
	w.skipBlanks()
	return w.rest != ""
}

// next returns the next word. An empty result means the end of the line or a quoted empty word: more() tells which.
func (w *words) next() string {
	w.skipBlanks()
	if w.rest == "" {
		return ""
	}
	var word string
	if quote := w.rest[0]; quote == '"' || quote == '\'' {
		word = w.quoted(quote)
	} else {
		end := 0
		for end < len(w.rest) && !isBlank(w.rest[end]) {
			end++
		}
		word = unescape(w.rest[:end], 0)
		w.rest = w.rest[end:]
	}
	w.skipBlanks()
	return word
}

func (w *words) quoted(quote byte) string {
	line := w.rest
	end := 1
	for end < len(line) && line[end] != quote {
		if line[end] == '\\' && end+1 < len(line) && (line[end+1] == quote || line[end+1] == '\\') {
			end++
		}
		end++
	}
	word := unescape(line[1:end], quote)
	if end < len(line) {
		end++
	} else {
		w.unclosed = true
	}
	w.rest = line[end:]
	return word
}

// unescape removes the backslash before a backslash, and before the quotation mark that encloses the word (0: none).
// Every other backslash stays.
func unescape(s string, quote byte) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || quote != 0 && s[i+1] == quote) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}
