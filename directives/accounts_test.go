package directives

import (
	"maps"
	"testing"
)

type fewAccounts struct{}

func (fewAccounts) userID(nameOrID string, byID bool) (string, bool) {
	id, ok := map[string]string{"alice": "1001", "1001": "1001", "root": "0"}[nameOrID]
	return id, ok
}

func (fewAccounts) groupID(name string) (string, bool) {
	id, ok := map[string]string{"staff": "50"}[name]
	return id, ok
}

func TestAccountsOfAGroupAreFoundOutOnce(t *testing.T) {
	r := record(t, `WSGIDaemonProcess a user=alice script-user=#1001
WSGIDaemonProcess b script-group=staff
WSGIDaemonProcess c script-group=#77
WSGIDaemonProcess d`)
	r.Facts["euid"], r.Facts["uid"] = "0", "33"
	c := &checker{builder: build(r), warnings: newTally()}
	facts := c.checkAccounts(fewAccounts{})
	if len(c.problems) > 0 {
		t.Fatalf("problems %v", c.problems)
	}
	maps.Copy(r.Facts, facts) // as the parent does before the start
	config, err := Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	const none = NobodyID
	for i, want := range []GroupAccounts{{1001, 1001, none}, {33, none, 50}, {33, none, 77}, {33, none, none}} {
		if got := config.GroupAccounts(i); got != want {
			t.Errorf("group %d: %+v, want %+v", i, got, want)
		}
	}
	r.Facts["euid"] = "1234"
	if got := config.GroupAccounts(0).User; got != 1234 {
		t.Errorf("without root's rights: user %d", got)
	}
}

func TestUnknownAccountsAreRefused(t *testing.T) {
	r := record(t, "WSGIDaemonProcess a user=bob\nWSGIDaemonProcess b group=gang\nWSGIDaemonProcess c user=root")
	c := &checker{builder: build(r), warnings: newTally()}
	c.checkAccounts(fewAccounts{})
	if len(c.problems) != 3 {
		t.Errorf("problems %v", c.problems)
	}
}
