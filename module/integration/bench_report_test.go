package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (r *benchRow) rates(who subject) []float64 {
	var rates []float64
	for _, s := range r.samples[who] {
		rates = append(rates, s.perSecond)
	}
	return rates
}

func (r *benchRow) p99(who subject) time.Duration {
	var all []time.Duration
	for _, s := range r.samples[who] {
		all = append(all, s.p99)
	}
	return median(all)
}

// ratio is that of the medians.
func (r *benchRow) ratio() float64 { return median(r.rates(benchOurs)) / median(r.rates(benchClassic)) }

// ratioRange are the lowest and the highest ratio of a single round.
func (r *benchRow) ratioRange() (low, high float64) {
	ours, classic := r.rates(benchOurs), r.rates(benchClassic)
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / classic[i]
	}
	return slices.Min(ratios), slices.Max(ratios)
}

// spread is the distance between the best and the worst round, in percent of the median.
func (r *benchRow) spread(who subject) float64 {
	rates := r.rates(who)
	return 100 * (slices.Max(rates) - slices.Min(rates)) / median(rates)
}

func (r *benchRow) summary() string {
	low, high := r.ratioRange()
	return fmt.Sprintf("%s (%s): ours %.0f/s, classic %.0f/s, ratio %.2f (%.2f to %.2f)",
		r.name, r.in, median(r.rates(benchOurs)), median(r.rates(benchClassic)), r.ratio(), low, high)
}

func (r *benchRow) markdown() string {
	low, high := r.ratioRange()
	limit := "–"
	if r.limit {
		limit = fmt.Sprintf("%.0f", median(r.rates(benchLimit)))
	}
	return fmt.Sprintf("| %s | %s | %.0f | %.0f | **%.2f** | %.2f – %.2f | %.1f ms | %.1f ms | ±%.0f %% / ±%.0f %% | %s |\n",
		r.name, r.in, median(r.rates(benchOurs)), median(r.rates(benchClassic)), r.ratio(), low, high,
		r.p99(benchOurs).Seconds()*1e3, r.p99(benchClassic).Seconds()*1e3, r.spread(benchOurs)/2, r.spread(benchClassic)/2, limit)
}

// writeBenchReport writes docs/performance.md, or the file that MODWSGI_BENCH_REPORT names.
func writeBenchReport(t *testing.T, p benchPlan, rows []benchRow) {
	t.Helper()
	path := os.Getenv("MODWSGI_BENCH_REPORT")
	if path == "" {
		path = filepath.Join(apachetest.RepositoryRoot(), "docs", "performance.md")
	}
	var page strings.Builder
	fmt.Fprintf(&page, `# Performance

Written by %[1]smake bench%[1]s; do not edit. How our module and the classic one compare on the same machine, in the same minutes.

## Method

- Both modules, each in an Apache of its own with the same configuration: one child with 24 threads (event, worker) or 20
  children (prefork), keep-alive, no access log, the main interpreter, sendfile allowed. Where options of WSGIDaemonProcess are beside
  the MPM, the application runs in that process group, otherwise embedded.
- %[2]d rounds of %[3]v per row and module after a warm-up; in each round both are measured one after the other, and who goes first changes. All
  numbers are medians of the rounds. "Rounds" is the lowest and highest ratio of a single round, "spread" half the distance between
  the best and the worst round.
- wrk with one thread on the same machine, so it takes its share of the processors: compare columns, not absolute numbers. The row of
  the 10 MB file from a process group has a client that lets the kernel drop the body unread: wrk's copying takes more of two processors than all
  of the sending.
- "C handler" is the same answer from a bare handler in C, without Python: the limit on this machine.
- %[1]smake bench%[1]s fails when a request fails, when hello world with 16 connections under event is below 1.5 times the classic module, the
  10 MB file of a process group below 2 times, or any row below 1.0.

## Machine

%[4]s
## Requests per second

| Row | Where | Ours | Classic | Ratio | Rounds | p99 ours | p99 classic | Spread ours / classic | C handler |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
`, "`", p.rounds, p.length, benchMachine(p.wrk))
	for i := range rows {
		page.WriteString(rows[i].markdown())
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("written: %s", path)
}

// benchMachine is a list of what the numbers depend on.
func benchMachine(wrk string) string {
	firstLine := func(name string, arguments ...string) string {
		output, _ := exec.Command(name, arguments...).CombinedOutput() // wrk -v exits with 1
		line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
		return line
	}
	field := func(path, key string) string {
		text, _ := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	var list strings.Builder
	for _, line := range [][2]string{
		{"Processor", fmt.Sprintf("%s, %d in use", field("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{"Memory", field("/proc/meminfo", "MemTotal")},
		{"Kernel", firstLine("uname", "-sr")},
		{"Apache", firstLine("/usr/sbin/apache2", "-v")},
		{"Python", firstLine("/usr/bin/python3", "--version")},
		{"Go", runtime.Version()},
		{"Classic module", firstLine("dpkg-query", "--show", "--showformat", "${Version}", "libapache2-mod-wsgi-py3")},
		{"Load", firstLine(wrk, "-v")},
	} {
		fmt.Fprintf(&list, "- %s: %s\n", line[0], line[1])
	}
	return list.String()
}
