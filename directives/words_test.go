package directives

import (
	"slices"
	"strings"
	"testing"
)

func allWords(line string) []string {
	w := words{rest: line}
	var list []string
	for w.more() {
		list = append(list, w.next())
	}
	return list
}

// The expectations follow httpd 2.4's ap_getword_conf.
func TestWordsAreSplitAsApacheDoes(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{``, nil},
		{" \t\r\n\v\f", nil},
		{`a b`, []string{"a", "b"}},
		{"  a\tb  ", []string{"a", "b"}},
		{`"a b" c`, []string{"a b", "c"}},
		{`'a b' c`, []string{"a b", "c"}},
		{`"a"b`, []string{"a", "b"}},
		{`a"b c"`, []string{`a"b`, `c"`}},
		{`"a\"b"`, []string{`a"b`}},
		{`'a\'b'`, []string{`a'b`}},
		{`"a\'b"`, []string{`a\'b`}},
		{`"a\\"b`, []string{`a\`, "b"}},
		{`a\\b`, []string{`a\b`}},
		{`a\ b`, []string{`a\`, "b"}},
		{`a\"b`, []string{`a\"b`}},
		{`\d+`, []string{`\d+`}},
		{`"\d+"`, []string{`\d+`}},
		{`"" x`, []string{"", "x"}},
		{`''`, []string{""}},
		{`"open`, []string{"open"}},
		{`"open\`, []string{`open\`}},
		{`"open\"`, []string{`open"`}},
		{`"`, []string{""}},
		{`\`, []string{`\`}},
		{"a\u00a0b", []string{"a\u00a0b"}},
		{`x=%{ENV:a} "y"`, []string{"x=%{ENV:a}", "y"}},
	} {
		if got := allWords(c.line); !slices.Equal(got, c.want) {
			t.Errorf("%q splits into %q, want %q", c.line, got, c.want)
		}
	}
}

func TestUnclosedQuotationMarkIsNoticed(t *testing.T) {
	for line, want := range map[string]bool{`"a`: true, `"a"`: false, `a"`: false, `'a b`: true, `"a\"`: true} {
		w := words{rest: line}
		for w.more() {
			w.next()
		}
		if w.unclosed != want {
			t.Errorf("%q: unclosed is %v", line, w.unclosed)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, seed := range []string{``, `a b`, `"a b" 'c\'d'`, `"open`, `a\\b \`, `"" ''`, "\x00 \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		w := words{rest: line}
		for w.more() {
			before := len(w.rest)
			word := w.next()
			if len(w.rest) >= before {
				t.Fatalf("%q: no progress at %q", line, w.rest)
			}
			if len(word) > before-len(w.rest) {
				t.Fatalf("%q: the word %q is longer than what was read", line, word)
			}
		}
		// A word in quotation marks, with its marks and backslashes escaped, comes back unchanged.
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line) + `"`
		if got := allWords(quoted); len(got) != 1 || got[0] != line {
			t.Fatalf("%q in quotation marks splits into %q", line, got)
		}
	})
}
