package directives

import (
	"cmp"
	"slices"
)

// Check finds everything that is wrong with a configuration, in the order of its lines, and the regular expressions that
// only Apache can try.
func Check(r *Recording) ([]Problem, []Pattern) {
	b := build(r)
	b.idle.report(b, Warning)
	slices.SortStableFunc(b.problems, func(x, y orderedProblem) int { return cmp.Compare(x.seq, y.seq) })
	problems := make([]Problem, len(b.problems))
	for i, p := range b.problems {
		problems[i] = p.Problem
	}
	return problems, b.patterns
}
