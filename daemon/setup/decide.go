package setup

import (
	"os/user"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/directives"
)

// A Plan is all that is to be done to a process before Python starts in it.
type Plan struct {
	Group       string
	Priority    int       // of setpriority(2), 0: none
	Chroot      string    // "": none
	Identity    *Identity // nil: it stays what it is
	Directory   Directory
	Umask       int // -1: inherited
	Limits      []Limit
	Environment []Variable
	Locale      string // "": the environment's
	Dumpable    bool   // it may dump core although it has changed its user: CoreDumpDirectory is set
}

// A Directory is where a process works.
type Directory struct {
	Path string // "": where it is
	Code int    // of the failure to go there
}

// A Variable of the environment.
type Variable struct{ Name, Value string }

// A Limit is one of setrlimit(2).
type Limit struct {
	Resource   int
	Soft, Hard uint64
	// OnTop adds what the process uses of it already. Go reserves address space that it never uses, and its heap counts as data: a limit
	// that was right for another program would be used up by that.
	OnTop  bool
	Code   int // of the warning if it can't be set
	Option string
}

// Surroundings are what Decide depends on besides the configuration.
type Surroundings struct {
	EUID     int
	Accounts Accounts
	IsSet    func(variable string) bool
}

// Decide finds out what makes a process one of the group.
func Decide(c *directives.Config, g *directives.DaemonGroup, s Surroundings) (*Plan, *Failure) {
	p := &Plan{Group: g.Name, Priority: g.CPUPriority, Chroot: g.Chroot, Umask: g.Umask, Limits: limits(g), Locale: g.Locale,
		Dumpable: c.Facts["core_dump_directory"] != ""}
	effective := strconv.Itoa(s.EUID)
	var account *user.User
	if s.EUID == 0 {
		var failure *Failure
		if p.Identity, account, failure = decideIdentity(g, c.Facts, s.Accounts); failure != nil {
			return nil, failure
		}
		effective = account.Uid
	} else {
		account, _ = s.Accounts.UserByID(effective) // without an entry there is no home, which need not matter
	}
	var failure *Failure
	if p.Directory, failure = directory(g, effective, c.Facts["uid"], account); failure != nil {
		return nil, failure
	}
	p.Environment = environment(g, account, s.IsSet)
	return p, nil
}

// directory is the option's, or the home of a user who is not Apache's.
func directory(g *directives.DaemonGroup, effective, apaches string, account *user.User) (Directory, *Failure) {
	switch {
	case g.Home != "":
		return Directory{g.Home, 9}, nil
	case effective == apaches:
		return Directory{}, nil
	case account == nil || account.HomeDir == "":
		return Directory{}, &Failure{11, "find a working directory for uid " + effective, "it has no home in the system's accounts; write home= for group '" + g.Name + "'"}
	}
	return Directory{account.HomeDir, 10}, nil
}

func environment(g *directives.DaemonGroup, account *user.User, isSet func(string) bool) []Variable {
	var variables []Variable
	if g.Lang != "" {
		variables = append(variables, Variable{"LANG", g.Lang})
	}
	if g.Locale != "" {
		variables = append(variables, Variable{"LC_ALL", g.Locale})
	}
	if account == nil {
		return variables
	}
	for _, name := range []string{"USER", "USERNAME", "LOGNAME"} {
		if isSet(name) {
			variables = append(variables, Variable{name, account.Username})
		}
	}
	return append(variables, Variable{"HOME", account.HomeDir})
}

func limits(g *directives.DaemonGroup) []Limit {
	var list []Limit
	if g.CPUTimeLimit > 0 {
		soft := uint64(g.CPUTimeLimit / time.Second)
		list = append(list, Limit{Resource: unix.RLIMIT_CPU, Soft: soft, Hard: soft + 1 + uint64(g.ShutdownTimeout/time.Second), Code: 76, Option: "cpu-time-limit"})
	}
	if n := uint64(g.MemoryLimit); n > 0 {
		list = append(list, Limit{Resource: unix.RLIMIT_DATA, Soft: n, Hard: n, OnTop: true, Code: 77, Option: "memory-limit"})
	}
	if n := uint64(g.VirtualMemoryLimit); n > 0 {
		list = append(list, Limit{Resource: unix.RLIMIT_AS, Soft: n, Hard: n, OnTop: true, Code: 78, Option: "virtual-memory-limit"})
	}
	return list
}
