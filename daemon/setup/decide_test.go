package setup

import (
	"errors"
	"os/user"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"modwsgi/directives"
)

// accounts are those of a machine that the tests make up.
var accounts = Accounts{
	User: func(name string) (*user.User, error) {
		for _, u := range users {
			if u.Username == name {
				return &u, nil
			}
		}
		return nil, user.UnknownUserError(name)
	},
	UserByID: func(uid string) (*user.User, error) {
		for _, u := range users {
			if u.Uid == uid {
				return &u, nil
			}
		}
		return nil, errors.New("unknown uid " + uid)
	},
	Group: func(name string) (*user.Group, error) {
		gid, ok := map[string]string{"www-data": "33", "staff": "50", "video": "44"}[name]
		if !ok {
			return nil, user.UnknownGroupError(name)
		}
		return &user.Group{Gid: gid, Name: name}, nil
	},
	GroupsFor: func(u *user.User) ([]string, error) {
		if u.Username == "broken" {
			return nil, errors.New("the directory does not answer")
		}
		return []string{u.Gid, "44", "50"}, nil
	},
}

var users = []user.User{
	{Uid: "33", Gid: "33", Username: "www-data", HomeDir: "/var/www"},
	{Uid: "1000", Gid: "1000", Username: "anna", HomeDir: "/home/anna"},
	{Uid: "1001", Gid: "1001", Username: "broken", HomeDir: "/home/broken"},
	{Uid: "1002", Gid: "1002", Username: "homeless"},
	{Uid: "0", Gid: "0", Username: "toor", HomeDir: "/root"},
}

// decide plans for `WSGIDaemonProcess test` with options, under an Apache started as root with User www-data.
func decide(t *testing.T, euid int, options string, set ...string) (*Plan, *Failure) {
	t.Helper()
	config, err := directives.Compile(&directives.Recording{
		Facts:   map[string]string{"euid": "0", "uid": "33", "gid": "33"},
		Servers: []directives.Server{{Name: "localhost"}},
		Records: []directives.Record{{Directive: directives.Find("WSGIDaemonProcess"), Args: "test " + options}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return Decide(config, config.Process.Groups[0], Surroundings{EUID: euid, Accounts: accounts,
		IsSet: func(variable string) bool { return slices.Contains(set, variable) }})
}

func planned(t *testing.T, euid int, options string, set ...string) *Plan {
	t.Helper()
	p, failure := decide(t, euid, options, set...)
	if failure != nil {
		t.Fatal(failure)
	}
	return p
}

func TestIdentity(t *testing.T) {
	for options, want := range map[string]Identity{
		"":                                {33, 33, []int{33, 44, 50}, true},
		"user=anna":                       {1000, 33, []int{33, 44, 50}, true},
		"user=#1000 group=staff":          {1000, 50, []int{50, 44}, true},
		"user=anna group=#7":              {1000, 7, []int{7, 44, 50}, true},
		"user=anna supplementary-groups=": {1000, 33, []int{33}, false},
		"group=staff supplementary-groups=video,#33,staff": {33, 50, []int{50, 44, 33}, false},
	} {
		if got := planned(t, 0, options).Identity; !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v instead of %+v", options, *got, want)
		}
	}
}

func TestIdentityStaysWhereApacheIsNotRoot(t *testing.T) {
	if p := planned(t, 33, "user=anna group=staff"); p.Identity != nil {
		t.Errorf("%+v", p.Identity)
	}
}

func TestIdentityThatCannotBe(t *testing.T) {
	for options, code := range map[string]int{
		"user=toor":                    8,
		"user=#0":                      8,
		"user=nobody-here":             6,
		"user=#4711":                   6,
		"user=broken":                  6,
		"group=nothing":                4,
		"supplementary-groups=nothing": 5,
	} {
		_, failure := decide(t, 0, options)
		if failure == nil || failure.Code != code {
			t.Errorf("%s: %v instead of code %d", options, failure, code)
		}
	}
}

func TestDirectory(t *testing.T) {
	for _, c := range []struct {
		euid    int
		options string
		want    Directory
	}{
		{0, "", Directory{}},
		{0, "home=/srv/app", Directory{"/srv/app", 9}},
		{0, "user=anna", Directory{"/home/anna", 10}},
		{0, "user=anna home=/srv/app", Directory{"/srv/app", 9}},
		{33, "", Directory{}},
		{1000, "user=www-data", Directory{"/home/anna", 10}},
	} {
		if got := planned(t, c.euid, c.options).Directory; got != c.want {
			t.Errorf("uid %d, %s: %+v instead of %+v", c.euid, c.options, got, c.want)
		}
	}
	for euid, options := range map[int]string{0: "user=homeless", 4711: ""} {
		if _, failure := decide(t, euid, options); failure == nil || failure.Code != 11 {
			t.Errorf("uid %d, %s: %v", euid, options, failure)
		}
	}
}

func TestEnvironmentNamesTheUser(t *testing.T) {
	for _, c := range []struct {
		options string
		set     []string
		want    []Variable
	}{
		{"", nil, []Variable{{"HOME", "/var/www"}}},
		{"user=anna", []string{"USER", "LOGNAME"}, []Variable{{"USER", "anna"}, {"LOGNAME", "anna"}, {"HOME", "/home/anna"}}},
		{"lang=en_GB.UTF-8 locale=de_DE.UTF-8", []string{"USERNAME"},
			[]Variable{{"LANG", "en_GB.UTF-8"}, {"LC_ALL", "de_DE.UTF-8"}, {"USERNAME", "www-data"}, {"HOME", "/var/www"}}},
	} {
		if got := planned(t, 0, c.options, c.set...).Environment; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v instead of %v", c.options, got, c.want)
		}
	}
	if got := planned(t, 4711, "home=/srv").Environment; len(got) != 0 {
		t.Errorf("of a user without an account: %v", got)
	}
}

func TestLimits(t *testing.T) {
	want := []Limit{
		{Resource: unix.RLIMIT_CPU, Soft: 60, Hard: 60 + 1 + 5, Code: 76, Option: "cpu-time-limit"},
		{Resource: unix.RLIMIT_DATA, Soft: 1 << 20, Hard: 1 << 20, OnTop: true, Code: 77, Option: "memory-limit"},
		{Resource: unix.RLIMIT_AS, Soft: 2 << 20, Hard: 2 << 20, OnTop: true, Code: 78, Option: "virtual-memory-limit"},
	}
	if got := planned(t, 0, "cpu-time-limit=60 memory-limit=1048576 virtual-memory-limit=2097152").Limits; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got := planned(t, 0, "").Limits; len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTheRest(t *testing.T) {
	p := planned(t, 0, "umask=027 cpu-priority=5 chroot=/srv/jail locale=C")
	if p.Umask != 0o27 || p.Priority != 5 || p.Chroot != "/srv/jail" || p.Locale != "C" {
		t.Errorf("%+v", p)
	}
	if p := planned(t, 0, ""); p.Umask != -1 || p.Priority != 0 || p.Chroot != "" || p.Locale != "" {
		t.Errorf("%+v", p)
	}
}

func TestUsedNowCountsBytes(t *testing.T) {
	size, err := usedNow(unix.RLIMIT_AS)
	if err != nil {
		t.Fatal(err)
	}
	data, err := usedNow(unix.RLIMIT_DATA)
	if err != nil || data < 1<<20 || size < data {
		t.Errorf("%d, %d, %v", size, data, err)
	}
}

func TestFailureSaysWhatToDo(t *testing.T) {
	_, failure := decide(t, 0, "user=toor")
	for _, part := range []string{"WSGI0008", "toor", "'test'", "user="} {
		if !strings.Contains(failure.Error(), part) {
			t.Errorf("%q is not in %q", part, failure.Error())
		}
	}
}
