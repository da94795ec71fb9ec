package directives

import (
	"os/user"
	"strconv"
	"strings"
)

// accounts looks users and groups up. Only Check needs it: a child of Apache's may have changed its root directory.
type accounts interface {
	// userID returns the number of a user given by name or number, false if there is none.
	userID(nameOrID string, byID bool) (string, bool)
	groupID(name string) (string, bool)
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

func (systemAccounts) groupID(name string) (string, bool) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", false
	}
	return g.Gid, true
}

// A directory is accounts that are looked up once.
type directory struct {
	accounts
	users, groups map[Account]string // "": there is none
}

// userID is "" for an account that does not exist, or was not given.
func (d *directory) userID(account Account) string {
	if account == "" {
		return ""
	}
	if _, seen := d.users[account]; !seen {
		id, byID := strings.CutPrefix(string(account), "#")
		d.users[account], _ = d.accounts.userID(id, byID)
	}
	return d.users[account]
}

// groupID is "" for a name that does not exist. A number needs no name.
func (d *directory) groupID(account Account) string {
	if id, byID := strings.CutPrefix(string(account), "#"); byID {
		return id
	}
	if account == "" {
		return ""
	}
	if _, seen := d.groups[account]; !seen {
		d.groups[account], _ = d.accounts.groupID(string(account))
	}
	return d.groups[account]
}

// checkAccounts looks up the users and groups of every daemon group, and returns as facts what Config.GroupAccounts reads.
func (c *checker) checkAccounts(known accounts) map[string]string {
	d := &directory{known, map[Account]string{}, map[Account]string{}}
	facts := map[string]string{}
	for i, g := range c.config.Process.Groups {
		for _, o := range []namedAccount{{"user", g.User}, {"socket-user", g.SocketUser}, {"script-user", g.ScriptUser}} {
			if o.account == "" {
				continue
			}
			switch id := d.userID(o.account); {
			case id == "":
				c.report(g.place, Error, 0, "option '%s': there is no user %q on this system", o.name, o.account)
			case id == "0" && o.name == "user":
				c.report(g.place, Error, 0, "option 'user': %q is root, and daemon processes never run as root", o.account)
			}
		}
		for _, o := range append([]namedAccount{{"group", g.Group}, {"script-group", g.ScriptGroup}}, supplementary(g)...) {
			if o.account != "" && d.groupID(o.account) == "" {
				c.report(g.place, Error, 0, "option '%s': there is no group %q on this system", o.name, o.account)
			}
		}
		if euid := c.config.Facts["euid"]; euid != "" && euid != "0" && (g.User != "" || g.Group != "" || g.SupplementaryGroups != nil) {
			c.warnings.add(g.place, 0, "the options 'user', 'group' and 'supplementary-groups' count only when Apache is started as root")
		}
		for key, id := range map[string]string{factUser: d.userID(g.User), factScriptUser: d.userID(g.ScriptUser), factScriptGroup: d.groupID(g.ScriptGroup)} {
			if id != "" {
				facts[groupFact(i, key)] = id
			}
		}
	}
	return facts
}

const (
	factUser        = "uid"
	factScriptUser  = "script_uid"
	factScriptGroup = "script_gid"
)

func groupFact(group int, key string) string { return "group." + strconv.Itoa(group) + "." + key }

// GroupAccounts are the numbers behind the names of a process group's options.
type GroupAccounts struct {
	User        uint32 // of the processes
	ScriptUser  uint32 // meaningful with the option script-user
	ScriptGroup uint32 // meaningful with the option script-group
}

// NobodyID is the number of an account that is not known: no process and no file belongs to it.
const NobodyID = 1<<32 - 1

// GroupAccounts of Process.Groups[group]. Without root's rights the processes run as the user that Apache runs as.
func (c *Config) GroupAccounts(group int) GroupAccounts {
	id := func(key string) uint32 {
		n, err := strconv.ParseUint(c.Facts[key], 10, 32)
		if err != nil {
			return NobodyID
		}
		return uint32(n)
	}
	user := groupFact(group, factUser)
	switch {
	case c.Facts["euid"] != "0":
		user = "euid"
	case c.Process.Groups[group].User == "":
		user = "uid" // the directive User
	}
	return GroupAccounts{User: id(user), ScriptUser: id(groupFact(group, factScriptUser)), ScriptGroup: id(groupFact(group, factScriptGroup))}
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
