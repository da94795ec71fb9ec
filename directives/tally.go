package directives

import "fmt"

// A tally counts occurrences of the same message about the same directive and remembers the first place of each, so that
// two thousand virtual hosts with the same line get one warning.
type tally struct {
	order  []tallyKey
	first  map[tallyKey]place
	counts map[tallyKey]int
}

type tallyKey struct {
	directive, text string
	code            int
}

func newTally() *tally { return &tally{first: map[tallyKey]place{}, counts: map[tallyKey]int{}} }

func (t *tally) add(at place, code int, format string, args ...any) {
	key := tallyKey{directive: at.directive, text: fmt.Sprintf(format, args...), code: code}
	if t.counts[key]++; t.counts[key] == 1 {
		t.order = append(t.order, key)
		t.first[key] = at
	}
}

// report gives each message once, at its first place, with the number of its occurrences.
func (t *tally) report(b *builder, s Severity) {
	for _, key := range t.order {
		count := ""
		if n := t.counts[key]; n > 1 {
			count = fmt.Sprintf(" (%d occurrences, this is the first)", n)
		}
		b.report(t.first[key], s, key.code, "%s%s", key.text, count)
	}
}
