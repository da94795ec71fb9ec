package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// curl asks as a real client of digest authentication does: first without credentials, then with what the challenge wants. It returns
// the statuses and the last answer's body.
func curl(t *testing.T, s *apachetest.Server, user, password, target string) string {
	t.Helper()
	command := exec.Command("curl", "--silent", "--show-error", "--digest", "--user", user+":"+password, "--max-time", "15",
		"--dump-header", "-", s.URL(target))
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v\n%s", err, output)
	}
	var statuses []string
	for _, line := range strings.Split(string(output), "\n") {
		if status, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
			statuses = append(statuses, status[:3])
		}
	}
	_, body, _ := strings.Cut(string(output), "\r\n\r\n")
	if len(statuses) == 2 {
		_, body, _ = strings.Cut(body, "\r\n\r\n")
	}
	return strings.Join(statuses, " ") + " " + body
}

func TestDigestProviderDecidesByWhatGetRealmHashReturns(t *testing.T) {
	cases := []struct{ user, password, want string }{
		{"text", "secret", "401 200 hello\n"},
		{"bytes", "secret", "401 200 hello\n"},
		{"text", "wrong", "401 401"},
		{"none", "secret", "401 401"},
		{"empty", "secret", "401 500"},
		{"empty bytes", "secret", "401 500"},
		{"number", "secret", "401 500"},
		{"true", "secret", "401 500"},
		{"wide", "secret", "401 500"},
		{"raise", "secret", "401 500"},
		{"exit", "secret", "401 500"},
		{"unheard of", "secret", "401 500"},
	}
	config := apachetest.Config{Modules: []string{"authn_core", "auth_digest", "authz_user"}, Conf: `
WSGIScriptAlias /guarded {{.Apps}}/hello.wsgi
<Location /guarded>
    AuthType Digest
    AuthName "a realm"
    AuthDigestProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Require valid-user
</Location>
`}
	inSettings(t, both(apachetest.MPMs, sizes[:1]), func(t *testing.T, in setting) {
		pair := apachetest.StartPair(t, in.of(config), listed)
		for _, c := range cases {
			ours, classic := curl(t, pair.Ours, c.user, c.password, "/guarded"), curl(t, pair.Classic, c.user, c.password, "/guarded")
			if !strings.HasPrefix(ours, c.want) {
				t.Errorf("%s: %.200q, want %q", c.user, ours, c.want)
			}
			if status := func(s string) string { return fmt.Sprintf("%.7s", s) }; status(ours) != status(classic) && c.user != "empty" && c.user != "empty bytes" {
				t.Errorf("%s: the classic module answers %.200q, ours %.200q", c.user, classic, ours)
			}
		}
	})
}
