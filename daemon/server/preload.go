package server

/*
#include <stdlib.h>
#include "server.h"
*/
import "C"

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/interp"
)

// preload loads what is wanted before the first request: what the configuration says, on Python's main thread, then what the process before this
// one had loaded, on a request thread. False: the process can't take over, and ends.
func (p *process) preload() bool {
	l := loader{process: p, plan: p.assignment.Preload}
	if l.plan == nil {
		l.plan = &daemon.Preload{}
	}
	if l.plan.Limit > 0 {
		defer time.AfterFunc(l.plan.Limit, l.tooLong).Stop()
	}
	return l.importScripts() && l.loadApplications()
}

// A loader loads in advance.
type loader struct {
	process *process
	plan    *daemon.Preload

	mu   sync.Mutex   // guards what follows
	what *daemon.Load // is being loaded; nil: nothing is
}

func (l *loader) begin(what *daemon.Load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.what = what
}

// tooLong ends the process: nothing else ends what is being loaded.
func (l *loader) tooLong() {
	l.mu.Lock()
	what := l.what
	l.mu.Unlock()
	if what == nil {
		return // all but done
	}
	why := fmt.Sprintf("loading script %s in application group '%s' takes longer than %v (startup-timeout, if that is set)", what.Script, what.Group, l.plan.Limit)
	l.process.logStacks(fmt.Sprintf("it gives up loading script %s in advance", what.Script))
	l.process.tell(daemon.Notice{Kind: daemon.Failed, Load: what, Reason: why})
	os.Exit(exitFailed)
}

// importScripts loads the scripts of the configuration. One that can't be loaded and that the process before this one did without is none of our
// business: why is in the log.
func (l *loader) importScripts() bool {
	for _, script := range l.process.scripts() {
		if l.process.stopping.Load() {
			return true
		}
		a := daemon.Application{Script: daemon.Text(script.Path), Group: daemon.Text(script.ApplicationGroup)}
		if !l.load(a, l.plan.Strict && slices.Contains(l.plan.Applications, a), interp.LoadApplication) {
			return false
		}
	}
	return true
}

func (l *loader) loadApplications() bool {
	for _, a := range l.plan.Applications {
		if l.process.stopping.Load() {
			return true
		}
		if _, err := os.Stat(string(a.Script)); os.IsNotExist(err) {
			l.process.logf(levelInfo, "does not load script %s in advance: it is not there any more", a.Script)
			continue
		}
		if l.leave(a) {
			l.process.logf(levelInfo, "does not load script %s in advance: it has changed, and other processes have it loaded", a.Script)
			continue
		}
		if !l.load(a, l.plan.Strict, loadOnRequestThread) {
			return false
		}
	}
	return true
}

// leave tells whether a process that need not load an application leaves a change to those that have it loaded.
func (l *loader) leave(a daemon.Application) bool {
	if l.plan.Strict || !l.process.group.KeepOldCode {
		return false
	}
	s := l.process.siblings(string(a.Script), string(a.Group), interp.VersionOf(string(a.Script)))
	return s.Bad || s.Have && !s.Same
}

// load loads one application. False: it failed, which was needed.
func (l *loader) load(a daemon.Application, needed bool, load func(interp.Application, bool) string) bool {
	p := l.process
	what := &daemon.Load{Application: a, Version: daemon.FileVersion(interp.VersionOf(string(a.Script)))}
	known := l.plan.Known != nil && l.plan.Known.Script == a.Script && l.plan.Known.Version == what.Version
	p.tell(daemon.Notice{Kind: daemon.Loading, Load: what})
	l.begin(what)
	failure := load(interp.Application{Script: string(a.Script), Group: string(a.Group), Callable: string(a.Callable)}, known)
	l.begin(nil)
	p.tellLoaded()
	if failure == "" || !needed {
		return true
	}
	p.fail(what, failure)
	return false
}

// fail tells the supervisor what can't be loaded, and has the monitor end the process.
func (p *process) fail(what *daemon.Load, reason string) {
	if code, text, ok := strings.Cut(reason, ": "); ok && strings.HasPrefix(code, "WSGI") {
		reason = text
	}
	p.tell(daemon.Notice{Kind: daemon.Failed, Reason: reason, Load: what})
	p.failed.Store(true)
	p.rouse()
}

func loadOnRequestThread(a interp.Application, quiet bool) (failure string) {
	load := C.mwd_load{script: C.CString(a.Script), group: C.CString(a.Group), callable: C.CString(a.Callable), quiet: C.bool(quiet)}
	job := (*C.mwd_load)(C.malloc(C.sizeof_mwd_load)) // another thread's C uses it
	*job = load
	C.mwd_load_on_request_thread(job)
	for _, text := range []*C.char{job.script, job.group, job.callable} {
		C.free(unsafe.Pointer(text))
	}
	if job.failure != nil {
		failure = C.GoString(job.failure)
		C.free(unsafe.Pointer(job.failure))
	}
	C.free(unsafe.Pointer(job))
	return failure
}

// tellLoaded tells the supervisor what was loaded since the last time.
func (p *process) tellLoaded() {
	p.telling.Lock()
	defer p.telling.Unlock()
	if int(interp.ApplicationsKnown()) == p.told {
		return
	}
	for _, a := range interp.Applications(p.told) {
		p.told++
		p.tell(daemon.Notice{Kind: daemon.Loaded, Load: &daemon.Load{Version: daemon.FileVersion(a.Version), Application: daemon.Application{
			Script: daemon.Text(a.Script), Group: daemon.Text(a.Group), Callable: daemon.Text(a.Callable)}}})
	}
}
