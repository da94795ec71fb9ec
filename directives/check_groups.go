package directives

import "strings"

// checkImports enforces the rules for scripts that a daemon process group imports at its start, whether
// WSGIImportScript or the two group options of an alias say so.
func (c *checker) checkImports() {
	for _, script := range c.config.Process.ImportScripts {
		if script.ProcessGroup == "" {
			continue
		}
		g := c.config.Process.Group(script.ProcessGroup)
		switch {
		case g == nil:
			c.report(script.place, Error, 151, "the process group %q is not declared by any WSGIDaemonProcess%s",
				script.ProcessGroup, suggestion(script.ProcessGroup, c.groupNames()))
		case g.place.seq > script.place.seq:
			c.report(script.place, Error, 0, "the process group %q is declared only on %s; it has to stand before what is imported at its start",
				g.Name, g.place)
		case !c.importable(g, script.server):
			c.report(script.place, Error, 152, "the process group %q belongs to the virtual host %s, which has another ServerName",
				g.Name, c.describe(g.Server))
		}
	}
}

// importable is the virtual host rule as it holds at configuration time: with a ServerName on both sides they have to be
// equal, and one side alone must not have one.
func (c *checker) importable(g *DaemonGroup, server int) bool {
	owner := c.config.Servers[g.Server]
	return !owner.Virtual || g.Server == server || owner.Name == c.config.Servers[server].Name
}

func (c *checker) describe(server int) string {
	s := c.config.Servers[server]
	where := place{file: s.File, line: s.Line}.String()
	if s.Name == "" {
		return "on " + where
	}
	return s.Name + " (" + where + ")"
}

// checkGroupUses warns of names that no group has, and of groups that the virtual host may not use.
func (c *checker) checkGroupUses() {
	for _, use := range c.groupUses {
		name, fixed := use.name.Fixed()
		if !fixed || name == "" || c.has(Error, use.seq) {
			continue
		}
		g := c.config.Process.Group(name)
		switch {
		case g != nil && use.routes && !c.usable(g, use.server):
			c.warnings.add(use.place, 152, "the process group %q belongs to another virtual host, %s, and may not be used here",
				name, c.describe(g.Server))
		case g != nil || !use.routes && c.groupIgnoringCase(name):
		case len(c.config.Process.Groups) == 0:
			c.warnings.add(use.place, 150, "the process group %q does not exist: there is no WSGIDaemonProcess at all", name)
		default:
			c.warnings.add(use.place, 151, "the process group %q is not declared by any WSGIDaemonProcess%s",
				name, suggestion(name, c.groupNames()))
		}
	}
}

// usable is the virtual host rule as it holds for requests. What the main server sets is inherited by the group's own
// virtual host, so nothing is wrong with it for certain.
func (c *checker) usable(g *DaemonGroup, server int) bool {
	return server == c.config.main || c.importable(g, server)
}

func (c *checker) groupIgnoringCase(name string) bool {
	for _, g := range c.config.Process.Groups {
		if strings.EqualFold(g.Name, name) {
			return true
		}
	}
	return false
}

func (c *checker) groupNames() []string {
	names := make([]string, len(c.config.Process.Groups))
	for i, g := range c.config.Process.Groups {
		names[i] = g.Name
	}
	return names
}

// dynamicGroups tells whether a request may reach a group that the configuration does not name.
func (c *checker) dynamicGroups() bool {
	for _, use := range c.groupUses {
		if _, fixed := use.name.Fixed(); use.routes && !fixed {
			return true
		}
	}
	for i := range c.config.Servers {
		if c.config.Servers[i].scope.dispatchScript != nil {
			return true
		}
	}
	for _, section := range c.config.sections {
		if section.dispatchScript != nil {
			return true
		}
	}
	return false
}

func (c *checker) checkUnusedGroups() {
	if c.dynamicGroups() {
		return
	}
	used := map[string]bool{}
	for _, use := range c.groupUses {
		if name, fixed := use.name.Fixed(); fixed && use.routes {
			used[name] = true
		}
	}
	for _, script := range c.config.Process.ImportScripts {
		used[script.ProcessGroup] = true
	}
	for _, g := range c.config.Process.Groups {
		if !used[g.Name] {
			c.warnings.add(g.place, 0, "nothing uses the process group %q; WSGIProcessGroup or an option process-group= has to name it", g.Name)
		}
	}
}

// checkEmbeddedAliases warns of applications that run embedded although groups are declared, or although that is
// forbidden. A section may route them elsewhere: what sections and scripts do is not followed.
func (c *checker) checkEmbeddedAliases() {
	if c.dynamicGroups() {
		return
	}
	for _, use := range c.groupUses {
		if use.scoped && use.routes {
			return
		}
	}
	main := &c.config.Servers[c.config.main]
	for i := range c.config.Servers {
		server := &c.config.Servers[i]
		for _, alias := range server.own {
			name := alias.ProcessGroup
			for _, outer := range []*scope{&server.scope, &main.scope} {
				if name.Kind == NameUnset {
					name = outer.processGroup
				}
			}
			group, fixed := name.Fixed()
			switch {
			case name.Kind == NameUnset && len(c.config.Process.Groups) > 0:
				c.warnings.add(alias.place, 0, "the application runs embedded although process groups are declared: neither WSGIProcessGroup nor "+
					"process-group= names one for it; write process-group=%%{GLOBAL} if that is meant")
			case (name.Kind == NameUnset || fixed && group == "") && c.config.Process.RestrictEmbedded == On:
				c.warnings.add(alias.place, 143, "the application runs embedded, which WSGIRestrictEmbedded forbids: its requests are answered with 500")
			}
		}
	}
}
