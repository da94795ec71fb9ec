package integration

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// A collector of telemetry that knows the format from docs/telemetry.md only: what is not there, or otherwise, fails the test.

// Kinds of records (docs/telemetry.md).
const (
	kindMetrics  = 2
	kindSlow     = 4
	kindStarted  = 5
	kindStopping = 6
	kindStopped  = 7
	kindSnapshot = 8
	kindEvent    = 9
)

// described is a field as the page describes it.
type described struct {
	name, kind string
	in         []string
}

var describedFields = sync.OnceValues(func() (map[int]described, error) {
	text, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		return nil, err
	}
	row := regexp.MustCompile(`(?m)^\| (\d+)(?:–(\d+))? \| (\S+) \| (u64|f64|text|i32\[\]|f64\[\]) \| ([\d ]*)\|`)
	parts := map[string][]string{
		"*phase*":      {"server", "queue", "daemon", "application", "request", "gil_wait", "input_read", "output_write"},
		"*class*":      {"1xx", "2xx", "3xx", "4xx", "5xx"},
		"*generation*": {"0", "1", "2"},
	}
	fields := map[int]described{}
	add := func(id int, d described) {
		if _, twice := fields[id]; twice {
			err = fmt.Errorf("field %d is described twice", id)
		}
		fields[id] = d
	}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		first, _ := strconv.Atoi(m[1])
		if m[2] == "" {
			add(first, described{m[3], m[4], strings.Fields(m[5])})
			continue
		}
		last, _ := strconv.Atoi(m[2])
		for placeholder, names := range parts {
			if !strings.Contains(m[3], placeholder) {
				continue
			}
			if last-first != len(names)-1 {
				err = fmt.Errorf("%s has %d numbers", m[3], last-first+1)
			}
			for i, name := range names {
				add(first+i, described{strings.Replace(m[3], placeholder, name, 1), m[4], strings.Fields(m[5])})
			}
		}
	}
	if len(fields) < 100 {
		err = fmt.Errorf("the page describes %d fields only", len(fields))
	}
	return fields, err
})

// telemetry is a record that was received. Values are uint64, float64, string, []int32 or []float64, by name.
type telemetry struct {
	kind, pid int
	sequence  uint32
	at        float64
	values    map[string]any
}

func (r telemetry) number(name string) float64 {
	switch v := r.values[name].(type) {
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

func (r telemetry) text(name string) string { s, _ := r.values[name].(string); return s }

func (r telemetry) total(name string) (sum float64) {
	switch v := r.values[name].(type) {
	case []int32:
		for _, n := range v {
			sum += float64(n)
		}
	case []float64:
		for _, n := range v {
			sum += n
		}
	}
	return sum
}

// decodeTelemetry reads a datagram.
func decodeTelemetry(data []byte) (r telemetry, err error) {
	defer func() {
		if recover() != nil { // out of range
			err = fmt.Errorf("a field is cut")
		}
	}()
	fields, err := describedFields()
	if err != nil {
		return r, err
	}
	little := binary.LittleEndian
	if len(data) < 24 || len(data) > 8192 || string(data[:4]) != "WSGI" || data[4] != 1 || little.Uint16(data[6:]) != 0 {
		return r, fmt.Errorf("no datagram of version 1: %d bytes, %.24q", len(data), data)
	}
	r = telemetry{kind: int(data[5]), pid: int(little.Uint32(data[8:])), sequence: little.Uint32(data[12:]),
		at: math.Float64frombits(little.Uint64(data[16:])), values: map[string]any{}}
	for data = data[24:]; len(data) > 0; {
		id, kind := int(little.Uint16(data)), data[2]
		data = data[3:]
		known, ok := fields[id]
		if !ok || !slices.Contains(known.in, strconv.Itoa(r.kind)) || r.values[known.name] != nil {
			return r, fmt.Errorf("field %d (%s) has no business here, or comes twice", id, known.name)
		}
		count := 0
		if kind >= 4 {
			count, data = int(little.Uint16(data)), data[2:]
		}
		var value any
		size := 8
		switch types := [...]string{1: "u64", 2: "f64", 3: "i64", 4: "text", 5: "i32[]", 6: "f64[]"}; {
		case int(kind) >= len(types) || types[kind] != known.kind:
			return r, fmt.Errorf("field %d (%s) has type %d", id, known.name, kind)
		case kind == 1:
			value = little.Uint64(data)
		case kind == 2:
			value = math.Float64frombits(little.Uint64(data))
		case kind == 4:
			size, value = count, string(data[:count])
		case kind == 5:
			list := make([]int32, count)
			for i := range list {
				list[i] = int32(little.Uint32(data[4*i:]))
			}
			size, value = 4*count, list
		case kind == 6:
			list := make([]float64, count)
			for i := range list {
				list[i] = math.Float64frombits(little.Uint64(data[8*i:]))
			}
			size, value = 8*count, list
		}
		r.values[known.name] = value
		data = data[size:]
	}
	return r, nil
}

// collector receives what a server sends.
type collector struct {
	mu      sync.Mutex
	records []telemetry
}

// telemetrySocket is where collect listens, for configurations.
const telemetrySocket = "{{.Var}}/collector"

// collect listens for a server that has not started yet.
func collect(t *testing.T, s *apachetest.Server) *collector {
	t.Helper()
	path := filepath.Join(s.Root, "var", "collector")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	done := make(chan struct{})
	t.Cleanup(func() { socket.Close(); <-done })
	go func() {
		defer close(done)
		datagram := make([]byte, 65536)
		for {
			n, err := socket.Read(datagram)
			if err != nil {
				return
			}
			r, err := decodeTelemetry(datagram[:n])
			if err != nil {
				t.Errorf("kind %d: %v", r.kind, err)
			}
			c.mu.Lock()
			c.records = append(c.records, r)
			c.mu.Unlock()
		}
	}()
	return c
}

func (c *collector) all(kind int) (list []telemetry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r.kind == kind {
			list = append(list, r)
		}
	}
	return list
}

// wait returns the first record of the kind that is wanted.
func (c *collector) wait(t *testing.T, what string, kind int, wanted func(telemetry) bool) (found telemetry) {
	t.Helper()
	apachetest.Eventually(t, 10*time.Second, "telemetry: "+what, func() bool {
		for _, r := range c.all(kind) {
			if wanted(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// sum adds up a number of all samples.
func (c *collector) sum(name string) (sum float64) {
	for _, r := range c.all(kindMetrics) {
		sum += r.number(name)
	}
	return sum
}
