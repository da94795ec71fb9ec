// Package module is Apache's side of mod_wsgi: the C edge that Apache loads, and the Go that decides for it.
//
// The C files record directives in Apache's parent, start Go late in each child, and execute the steady path of a request from
// plans that Go compiled (README.md). The Go files are called through the exports of cmd/mod_wsgi, in children only.
package module

/*
#cgo CFLAGS: -Wall -Wextra -Werror -Wno-cast-function-type -fvisibility=hidden
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdlib.h>
#include "edge.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"modwsgi/daemon/telemetry"
	"modwsgi/directives"
	"modwsgi/interp"
)

// child is what the exports need to know of this process. Apache's hooks carry no context, so it is global; set by Start before
// the first request.
var child struct {
	config *directives.Config
	locals localPlans
}

// Start brings up everything in a child of Apache's: it proves that the runtime works, compiles the recorded configuration and
// starts Python on the calling thread. configuration is an *mw_config that is never freed, nil only if err says why; with a
// configuration, err says why Python is not there. report is a line for the log.
func Start(recording []byte, facts unsafe.Pointer, ops unsafe.Pointer) (configuration unsafe.Pointer, report string, err error) {
	report, err = proveRuntime()
	if err != nil {
		return nil, "", err
	}
	decoded, err := directives.Decode(recording)
	if err != nil {
		return nil, report, fmt.Errorf("mod_wsgi: the recorded configuration can't be read: %w", err)
	}
	config, err := directives.Compile(decoded)
	if err != nil {
		return nil, report, fmt.Errorf("mod_wsgi: the configuration can't be used: %w", err)
	}
	compiled, err := compileConfig(config, (*C.mw_facts)(facts))
	if err != nil {
		return nil, report, fmt.Errorf("mod_wsgi: the configuration can't be used: %w", err)
	}
	child.config = config
	child.locals.reset()
	if board := (*C.mw_facts)(facts).board; board != nil && anyServerMetrics(config.Process.Groups) {
		go answerDaemonProcesses(config, board)
	}
	if config.Process.PythonNeeded() {
		if err = startPython(config, (*C.mw_facts)(facts), ops); err == nil {
			importScripts(config.Process.ImportScripts)
			startReporting(config, (*C.mw_facts)(facts), ops)
		}
	}
	return unsafe.Pointer(compiled), report, err
}

// importScripts loads what children shall have before the first request: WSGIImportScript, and aliases that name both groups. A
// failure is logged, and the next script gets its turn.
func importScripts(scripts []*directives.ImportScript) {
	for _, script := range scripts {
		if script.ProcessGroup == "" {
			interp.ImportScript(script.Path, script.ApplicationGroup, false)
		}
	}
}

// startReporting tells the administrator what embedded requests do, if there can be any.
func startReporting(config *directives.Config, facts *C.mw_facts, ops unsafe.Pointer) {
	if config.Process.RestrictEmbedded == directives.On {
		return
	}
	reporter := telemetry.Start(config, "", int(facts.threads_per_process), func(text string) { interp.Warn(ops, text) })
	interp.OnStop(func() { reporter.Stopping("") }, func() { reporter.Stopped(true) })
}

// proveRuntime uses what hangs for ever when a Go runtime has been copied by fork: a goroutine and a timer. The garbage collector would, too, but
// needs goroutines to begin with, and clients wait for this child.
func proveRuntime() (string, error) {
	began := time.Now()
	done := make(chan struct{})
	go func() {
		<-time.After(time.Microsecond)
		close(done)
	}()
	select {
	case <-done:
		return fmt.Sprintf("Go runtime ready: goroutine and timer took %v (%s)",
			time.Since(began).Round(10*time.Microsecond), runtime.Version()), nil
	case <-time.After(30 * time.Second):
		return "", fmt.Errorf("mod_wsgi: the Go runtime does not work in this process: a goroutine did not finish within 30 s")
	}
}

func interpreterOptions(p *directives.ProcessSettings, group string) interp.InterpreterOptions {
	s := p.Interpreter("", group, interp.OwnGILs)
	return interp.InterpreterOptions{
		OwnGIL: s.OwnGIL, RestrictSignal: s.RestrictSignal, RestrictStdin: s.RestrictStdin, RestrictStdout: s.RestrictStdout,
		Path: s.PythonPath, SwitchInterval: s.SwitchInterval, SwitchIntervalSkipped: s.SwitchIntervalSkipped,
	}
}

func startPython(config *directives.Config, facts *C.mw_facts, ops unsafe.Pointer) error {
	p := &config.Process
	options := interp.Options{
		Home:              p.PythonHome,
		Warnings:          p.PythonWarnings,
		EggCache:          p.PythonEggs,
		Optimize:          p.PythonOptimize,
		DontWriteBytecode: p.DontWriteBytecode,
		KeepStdio:         facts.single_process != 0,
		FoldCase:          !p.CaseSensitivity,
		Embedded:          true,
		Telemetry:         p.TelemetryTarget != "",
		Interpreter:       func(group string) interp.InterpreterOptions { return interpreterOptions(p, group) },
		MaximumProcesses:  int(facts.maximum_processes),
		ThreadsPerProcess: int(facts.threads_per_process),
		Server: interp.Server{
			Description: C.GoString(facts.description), MPM: C.GoString(facts.mpm), Built: C.GoString(facts.built),
			Processes: int(facts.maximum_processes), Threads: int(facts.threads_per_process),
		},
	}
	if p.ServerMetrics {
		options.ServerMetrics = serverMetrics
	}
	if p.PythonHashSeed.Fixed {
		options.HashSeed = &p.PythonHashSeed.Value
	}
	for i := range 3 {
		options.ApacheVersion[i], options.ModuleVersion[i] = int(facts.apache_version[i]), int(facts.module_version[i])
	}
	if err := interp.Start(options, ops); err != nil {
		return fmt.Errorf("WSGI0001: Python was not started in this process, so every request for a WSGI application gets 500: %w", err)
	}
	return nil
}
