package directives

import (
	"cmp"
	"slices"
)

// Check finds everything that is wrong with a configuration, in the order of its lines, the regular expressions that only
// Apache can try, and what else the parent has to know.
func Check(r *Recording) Answer {
	b := build(r)
	c := &checker{builder: b, warnings: newTally()}
	c.checkImports()
	c.checkGroupUses()
	c.checkUnusedGroups()
	c.checkEmbeddedAliases()
	facts := c.checkAccounts(systemAccounts{})
	c.checkShadowedAliases()
	c.checkProxyHeaders()
	c.checkFiles()
	c.warnings.report(b, Warning)
	slices.SortStableFunc(b.problems, func(x, y orderedProblem) int { return cmp.Compare(x.seq, y.seq) })
	problems := make([]Problem, len(b.problems))
	for i, p := range b.problems {
		problems[i] = p.Problem
	}
	return Answer{Problems: problems, Patterns: b.patterns, Groups: len(b.config.Process.Groups), Facts: facts}
}

// A checker looks at the whole configuration for what no single line shows.
type checker struct {
	*builder
	warnings *tally
}

// has tells whether the record was reported as wrong already.
func (c *checker) has(s Severity, seq int) bool {
	return slices.ContainsFunc(c.problems, func(p orderedProblem) bool { return p.seq == seq && p.Severity == s })
}

// checkProxyHeaders warns of headers that count whoever sends them. A list of proxies in any directory-type section
// silences it, since sections combine.
func (c *checker) checkProxyHeaders() {
	for _, section := range c.config.sections {
		if section.trustedProxies != nil {
			return
		}
	}
	main := &c.config.Servers[c.config.main].scope
	for _, use := range c.proxyHeaders {
		server := &c.config.Servers[use.server].scope
		if len(*use.scope.trustedProxyHeaders) > 0 && main.trustedProxies == nil && server.trustedProxies == nil {
			c.warnings.add(use.place, 0, "the headers count whoever sends them, since no WSGITrustedProxies names the proxies")
		}
	}
}
