package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
	"modwsgi/module/steadyload"
)

// writeReliabilityReport writes docs/reliability.md, or the file that MODWSGI_SOAK_REPORT names.
func writeReliabilityReport(t *testing.T, p reliabilityPlan, rows []reliabilityResult, times []reliabilityTime) {
	t.Helper()
	path := os.Getenv("MODWSGI_SOAK_REPORT")
	if path == "" {
		path = filepath.Join(apachetest.RepositoryRoot(), "docs", "reliability.md")
	}
	var page strings.Builder
	fmt.Fprintf(&page, reliabilityMethod, p.clients, p.perSecond, p.changing, p.quiet, benchMachine("wrk"))
	for _, row := range rows {
		page.WriteString(row.markdown())
	}
	page.WriteString("\n## How long it takes\n\nThe longest of a few attempts.\n\n| What | Ours | Classic |\n|---|---:|---:|\n")
	for _, row := range times {
		fmt.Fprintf(&page, "| %s | %s | %s |\n", row.name, row.cell(benchOurs), row.cell(benchClassic))
	}
	if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("written: %s", path)
}

const reliabilityMethod = "# Reliability\n\n" +
	"Written by `make soak`; do not edit. What clients notice of changes to processes and configurations, with our module and with the classic one, on the same\n" +
	"machine, one after the other.\n\n" +
	"## Method\n\n" +
	"- Steady load far below what the server can do, or the numbers would say how long the queue is: %[1]d clients that send %[2]d requests per second together,\n" +
	"  evenly spaced, on connections that are kept (\"kept\") or on a new one for each request (\"one-shot\"). A client that had to wait for an answer is late with its\n" +
	"  next request, which counts from when it was due.\n" +
	"- An application that takes 0.3 s to import, as one with a framework does, and answers after 5 ms. Apache's event MPM has the sizes of Debian's package.\n" +
	"- Each row and kind of connection takes %[3]v with changes, after %[4]v without. \"p99\" is what 99 of 100 requests took at most, \"quiet\" that of the time without changes.\n" +
	"  Rows in which the options change something are compared with a server without these options.\n" +
	"- A request has failed if its answer is not 200, not whole, or not there within 30 s. \"Lost\" are those that may not fail, which is all of them; but with `kill -9` those\n" +
	"  that the application had begun with in a killed process may.\n" +
	"- The client sends a request again, once, when the server closes a connection that was kept before it answers anything, as HTTP has it; this happens at graceful restarts.\n" +
	"- \"Apache\" is the same without any WSGI module, for a page.\n" +
	"- `make soak` fails when our module loses a request, or when its p99 is more than twice the quiet one, except with `kill -9`.\n\n" +
	"## Machine\n\n%[5]s\n" +
	"## Requests while things change\n\n" +
	"| What happens | Connections | Server | Requests | Failed | Lost | p99 quiet | p99 | Longest |\n|---|---|---|---:|---:|---:|---:|---:|---:|\n"

func (r *reliabilityResult) markdown() string {
	names := map[subject]string{benchOurs: "ours", benchClassic: "classic", benchLimit: "Apache"}
	var lines strings.Builder
	for _, who := range r.row.subjects() {
		o := r.outcomes[who]
		if o == nil { // it did not even start
			fmt.Fprintf(&lines, "| %s | %s | %s | – | – | – | – | – | – |\n", r.row.name, r.connections, names[who])
			continue
		}
		fmt.Fprintf(&lines, "| %s | %s | %s | %d | %d | **%d** | %s | **%s** | %s |\n", r.row.name, r.connections, names[who], len(o.changing), len(o.failed), len(o.lost),
			shown(steadyload.Quantile(o.quiet, 0.99)), shown(steadyload.Quantile(o.changing, 0.99)), shown(steadyload.Quantile(o.changing, 1)))
	}
	return lines.String()
}

func (r *reliabilityTime) cell(who subject) string {
	if r.endless[who] {
		return fmt.Sprintf("not within %v", timeLimit)
	}
	return shown(r.took[who])
}

func shown(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
}

func checkReliabilityGoals(t *testing.T, rows []reliabilityResult, times []reliabilityTime) {
	t.Helper()
	for _, r := range rows {
		o := r.outcomes[benchOurs]
		if o == nil {
			continue // its test has failed
		}
		if len(o.lost) > 0 {
			t.Errorf("%s, %s: lost: %s", r.row.name, r.connections, describeShots(o.lost))
		}
		quiet, changing := steadyload.Quantile(o.quiet, 0.99), steadyload.Quantile(o.changing, 0.99)
		if r.row.slower > 0 && changing.Seconds() > r.row.slower*quiet.Seconds() {
			t.Errorf("%s, %s: the p99 is %v, in quiet %v; the goal is %g times as much at most", r.row.name, r.connections, ms(changing), ms(quiet), r.row.slower)
		}
	}
	for _, row := range times {
		if row.endless[benchOurs] || row.goal > 0 && row.took[benchOurs] > row.goal {
			t.Errorf("%s: %s, the goal is %v", row.name, row.cell(benchOurs), row.goal)
		}
	}
}
