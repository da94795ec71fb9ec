package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// TestBench is `make bench`: our module and the classic one in turn, round by round in one run, so that whatever else
// the machine does meanwhile hits both. It writes docs/performance.md and fails when a goal is missed.
func TestBench(t *testing.T) {
	if os.Getenv("MODWSGI_BENCH") == "" {
		t.Log("measuring is for `make bench`: it wants the machine for itself")
		return
	}
	plan := benchPlan{
		rounds: benchNumber(t, "MODWSGI_BENCH_ROUNDS", 4),
		length: time.Duration(benchNumber(t, "MODWSGI_BENCH_SECONDS", 3)) * time.Second,
	}
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Fatal("wrk is missing: install the package wrk")
	}
	plan.wrk = wrk
	servers := startBenchServers(t)
	only := regexp.MustCompile(os.Getenv("MODWSGI_BENCH_ROW")) // a few rows of interest, without a report
	for i := range benchRows {
		row := &benchRows[i]
		if !only.MatchString(row.name + " " + row.in.String()) {
			continue
		}
		for round := range plan.rounds {
			plan.measureRow(t, servers, row, round)
		}
		t.Log(row.summary())
	}
	if only.String() != "" {
		return
	}
	writeBenchReport(t, plan, benchRows)
	checkBenchGoals(t, benchRows)
}

func benchNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no positive number", name, text)
	}
	return n
}

type benchPlan struct {
	wrk    string
	rounds int
	length time.Duration
}

// subject is what is measured: a module, or the limit that no module can pass.
type subject string

const (
	benchOurs    subject = "ours"
	benchClassic subject = "classic"
	benchLimit   subject = "limit"
)

type benchRow struct {
	name        string
	in          setting
	path        string
	script      string // wrk's, from testdata/bench
	connections int
	discard     bool    // by a client that does not copy the body
	limit       bool    // a bare C handler can do the same
	goal        float64 // the ratio to the classic module below which `make bench` fails
	samples     map[subject][]benchSample
}

type benchSample struct {
	perSecond float64
	p99       time.Duration
}

// The process groups that are measured: one process with more threads than connections, and one process for each processor.
var (
	benchGroup   = setting{apachetest.Event, "processes=1 threads=24"}
	benchGroups  = setting{apachetest.Event, "processes=2 threads=15"}
	benchPrefork = setting{apachetest.Prefork, "processes=1 threads=24"}
)

var benchRows = []benchRow{
	{name: "hello world, 1 connection", in: setting{mpm: apachetest.Event}, path: "/hello", connections: 1, limit: true, goal: 1},
	{name: "hello world, 16 connections", in: setting{mpm: apachetest.Event}, path: "/hello", connections: 16, limit: true, goal: 1.5},
	{name: "100 KB body", in: setting{mpm: apachetest.Event}, path: "/body", connections: 16, limit: true, goal: 1},
	{name: "1 MB in 16 blocks of a generator", in: setting{mpm: apachetest.Event}, path: "/chunks", connections: 16, goal: 1},
	{name: "1 MB POST", in: setting{mpm: apachetest.Event}, path: "/post", script: "post.lua", connections: 16, goal: 1},
	{name: "10 MB file by wsgi.file_wrapper", in: setting{mpm: apachetest.Event}, path: "/file", connections: 16, goal: 1},
	{name: "30 request and 30 response headers", in: setting{mpm: apachetest.Event}, path: "/headers", script: "headers.lua", connections: 16, goal: 1},
	{name: "Flask", in: setting{mpm: apachetest.Event}, path: "/flask/", connections: 16, goal: 1},
	{name: "hello world, 16 connections", in: setting{mpm: apachetest.Worker}, path: "/hello", connections: 16, limit: true, goal: 1},
	{name: "hello world, 16 connections", in: setting{mpm: apachetest.Prefork}, path: "/hello", connections: 16, limit: true, goal: 1},
	{name: "hello world, 1 connection", in: benchGroup, path: "/hello", connections: 1, goal: 1},
	{name: "hello world, 16 connections", in: benchGroup, path: "/hello", connections: 16, goal: 1.5},
	{name: "100 KB body", in: benchGroup, path: "/body", connections: 16, goal: 1},
	{name: "1 MB in 16 blocks of a generator", in: benchGroup, path: "/chunks", connections: 16, goal: 1},
	{name: "1 MB POST", in: benchGroup, path: "/post", script: "post.lua", connections: 16, goal: 1},
	{name: "10 MB file by wsgi.file_wrapper", in: benchGroup, path: "/file", connections: 16, discard: true, goal: 2},
	{name: "30 request and 30 response headers", in: benchGroup, path: "/headers", script: "headers.lua", connections: 16, goal: 1},
	{name: "Flask", in: benchGroup, path: "/flask/", connections: 16, goal: 1},
	{name: "hello world, 16 connections", in: benchGroups, path: "/hello", connections: 16, goal: 1.5},
	{name: "Flask", in: benchGroups, path: "/flask/", connections: 16, goal: 1},
	{name: "hello world, 16 connections", in: benchPrefork, path: "/hello", connections: 16, goal: 1},
}

// One child with more threads than connections; under prefork as many children as connections.
const (
	threadedTuning = "StartServers 1\nServerLimit 1\nThreadsPerChild 24\nThreadLimit 24\nMaxRequestWorkers 24\nMinSpareThreads 1\nMaxSpareThreads 24\n"
	preforkTuning  = "StartServers 20\nMinSpareServers 1\nMaxSpareServers 20\nServerLimit 20\nMaxRequestWorkers 20\n"
)

// A connection that wrk keeps waiting must not be closed for it.
const benchConf = `MaxKeepAliveRequests 0
KeepAliveTimeout 60
EnableSendfile On
{{if .Data}}LoadModule limit_module {{.Data}}
{{else}}WSGIApplicationGroup %{GLOBAL}
WSGIEnableSendfile On
WSGIScriptAlias /flask {{.Root}}/flaskapp.wsgi
WSGIScriptAlias / {{.Root}}/apps.wsgi
{{end}}`

type benchServers map[setting]map[subject]*apachetest.Server

// startBenchServers starts all servers at once: an idle Apache takes no time from the one that is measured.
func startBenchServers(t *testing.T) benchServers {
	t.Helper()
	folder := filepath.Join(apachetest.RepositoryRoot(), "testdata", "bench")
	apps, err := os.ReadFile(filepath.Join(folder, "apps.wsgi"))
	if err != nil {
		t.Fatal(err)
	}
	files := realFiles(t, "flaskapp.wsgi")
	files["apps.wsgi"] = string(apps)
	files["ten-megabytes"] = string(bytes.Repeat([]byte("0123456789"), 1<<20))
	limit := buildLimitModule(t, filepath.Join(folder, "limit.c"))

	servers := benchServers{}
	for _, in := range append(embedded(apachetest.MPMs...), benchGroup, benchGroups, benchPrefork) {
		tuning := threadedTuning
		if in.mpm == apachetest.Prefork {
			tuning = preforkTuning
		}
		start := func(m apachetest.Module, data any) *apachetest.Server {
			return apachetest.Start(t, in.of(apachetest.Config{Module: m, Tuning: tuning, Conf: benchConf, Files: files, Data: data}))
		}
		servers[in] = map[subject]*apachetest.Server{benchOurs: start(apachetest.Ours(), nil), benchClassic: start(apachetest.Classic(), nil)}
		if in.options == "" {
			servers[in][benchLimit] = start(apachetest.NoModule(), limit)
		}
	}
	return servers
}

func buildLimitModule(t *testing.T, source string) string {
	t.Helper()
	folder := t.TempDir()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "limit.c"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	apxs := exec.Command("apxs", "-c", "limit.c")
	apxs.Dir = folder
	if output, err := apxs.CombinedOutput(); err != nil {
		t.Fatalf("apxs cannot build the C handler: %v\n%s", err, output)
	}
	return filepath.Join(folder, ".libs", "limit.so")
}

// measureRow takes one sample of each subject. Who goes first changes from round to round.
func (p benchPlan) measureRow(t *testing.T, servers benchServers, row *benchRow, round int) {
	t.Helper()
	if row.samples == nil {
		row.samples = map[subject][]benchSample{}
	}
	subjects := []subject{benchOurs, benchClassic}
	if round%2 == 1 {
		subjects = []subject{benchClassic, benchOurs}
	}
	if row.limit {
		subjects = append(subjects, benchLimit)
	}
	for _, who := range subjects {
		server := servers[row.in][who]
		if round == 0 {
			p.run(t, server, row, time.Second) // scripts are loaded, caches are warm
		}
		row.samples[who] = append(row.samples[who], p.run(t, server, row, p.length))
	}
}

var (
	wrkRate = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkP99  = regexp.MustCompile(`\s99%\s+([0-9.]+)(us|ms|s|m)`)
	// A row in which requests fail would measure how fast errors are.
	wrkTrouble = regexp.MustCompile(`(?m)^.*(?:Non-2xx|Socket errors).*$`)
)

func (p benchPlan) run(t *testing.T, server *apachetest.Server, row *benchRow, length time.Duration) benchSample {
	t.Helper()
	if row.discard {
		return runDiscarding(t, server, row, length)
	}
	arguments := []string{"-t", "1", "-c", strconv.Itoa(row.connections), "-d", fmt.Sprintf("%.0fs", length.Seconds()), "--latency"}
	if row.script != "" {
		arguments = append(arguments, "-s", filepath.Join(apachetest.RepositoryRoot(), "testdata", "bench", row.script))
	}
	output, err := exec.Command(p.wrk, append(arguments, server.URL(row.path))...).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, output)
	}
	if trouble := wrkTrouble.Find(output); trouble != nil {
		t.Errorf("%s (%s), %s: %s", row.name, row.in, server.Config().Module.Name, trouble)
	}
	rate, p99 := wrkRate.FindSubmatch(output), wrkP99.FindSubmatch(output)
	if rate == nil || p99 == nil {
		t.Fatalf("wrk prints something unexpected:\n%s", output)
	}
	perSecond, _ := strconv.ParseFloat(string(rate[1]), 64)
	percentile, _ := time.ParseDuration(string(p99[1]) + string(p99[2]))
	return benchSample{perSecond, percentile}
}

func checkBenchGoals(t *testing.T, rows []benchRow) {
	t.Helper()
	for i := range rows {
		if ratio := rows[i].ratio(); ratio < rows[i].goal {
			t.Errorf("%s (%s): %.2f times the classic module, the goal is %.1f", rows[i].name, rows[i].in, ratio, rows[i].goal)
		}
	}
}
