package integration

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"modwsgi/module/steadyload"
)

// The sections of docs/reliability.md about requests while things change.

const reliabilityRowsMethod = "- %[1]d clients on connections that are kept (\"kept\") or on a new one for each request (\"one-shot\"). Each sends its next request as soon as it has an\n" +
	"  answer, as wrk does: as many as the server can serve.\n" +
	"- An application that takes 0.3 s to import, as one with a framework does, and answers after 5 ms. Apache's event MPM has the sizes of Debian's package.\n" +
	"- Each row and kind of connection takes %[2]v with changes, after %[3]v without; the classic module and Apache get %[4]v with changes. \"p99\" is what 99 of 100 requests\n" +
	"  took at most, \"quiet\" that of the time without changes. Rows in which the options change something are compared with a server without these options.\n" +
	"- A request has failed if its answer is not 200, not whole, or not there within %[5]v. \"Lost\" are those that may not fail, which is all of them; but with `kill -9` those\n" +
	"  that the application had begun with in a killed process may.\n" +
	"- The client sends a request again, once, when the server closes a connection that was kept before it answers anything, as HTTP has it; this happens at graceful restarts.\n" +
	"- A bad version raises at import.\n" +
	"- \"Apache\" is the same without any WSGI module, for a page.\n" +
	"- The goals: no request is lost, and the p99 is at most twice the quiet one, except with `kill -9`.\n\n"

const reliabilityRateMethod = "A client that waits for its answer sends nothing meanwhile, so that above a second in which everybody waits counts as few requests that waited. Here %[1]d clients send %[2]d requests\n" +
	"per second together, evenly spaced, far below what the server can do. One that had to wait for an answer is late with its next request, which counts from when it was due.\n\n" +
	"- %[3]v with changes; the classic module and Apache get %[4]v. The rest is as above.\n" +
	"- The goal: no request is lost.\n\n"

const reliabilityColumns = "| What happens | Connections | Server | Requests | Failed | Lost | p99 quiet | p99 | Longest |\n|---|---|---|---:|---:|---:|---:|---:|---:|\n"

// measureReliabilityRows takes every row with as many requests as there are answers.
func measureReliabilityRows(t *testing.T, plan reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	plan.perSecond = 0
	return measureRows(t, plan, only, reliabilitySection{title: "Requests while things change", columns: reliabilityColumns,
		method: fmt.Sprintf(reliabilityRowsMethod, plan.clients, plan.changing, plan.quiet, plan.of(benchClassic).changing, reliabilityPatience)})
}

// measureReliabilityAtARate takes them with so many per second. Rows are chosen by the same names with ", at a rate" behind them.
func measureReliabilityAtARate(t *testing.T, plan reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	plan.changing = max(plan.changing/4, time.Second)
	return measureRows(t, plan, only, reliabilitySection{title: "The same at a steady rate", columns: reliabilityColumns,
		method: fmt.Sprintf(reliabilityRateMethod, plan.clients, plan.perSecond, plan.changing, plan.of(benchClassic).changing)})
}

// measureRows takes each over connections that are kept and over those that are not.
func measureRows(t *testing.T, plan reliabilityPlan, only *regexp.Regexp, section reliabilitySection) reliabilitySection {
	t.Helper()
	for i := range reliabilityRows {
		for _, kind := range []string{"kept", "one-shot"} {
			row := &reliabilityRows[i]
			name := row.name + ", " + kind
			if plan.perSecond > 0 {
				name += ", at a rate"
			}
			if !only.MatchString(name) {
				continue
			}
			for _, who := range row.subjects() {
				plan := plan.of(who)
				if kind == "one-shot" {
					plan.oneShot = plan.clients
				}
				t.Run(name+"/"+string(who), func(t *testing.T) {
					cells := []string{row.name, kind, subjectNames[who]}
					defer func() { section.add(cells...) }()
					cells = append(cells, "–", "–", "–", "–", "–", "–") // it did not even start
					o := plan.run(t, row, who)
					t.Log(o)
					cells = append(cells[:3], o.cells()...)
					if who == benchOurs {
						plan.checkGoals(t, row, o)
					}
				})
			}
		}
	}
	return section
}

func (o *reliabilityOutcome) cells() []string {
	return []string{fmt.Sprint(len(o.changing)), fmt.Sprint(len(o.failed)), fmt.Sprintf("**%d**", len(o.lost)), shown(steadyload.Quantile(o.quiet, 0.99)),
		"**" + shown(steadyload.Quantile(o.changing, 0.99)) + "**", shown(steadyload.Quantile(o.changing, 1))}
}

func (p reliabilityPlan) checkGoals(t *testing.T, row *reliabilityRow, o *reliabilityOutcome) {
	t.Helper()
	if len(o.lost) > 0 {
		t.Errorf("lost: %s", describeShots(o.lost))
	}
	if p.perSecond > 0 {
		return
	}
	quiet, changing := steadyload.Quantile(o.quiet, 0.99), steadyload.Quantile(o.changing, 0.99)
	if row.slower > 0 && changing.Seconds() > row.slower*quiet.Seconds() {
		t.Errorf("the p99 is %v, in quiet %v; the goal is %g times as much at most", ms(changing), ms(quiet), row.slower)
	}
}
