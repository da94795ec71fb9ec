package gatewaytest

import (
	"fmt"
	"sync"
	"testing"
)

func TestManyThreadsRunManyGroups(t *testing.T) {
	const threads, rounds = 12, 60
	groups := []string{"", "many-a", "many-b", "many-c", "many-d"}
	code := `
		import threading, mod_wsgi
		local = threading.local()
		lock, total = threading.Lock(), 0
		def application(environ, start_response):
			global total
			local.count = getattr(local, "count", 0) + 1
			with lock:
				total += 1
			write = start_response("200 OK", [("X-Group", mod_wsgi.application_group), ("X-Count", str(local.count))])
			body = environ["wsgi.input"].read()
			print("request of", environ["name"])
			how = environ["how"]
			if how == "write":
				write(body)
				return []
			return [body] if how == "list" else (bytes([b]) for b in body)
	`
	script := write(t, code)
	before := ThreadStates()
	var all sync.WaitGroup
	for n := range threads {
		all.Go(func() {
			thread := NewThread()
			count := map[string]int{}
			for round := range rounds {
				if round%20 == 19 { // threads end and new ones come
					if err := thread.End(); err != nil {
						t.Error(err)
					}
					thread, count = NewThread(), map[string]int{}
				}
				name := fmt.Sprintf("thread %d, round %d", n, round)
				how := []string{"write", "list", "generator"}[(n+round)%3]
				r := &Request{Group: groups[(n*7+round)%len(groups)], Script: script, Flags: Reloading,
					Environ: []string{"name=" + name, "how=" + how}, Body: []Piece{{Late, name[:5], 0}, {Now, name[5:], 0}}}
				count[r.Group]++
				a := thread.Run(r)
				expect(t, a, name)
				if a.Headers[0] != "X-Group: "+r.Group || a.Headers[1] != fmt.Sprint("X-Count: ", count[r.Group]) {
					t.Errorf("%s, group %s, its request number %d: headers %v", name, r.Group, count[r.Group], a.Headers)
				}
				if len(a.Log) != 1 || a.Log[0] != "3 request of "+name {
					t.Errorf("%s: log %q", name, a.Log)
				}
			}
			if err := thread.End(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	checkContract(t)
	for _, group := range groups {
		r := &Request{Group: group, Script: script, Environ: []string{"name=x", "how=list"}}
		run(t, r)
	}
	// A new interpreter has one of its own, and the main thread one for each that it had not been in; the ended threads have none.
	if n := ThreadStates() - before; n > 2*len(groups) {
		t.Errorf("%d thread states more than before, at most %d may be", n, 2*len(groups))
	}
}

func TestThreadStatesEndWithTheirThread(t *testing.T) {
	r := request(t, version("x"))
	groups := []string{"", "ends-a", "ends-b", "ends-c"}
	for _, r.Group = range groups {
		expect(t, run(t, r), "x")
	}
	before := ThreadStates()
	thread := NewThread()
	for i, group := range groups {
		r.Group = group
		for range 2 {
			expect(t, wait(t, thread.Begin(r)), "x")
		}
		if n := ThreadStates() - before; n != i+1 {
			t.Errorf("%d thread states after entering %d interpreters", n, i+1)
		}
	}
	if err := thread.End(); err != nil {
		t.Fatal(err)
	}
	if n := ThreadStates() - before; n != 0 {
		t.Errorf("%d thread states outlive their thread", n)
	}
	for range 50 {
		thread := NewThread()
		for _, r.Group = range groups {
			expect(t, wait(t, thread.Begin(r)), "x")
		}
		if err := thread.End(); err != nil {
			t.Fatal(err)
		}
	}
	if n := ThreadStates() - before; n != 0 {
		t.Errorf("%d thread states outlive 50 threads", n)
	}
}

func TestThreadLocalsAreDestroyedWithTheirThread(t *testing.T) {
	r := request(t, `
		import sqlite3, sys, threading
		destroyed = []
		class Noisy:
			def __del__(self):
				print("printed by a destructor")
				database = sqlite3.connect(":memory:")
				database.create_function("f", 0, lambda: 7)
				destroyed.append(database.execute("select f()").fetchone()[0])
		local = threading.local()
		def application(environ, start_response):
			start_response("200 OK", [])
			if environ["do"] == "set":
				local.noisy = Noisy()
			return [repr(destroyed).encode()]
	`)
	groups := []string{"", "locals-a", "locals-b"}
	thread := NewThread()
	for _, r.Group = range groups {
		r.Environ = []string{"do=set"}
		expect(t, wait(t, thread.Begin(r)), "[]")
	}
	ServerLog()
	if err := thread.End(); err != nil {
		t.Fatal(err)
	}
	for _, r.Group = range groups {
		r.Environ = []string{"do=ask"}
		expect(t, run(t, r), "[7]")
	}
	if log := ServerLog(); len(log) != len(groups) {
		t.Errorf("logged %q", log)
	}
}

func TestThreadNumbersStayWithTheirThread(t *testing.T) {
	r := request(t, `
		def application(environ, start_response):
			start_response("200 OK", [])
			return [str(environ["mod_wsgi.thread_id"]).encode()]
	`)
	a, b := newThread(t), newThread(t)
	seen := map[string]bool{}
	for _, thread := range []*Thread{mainThread, a, b} {
		first := wait(t, thread.Begin(r)).Body
		if seen[first] {
			t.Errorf("two threads are number %s", first)
		}
		seen[first] = true
		expect(t, wait(t, thread.Begin(r)), first)
	}
	expect(t, run(t, r), "0")
}

func TestAnInterpreterOutlivesTheThreadsThatEnteredIt(t *testing.T) {
	r := request(t, version("x"))
	r.Group = "outlives"
	for range 3 {
		thread := NewThread()
		expect(t, wait(t, thread.Begin(r)), "x")
		if err := thread.End(); err != nil {
			t.Fatal(err)
		}
	}
}
