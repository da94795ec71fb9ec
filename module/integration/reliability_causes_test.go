package integration

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// The section of docs/reliability.md about failures. Ours are tested thoroughly in daemon_causes_test.go, which has more of them.

// A comparedCause can happen with both modules.
type comparedCause struct {
	cause
	conf   string
	closed bool // the folder var/closed is root's alone
	dead   bool // no request is ever served
}

// comparedCauses are a few of the causes, and some by which a group has no process.
func comparedCauses() []comparedCause {
	var list []comparedCause
	for _, name := range []string{"SIGSEGV", "SIGKILL from outside", "request-timeout", "deadlock-timeout", "import error", "wrong virtual environment"} {
		i := slices.IndexFunc(causes, func(c cause) bool { return c.name == name })
		list = append(list, comparedCause{cause: causes[i], dead: name == "wrong virtual environment"})
	}
	list = append(list, comparedCause{cause: cause{name: "a crash while the script is loaded", options: "connect-timeout=1", target: "/pid", status: 503, code: "0116"}, dead: true,
		conf: "WSGIImportScript {{.Root}}/crash.wsgi process-group=test application-group=%{GLOBAL}\n"})
	if os.Getuid() == 0 { // otherwise Apache's children own what its parent makes: nothing can be closed to them
		list = append(list, comparedCause{cause: cause{name: "a folder for sockets that Apache's children may not enter", target: "/pid", status: 503, code: "0117"}, dead: true,
			conf: "WSGISocketPrefix {{.Root}}/var/closed/wsgi\n", closed: true})
	}
	return list
}

// A causeOutcome is what became of the request that failed.
type causeOutcome struct {
	status int // 0: there was no answer
	took   time.Duration
	line   string // the first of the request's virtual host's log
}

// happen has the failure befall a request.
func (c *comparedCause) happen(t *testing.T, who subject) causeOutcome {
	t.Helper()
	config := compared(who, causesConfig("processes=1 threads=1 "+c.options, apachetest.Config{Conf: c.conf}))
	if who == benchClassic {
		config.Data = config.Data.(string) + nameOfClassicProcesses
	}
	s := apachetest.Start(t, config)
	if c.closed {
		closeFolder(t, s.Root+"/var/closed")
	}
	if !c.dead {
		apachetest.Eventually(t, 20*time.Second, "the group answers", func() bool { return s.Do(t, host("two.test", "/pid")).Status == 200 })
	}
	const patience = 40 * time.Second
	client := s.Dial(t)
	client.SetWait(patience)
	began := time.Now()
	client.Send("GET " + c.target + " HTTP/1.1\r\nHost: one.test\r\n\r\n")
	if c.signal != 0 {
		victim := groupProcesses(s)[0]
		waitInside(t, s, victim)
		began = time.Now()
		if err := syscall.Kill(victim, c.signal); err != nil {
			t.Fatal(err)
		}
	}
	r := client.Read("GET")
	o := causeOutcome{status: r.Status, took: time.Since(began)}
	log := s.MarkStart("one.log")
	if who == benchOurs {
		log.Wait(t, "WSGI"+c.code)
	}
	for line := range strings.Lines(log.Since()) {
		o.line = strings.ReplaceAll(apachetest.LogMessage(strings.TrimSpace(line)), s.Root, "")
		break
	}
	return o
}

const causesMethod = "- What the client of a request gets when this befalls it, how long after, and the first line about it in the error log of its virtual host, of whose messages\n" +
	"  the beginning is shown. The limits are a second each.\n" +
	"- The goal of each kind is a status and a code; [codes](codes.md) explains them.\n\n"

func measureReliabilityCauses(t *testing.T, _ reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	section := reliabilitySection{title: "What failures look like", method: causesMethod,
		columns: "| What happens | Server | Status | After | In the log of its virtual host |\n|---|---|---:|---:|---|\n"}
	for _, c := range comparedCauses() {
		for _, who := range bothModules {
			if name := "failure, " + c.name; only.MatchString(name) {
				t.Run(name+"/"+string(who), func(t *testing.T) {
					o := c.happen(t, who)
					t.Logf("%+v", o)
					section.add(c.name, subjectNames[who], fmt.Sprintf("**%s**", o.statusText()), shown(o.took), o.lineText())
					if who == benchOurs && (o.status != c.status || !strings.Contains(o.line, "WSGI"+c.code)) {
						t.Errorf("the status should be %d, the code %s: %+v", c.status, c.code, o)
					}
				})
			}
		}
	}
	return section
}

func (o causeOutcome) statusText() string {
	if o.status == 0 {
		return "no answer"
	}
	return fmt.Sprint(o.status)
}

// lineText is short enough for a table.
func (o causeOutcome) lineText() string {
	const most = 260
	text := []rune(strings.ReplaceAll(strings.ReplaceAll(o.line, "|", "/"), "`", "'"))
	switch {
	case len(text) == 0:
		return "nothing"
	case len(text) > most:
		return "`" + string(text[:most]) + " …`"
	}
	return "`" + string(text) + "`"
}
