package directives

import "strings"

// checkShadowedAliases warns of aliases that never get a request, since an earlier one takes them all.
func (c *checker) checkShadowedAliases() {
	for i := range c.config.Servers {
		seen := map[string]*Alias{}
		for _, alias := range c.config.Servers[i].own {
			if earlier := firstCovering(seen, alias); earlier != nil {
				c.report(alias.place, Warning, 0, "%q never gets a request: %q on %s comes first; put longer paths first",
					alias.Location, earlier.Location, earlier.place)
			}
			if key := aliasKey(alias); seen[key] == nil {
				seen[key] = alias
			}
		}
	}
	c.checkHiddenAliases()
}

func firstCovering(seen map[string]*Alias, alias *Alias) *Alias {
	for _, key := range coveringKeys(alias) {
		if earlier := seen[key]; earlier != nil {
			return earlier
		}
	}
	return nil
}

// aliasKey identifies what an alias matches. A plain one begins with a slash or matches nothing.
func aliasKey(alias *Alias) string {
	if alias.Regex {
		return "regex " + alias.Location
	}
	return collapseSlashes(alias.Location)
}

// coveringKeys are the keys of all plain aliases that match whatever this one matches, itself included. Of a regular
// expression only the same one is known to.
func coveringKeys(alias *Alias) []string {
	key := aliasKey(alias)
	if alias.Regex || !strings.HasPrefix(key, "/") {
		return []string{key}
	}
	keys := []string{"/", key}
	for i := 1; i < len(key); i++ {
		if key[i] == '/' {
			keys = append(keys, key[:i], key[:i+1])
		}
	}
	return keys
}

func collapseSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// checkHiddenAliases looks for aliases of the main server that virtual hosts hide. A shorter path in a virtual host hides
// them by surprise; the same path is a way to override, so that is a notice.
func (c *checker) checkHiddenAliases() {
	mains := c.config.Servers[c.config.main].own
	covered := map[string][]int{} // by key: the main server's aliases that it covers
	for i, alias := range mains {
		for _, key := range coveringKeys(alias) {
			covered[key] = append(covered[key], i)
		}
	}
	type hiding struct {
		hosts, last int
		first       *Alias
	}
	hidden := make([]hiding, len(mains))
	for server := range c.config.Servers {
		if server == c.config.main {
			continue
		}
		for _, alias := range c.config.Servers[server].own {
			for _, i := range covered[aliasKey(alias)] {
				h := &hidden[i]
				if h.first == nil {
					h.first = alias
				}
				if h.hosts == 0 || h.last != server {
					h.hosts, h.last = h.hosts+1, server
				}
			}
		}
	}
	for i, h := range hidden {
		if h.first == nil {
			continue
		}
		severity := Warning
		if aliasKey(h.first) == aliasKey(mains[i]) {
			severity = Notice
		}
		c.report(mains[i].place, severity, 0, "%q never gets a request in %d of the virtual hosts: %q of the virtual host comes first, as on %s",
			mains[i].Location, h.hosts, h.first.Location, h.first.place)
	}
}
