package integration

import (
	"fmt"
	"regexp"
	"testing"

	"modwsgi/module/steadyload"
)

// The section of docs/reliability.md about requests while things change.

// goalMeasure is how requests are timed for the goal of a row; the page shows both measures. steadyload.SinceSent would be wrk's.
var goalMeasure steadyload.Measure = steadyload.SinceDue

const reliabilityRowsMethod = "- Steady load far below what the server can do, or the numbers would say how long the queue is: %[1]d clients that send %[2]d requests per second together,\n" +
	"  evenly spaced, on connections that are kept (\"kept\") or on a new one for each request (\"one-shot\"). A client that had to wait for an answer is late with its\n" +
	"  next request, which counts from when it was due. \"As wrk counts\" is from when it was sent, which hides such waiting.\n" +
	"- An application that takes 0.3 s to import, as one with a framework does, and answers after 5 ms. Apache's event MPM has the sizes of Debian's package.\n" +
	"- Each row and kind of connection takes %[3]v with changes, after %[4]v without; the classic module and Apache get %[5]v with changes. \"p99\" is what 99 of 100 requests\n" +
	"  took at most, \"quiet\" that of the time without changes. Rows in which the options change something are compared with a server without these options.\n" +
	"- A request has failed if its answer is not 200, not whole, or not there within %[6]v. \"Lost\" are those that may not fail, which is all of them; but with `kill -9` those\n" +
	"  that the application had begun with in a killed process may.\n" +
	"- The client sends a request again, once, when the server closes a connection that was kept before it answers anything, as HTTP has it; this happens at graceful restarts.\n" +
	"- A bad version raises at import.\n" +
	"- \"Apache\" is the same without any WSGI module, for a page.\n" +
	"- The goals: no request is lost, and the p99 is at most twice the quiet one, except with `kill -9`.\n\n"

// measureReliabilityRows takes every row over connections that are kept and over those that are not.
func measureReliabilityRows(t *testing.T, plan reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	section := reliabilitySection{title: "Requests while things change",
		method: fmt.Sprintf(reliabilityRowsMethod, plan.clients, plan.perSecond, plan.changing, plan.quiet, plan.of(benchClassic).changing, reliabilityPatience),
		columns: "| What happens | Connections | Server | Requests | Failed | Lost | p99 quiet | p99 | As wrk counts: quiet | p99 | Longest |\n" +
			"|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"}
	for i := range reliabilityRows {
		for _, kind := range []string{"kept", "one-shot"} {
			row := &reliabilityRows[i]
			if !only.MatchString(row.name + ", " + kind) {
				continue
			}
			for _, who := range row.subjects() {
				plan := plan.of(who)
				if kind == "one-shot" {
					plan.oneShot = plan.clients
				}
				t.Run(fmt.Sprintf("%s/%s/%s", row.name, kind, who), func(t *testing.T) {
					cells := []string{row.name, kind, subjectNames[who]}
					defer func() { section.add(cells...) }()
					cells = append(cells, "–", "–", "–", "–", "–", "–", "–", "–") // it did not even start
					o := plan.run(t, row, who)
					t.Log(o)
					cells = append(cells[:3], o.cells()...)
					if who == benchOurs {
						checkReliabilityGoals(t, row, o)
					}
				})
			}
		}
	}
	return section
}

func (o *reliabilityOutcome) cells() []string {
	quiet, changing := o.p99(steadyload.SinceDue)
	quietSent, changingSent := o.p99(steadyload.SinceSent)
	return []string{fmt.Sprint(len(o.changing)), fmt.Sprint(len(o.failed)), fmt.Sprintf("**%d**", len(o.lost)), shown(quiet), "**" + shown(changing) + "**",
		shown(quietSent), shown(changingSent), shown(steadyload.Quantile(o.changing, 1))}
}

func checkReliabilityGoals(t *testing.T, row *reliabilityRow, o *reliabilityOutcome) {
	t.Helper()
	if len(o.lost) > 0 {
		t.Errorf("lost: %s", describeShots(o.lost))
	}
	if quiet, changing := o.p99(goalMeasure); row.slower > 0 && changing.Seconds() > row.slower*quiet.Seconds() {
		t.Errorf("the p99 is %v, in quiet %v; the goal is %g times as much at most", ms(changing), ms(quiet), row.slower)
	}
}
