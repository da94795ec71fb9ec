package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"modwsgi/daemon"
	"modwsgi/daemon/admin"
)

func statusCommand() *cobra.Command {
	var w whom
	var asJSON, idle bool
	c := &cobra.Command{Use: "status", Short: "Show every process group, process and request that runs", GroupID: groupAdministrators, Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := w.targets()
			if err == nil && len(all) == 0 {
				err = errNothing
			}
			if err != nil {
				return &failure{err}
			}
			statuses := make([]admin.Status, len(all))
			for i, t := range all {
				statuses[i] = t.status
			}
			if asJSON {
				encoder := json.NewEncoder(c.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(statuses)
			}
			for i := range statuses {
				if err := writeStatus(c.OutOrStdout(), &statuses[i], idle); err != nil {
					return &failure{err}
				}
			}
			return nil
		}}
	w.addFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "everything that is known, as JSON")
	c.Flags().BoolVar(&idle, "idle", false, "list request threads that wait for a request, too")
	return c
}

func writeStatus(out io.Writer, s *admin.Status, idle bool) error {
	fmt.Fprintf(out, "Apache %d, configuration %d", s.Apache, s.Generation)
	if s.Replaced {
		fmt.Fprint(out, " (replaced: its last requests are being finished)")
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GROUP\tPROCESS\tTHREAD\tSTATE\tAGE\tREQUESTS\tMEMORY\tREQUEST")
	for i := range s.Groups {
		writeGroup(table, &s.Groups[i], idle)
	}
	return table.Flush()
}

func writeGroup(out io.Writer, g *admin.Group, idle bool) {
	fmt.Fprintf(out, "%s\t\t\t%s\n", g.Name, summary(g))
	for i := range g.Members {
		p := &g.Members[i]
		state, requests, memory, note := p.State, "-", "-", p.Error
		if p.Reason != "" {
			state += " (" + p.Reason + ")"
		}
		if p.Report != nil {
			requests, memory = fmt.Sprint(p.Report.Requests), fmt.Sprintf("%d MB", (p.Report.Memory+1<<19)>>20)
			note = busy(p.Report)
		}
		fmt.Fprintf(out, "\t%d\t\t%s\t%s\t%s\t%s\t%s\n", p.PID, state, age(p.Age), requests, memory, note)
		if p.Report == nil {
			continue
		}
		for _, t := range p.Report.Threads {
			if r := t.Request; r != nil {
				fmt.Fprintf(out, "\t\t%d\t%s\t%s\t%d\t\t%s %s (application group '%s')\n", t.Number, t.State, age(r.Age), t.Requests, r.Method, r.URI, r.ApplicationGroup)
			} else if idle {
				fmt.Fprintf(out, "\t\t%d\t%s\t-\t%d\t\t\n", t.Number, t.State, t.Requests)
			}
		}
	}
}

// summary is what the group as a whole does.
func summary(g *admin.Group) string {
	parts := []string{fmt.Sprintf("%d waiting", g.Waiting)}
	if g.Waiting > 0 {
		parts[0] += " for up to " + age(g.Oldest)
	}
	if g.NextStart != nil {
		parts = append(parts, "next start in "+age(*g.NextStart))
	}
	for _, reason := range slices.Sorted(maps.Keys(g.Restarts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", reason, g.Restarts[reason]))
	}
	return strings.Join(parts, ", ")
}

func busy(r *daemon.ProcessReport) string {
	n := 0
	for _, t := range r.Threads {
		if t.Request != nil {
			n++
		}
	}
	return fmt.Sprintf("%d of %d threads busy", n, len(r.Threads))
}

// age is a duration as people say it.
func age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
}
