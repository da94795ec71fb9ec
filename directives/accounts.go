package directives

import (
	"os/user"
	"strings"
)

// accounts looks users and groups up. Only Check needs it.
type accounts interface {
	// userID returns the number of a user given by name or number, false if there is none.
	userID(nameOrID string, byID bool) (string, bool)
	groupExists(name string) bool
}

// systemAccounts are the accounts of this machine.
type systemAccounts struct{}

func (systemAccounts) userID(nameOrID string, byID bool) (string, bool) {
	look := user.Lookup
	if byID {
		look = user.LookupId
	}
	u, err := look(nameOrID)
	if err != nil {
		return "", false
	}
	return u.Uid, true
}

func (systemAccounts) groupExists(name string) bool {
	_, err := user.LookupGroup(name)
	return err == nil
}

// checkAccounts looks up the users and groups of every daemon group.
func (c *checker) checkAccounts(known accounts) {
	users, groups := map[Account]string{}, map[Account]bool{}
	userID := func(account Account) string {
		if _, seen := users[account]; !seen {
			id, byID := strings.CutPrefix(string(account), "#")
			users[account], _ = known.userID(id, byID)
		}
		return users[account]
	}
	for _, g := range c.config.Process.Groups {
		for _, o := range []namedAccount{{"user", g.User}, {"socket-user", g.SocketUser}, {"script-user", g.ScriptUser}} {
			if o.account == "" {
				continue
			}
			switch id := userID(o.account); {
			case id == "":
				c.report(g.place, Error, 0, "option '%s': there is no user %q on this system", o.name, o.account)
			case id == "0" && o.name == "user":
				c.report(g.place, Error, 0, "option 'user': %q is root, and daemon processes never run as root", o.account)
			}
		}
		for _, o := range append([]namedAccount{{"group", g.Group}, {"script-group", g.ScriptGroup}}, supplementary(g)...) {
			if o.account == "" || o.account[0] == '#' {
				continue
			}
			exists, seen := groups[o.account]
			if !seen {
				exists = known.groupExists(string(o.account))
				groups[o.account] = exists
			}
			if !exists {
				c.report(g.place, Error, 0, "option '%s': there is no group %q on this system", o.name, o.account)
			}
		}
		if euid := c.config.Facts["euid"]; euid != "" && euid != "0" && (g.User != "" || g.Group != "" || g.SupplementaryGroups != nil) {
			c.warnings.add(g.place, 0, "the options 'user', 'group' and 'supplementary-groups' count only when Apache is started as root")
		}
	}
}

type namedAccount struct {
	name    string
	account Account
}

func supplementary(g *DaemonGroup) []namedAccount {
	var list []namedAccount
	for _, account := range g.SupplementaryGroups {
		list = append(list, namedAccount{"supplementary-groups", account})
	}
	return list
}
