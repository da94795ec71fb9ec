package setup

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"modwsgi/directives"
)

// An Identity is whom a process runs as.
type Identity struct {
	UID, GID int
	Groups   []int // supplementary
	asUser   bool  // Groups are the user's, not those of the option
}

// Accounts look users and groups up. The zero value of os/user's results never means anything.
type Accounts struct {
	User      func(name string) (*user.User, error)
	UserByID  func(uid string) (*user.User, error)
	Group     func(name string) (*user.Group, error)
	GroupsFor func(u *user.User) ([]string, error) // with u.Gid as the primary group
}

// SystemAccounts are those of this machine.
var SystemAccounts = Accounts{
	User: user.Lookup, UserByID: user.LookupId, Group: user.LookupGroup,
	GroupsFor: func(u *user.User) ([]string, error) { return u.GroupIds() },
}

// decideIdentity finds whom a process of the group runs as; facts have the ids that Apache's children run with. Never root.
func decideIdentity(g *directives.DaemonGroup, facts map[string]string, known Accounts) (*Identity, *user.User, *Failure) {
	u, failure := findUser(g, facts, known)
	if failure != nil {
		return nil, nil, failure
	}
	id := &Identity{}
	var err error
	if id.UID, err = strconv.Atoi(u.Uid); err != nil || id.UID == 0 {
		return nil, nil, &Failure{8, "run as user " + u.Username, fmt.Sprintf("uid %s; processes never run as root, set User or user= of group '%s'", u.Uid, g.Name)}
	}
	if id.GID, failure = findGroup(g, facts, known); failure != nil {
		return nil, nil, failure
	}
	if g.SupplementaryGroups != nil {
		id.Groups, failure = listedGroups(g, id.GID, known)
	} else {
		id.asUser = true
		id.Groups, failure = groupsOf(u, id.GID, known)
	}
	return id, u, failure
}

func findUser(g *directives.DaemonGroup, facts map[string]string, known Accounts) (*user.User, *Failure) {
	id, byID := strings.CutPrefix(string(g.User), "#")
	if g.User == "" {
		id, byID = facts["uid"], true
	}
	look := known.User
	if byID {
		look = known.UserByID
	}
	u, err := look(id)
	if err != nil {
		what := "user " + strconv.Quote(id)
		if byID {
			what = "uid " + id
		}
		return nil, &Failure{6, "find the groups of " + what, fmt.Sprintf("%v; the user of group '%s' must have an entry in the system's accounts", err, g.Name)}
	}
	return u, nil
}

func findGroup(g *directives.DaemonGroup, facts map[string]string, known Accounts) (int, *Failure) {
	if g.Group == "" {
		gid, err := strconv.Atoi(facts["gid"])
		if err != nil {
			return 0, &Failure{4, "set the group", fmt.Sprintf("what Apache says of its Group is %q", facts["gid"])}
		}
		return gid, nil
	}
	gid, err := groupID(g.Group, known)
	if err != nil {
		return 0, &Failure{4, "set the group " + string(g.Group), err.Error()}
	}
	return gid, nil
}

func groupID(account directives.Account, known Accounts) (int, error) {
	id, byID := strings.CutPrefix(string(account), "#")
	if !byID {
		group, err := known.Group(id)
		if err != nil {
			return 0, err
		}
		id = group.Gid
	}
	return strconv.Atoi(id)
}

// listedGroups are the primary group and those of supplementary-groups, and no others.
func listedGroups(g *directives.DaemonGroup, gid int, known Accounts) ([]int, *Failure) {
	ids := []int{gid}
	for _, account := range g.SupplementaryGroups {
		id, err := groupID(account, known)
		if err != nil {
			return nil, &Failure{5, "set the supplementary group " + string(account), err.Error()}
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// groupsOf is what initgroups(3) would set.
func groupsOf(u *user.User, gid int, known Accounts) ([]int, *Failure) {
	as := *u
	as.Gid = strconv.Itoa(gid)
	names, err := known.GroupsFor(&as)
	if err != nil {
		return nil, &Failure{6, "find the groups of user " + u.Username, err.Error()}
	}
	ids := []int{gid}
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
