package apachetest

import "testing"

const exampleTable = `
| id | subject | cases | classic | ours | reason |
|----|---------|-------|---------|------|--------|
| D1 | ` + "`environ:PATH*`" + ` | * | present | ` + "`absent`" + ` | removed in 6.0 |
| D3 | reason | daemon:gateway/* | a | b | why |
| D2 | status | gateway/odd, mount/* | ` + "`500`" + ` | anything | why \| because |
`

func TestListedDifferencesAreAllowedOnlyWhereTheyAreListed(t *testing.T) {
	d, err := parseDifferences(exampleTable, "4.9.4")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		found    Found
		caseName string
		want     bool
	}{
		{Found{"environ:PATH", "str /bin", "absent"}, "any/case", true},
		{Found{"environ:PATH", "str /bin", "str /usr/bin"}, "any/case", false},
		{Found{"status", "500", "200"}, "gateway/odd", true},
		{Found{"status", "500", "200"}, "mount/at/root", true},
		{Found{"status", "404", "200"}, "gateway/odd", false},
		{Found{"status", "500", "200"}, "gateway/even", false},
		{Found{"body", "a", "b"}, "gateway/odd", false},
		{Found{"reason", "a", "b"}, "embedded:gateway/odd", false},
		{Found{"reason", "a", "b"}, "daemon:gateway/odd", true},
		{Found{"reason", "a", "b"}, "daemon:mount/odd", false},
		{Found{"status", "500", "200"}, "daemon:gateway/odd", true},
		{Found{"status", "500", "200"}, "embedded:mount/odd", true},
	} {
		if got := d.Allows(c.found, c.caseName); got != c.want {
			t.Errorf("%v in %s: %v", c.found, c.caseName, got)
		}
	}
	if unused := d.Unused(); len(unused) != 0 {
		t.Errorf("said to be unused: %v", unused)
	}
}

func TestRowsOfAnotherReleaseAreLeftOut(t *testing.T) {
	const table = "| D1 | status | * | 4.9.4: `500` | `200` | why |\n| D2 | body | * | 4.9.4 | ours | why |"
	for release, want := range map[string]bool{"4.9.4": true, "5.0.2": false} {
		d, err := parseDifferences(table, release)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Allows(Found{"status", "500", "200"}, "any/case"); got != want {
			t.Errorf("%s: allowed %v", release, got)
		}
		if d.Allows(Found{"status", "404", "200"}, "any/case") || !d.Allows(Found{"body", "a", "b"}, "any/case") {
			t.Errorf("%s: the release is taken for a value", release)
		}
		if unused := d.Unused(); len(unused) != 0 {
			t.Errorf("%s: said to be unused: %v", release, unused)
		}
	}
}

func TestDamagedTableOfDifferencesIsRefused(t *testing.T) {
	for _, text := range []string{
		"| D1 | status | * | a | b |",
		"| D1 | status | * | a | b |  |",
		"| D1 | status | * | a | b | c |\n| D1 | body | * | a | b | c |",
	} {
		if _, err := parseDifferences(text, "4.9.4"); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}
