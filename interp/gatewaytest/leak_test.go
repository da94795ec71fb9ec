package gatewaytest

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Environment of `make leakcheck`; without it every kind is short and in the Python that the module is built for.
const (
	leakRequests = "MODWSGI_LEAK_REQUESTS" // for each kind; one that starts processes takes fewer
	leakRefs     = "MODWSGI_LEAK_REFS"     // set: Python must count references (a debug build)
	leakShard    = "MODWSGI_LEAK_SHARD"    // "0/2": the even ones of the kinds
)

const (
	leakRequestsInTest = 2000
	leastLeakRequests  = 1000 // a leak of one of anything in each must stand out from the noise
)

// A leakMeasure is something that must not grow with the number of requests. Growth is what two halves of a run, after a warm-up, both
// add: a table that grew once is none.
type leakMeasure struct {
	name        string
	allowed     float64 // in a half, whatever its number of requests; the collector and other threads make noise
	perThousand float64 // and for each 1,000 requests
}

var leakMeasures = []leakMeasure{
	{"references", 5, 0.1},          // sys.gettotalrefcount(), 0 if Python does not count
	{"blocks of Python's", 10, 0.1}, // sys.getallocatedblocks()
	{"collectable objects", 5, 0.1},
	{"bytes of the C heap", 16 << 10, 300},
	{"resident bytes", 1536 << 10, 5},
}

type leakSample [5]float64

func (s leakSample) since(earlier leakSample) leakSample {
	for i := range s {
		s[i] -= earlier[i]
	}
	return s
}

// clearTypeCache defines clear_type_cache(). CPython keeps the names of recent attribute look-ups on types in 4096 slots, chosen by the
// name's address; its match statement (traceback has one) looks each class up under a str made for the occasion. So a cache that fills up
// slowly, and never the same way twice, would be counted as blocks that requests leave behind.
const clearTypeCache = `
	import sys
	clear_type_cache = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
`

// leakProbe answers with the counts of Python's own, of the interpreter that it runs in.
const leakProbe = clearTypeCache + `
	import gc
	def application(environ, start_response):
		start_response("200 OK", [])
		clear_type_cache()
		for _ in range(3): gc.collect()
		total = getattr(sys, "gettotalrefcount", lambda: 0)
		return [b"%d %d %d" % (total(), sys.getallocatedblocks(), len(gc.get_objects()))]
`

type leakChecker struct {
	probes map[string]*Request // by group
	refs   bool
}

func newLeakChecker(t testing.TB) *leakChecker {
	c := &leakChecker{probes: map[string]*Request{}}
	for _, group := range []string{"", "leaks"} {
		c.probes[group] = &Request{Group: group, Script: write(t, leakProbe)}
		c.refs = c.sample(t, group)[0] > 0
	}
	return c
}

func (c *leakChecker) sample(t testing.TB, group string) leakSample {
	t.Helper()
	var s leakSample
	a := mainThread.Run(c.probes[group])
	if n, err := fmt.Sscan(a.Body, &s[0], &s[1], &s[2]); n != 3 {
		t.Fatalf("the probe: %v\n%s", err, a)
	}
	debug.FreeOSMemory() // what Go does not need is no leak
	resident, err := residentBytes()
	if err != nil {
		t.Fatal(err)
	}
	s[3], s[4] = float64(Malloced()), resident
	return s
}

func residentBytes() (float64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	pages, err := strconv.Atoi(fields[1])
	return float64(pages) * float64(os.Getpagesize()), err
}

// leaks sends n requests in two halves, after a warm-up, and returns a line for each measure that grew in both.
func (c *leakChecker) leaks(t testing.TB, r *Request, n, result int) []string {
	t.Helper()
	send := func(n int) leakSample {
		if last, others := mainThread.Repeat(r, n, result); others > 0 {
			t.Fatalf("%d of %d requests did not end with %d; the last one:\n%s", others, n, result, last)
		}
		return c.sample(t, r.Group)
	}
	c.sample(t, r.Group)
	half := n / 2
	before := send(max(n/10, 200)) // caches of CPython's settle
	middle := send(half)
	after := send(half)
	t.Logf("first half %.0f, second half %.0f", middle.since(before), after.since(middle))
	var grown []string
	for i, m := range leakMeasures {
		first, second := middle.since(before)[i], after.since(middle)[i]
		if min(first, second) > m.allowed+m.perThousand*float64(half)/1000 {
			grown = append(grown, fmt.Sprintf("%s grew by %.0f and %.0f in %d requests each (%.2f a request)", m.name, first, second, half, (first+second)/float64(2*half)))
		}
	}
	return grown
}

func TestNoKindOfRequestLeaks(t *testing.T) {
	n := leakRequestsInTest
	if text := os.Getenv(leakRequests); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	c := newLeakChecker(t)
	if os.Getenv(leakRefs) != "" && !c.refs {
		t.Fatal("this Python does not count references: sys.gettotalrefcount() is missing")
	}
	shard, shards := 0, 1
	if text := os.Getenv(leakShard); text != "" {
		if _, err := fmt.Sscanf(text, "%d/%d", &shard, &shards); err != nil {
			t.Fatal(err)
		}
	}
	for i, k := range leakKinds() {
		if i%shards != shard {
			continue
		}
		t.Run(strings.ReplaceAll(k.name, " ", "_"), func(t *testing.T) {
			n := max(n/max(k.slow, 1), leastLeakRequests)
			start := time.Now()
			for _, line := range c.leaks(t, k.request(t), n, k.result) {
				t.Error(line)
			}
			checkContract(t)
			t.Logf("%d requests, %.0f/s", n, float64(n)*1.1/time.Since(start).Seconds())
		})
	}
}

// A few of each kind in any order, for what watches memory from outside (make sanitize).
func TestEveryKindOfRequestEndsAsItShould(t *testing.T) {
	for _, k := range leakKinds() {
		r := k.request(t)
		if last, others := mainThread.Repeat(r, 5, k.result); others > 0 {
			t.Errorf("%s: %d of 5 requests did not end with %d; the last one:\n%s", k.name, others, k.result, last)
		}
	}
	checkContract(t)
}

// A check that can't fail is none.
func TestLeaksAreNoticed(t *testing.T) {
	c := newLeakChecker(t)
	for _, l := range []struct {
		measure string
		kind    leakKind
	}{
		{"collectable objects", leakKind{before: `kept = []`, code: respond(`kept.append([]) or [b"a"]`)}},
		{"blocks of Python's", leakKind{before: `kept = []`, code: respond(`kept.append(object()) or [b"a"]`)}},
		{"bytes of the C heap", leakKind{before: "import ctypes\nmalloc = ctypes.CDLL(None).malloc", code: respond(`malloc(1000) and [b"a"]`)}},
		{"references", leakKind{before: "import ctypes\nleak = ctypes.pythonapi.Py_IncRef", code: respond(`leak(ctypes.py_object(environ["wsgi.version"])) and [] or [b"a"]`)}},
	} {
		if l.measure == "references" && !c.refs {
			continue
		}
		if grown := strings.Join(c.leaks(t, l.kind.request(t), leakRequestsInTest, Answered), "\n"); !strings.Contains(grown, l.measure) {
			t.Errorf("a leak of %s is not noticed; what is: %q", l.measure, grown)
		}
	}
}
