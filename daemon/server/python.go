package server

/*
#cgo CFLAGS: -Wall -Wextra -Werror -fvisibility=hidden
#include <locale.h>
#include <stdlib.h>
#include "server.h"
*/
import "C"

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"modwsgi/directives"
	"modwsgi/interp"
)

// startPython starts Python on the calling thread, the first of the process. Without Python the process stays, and answers 500.
func (p *process) startPython() {
	logAt(levelInfo, "starting Python in %s", p.name())
	if err := interp.Start(p.pythonOptions(), unsafe.Pointer(&C.mwd_server_ops)); err != nil {
		logAt(levelCrit, "WSGI0028: Python was not started in %s, so every request for it gets 500: %v", p.name(), err)
	}
}

// metricsPatience is how long an application waits at most for one of Apache's children to say what the server does.
const metricsPatience = 2 * time.Second

func (p *process) pythonOptions() interp.Options {
	settings, g := &p.config.Process, p.group
	o := interp.Options{
		Home: settings.PythonHome, Warnings: settings.PythonWarnings, EggCache: g.PythonEggs, FirstPath: g.Home,
		Optimize: settings.PythonOptimize, DontWriteBytecode: settings.DontWriteBytecode, FoldCase: !settings.CaseSensitivity,
		ProcessGroup: g.Name, MaximumProcesses: g.MostProcesses(), ThreadsPerProcess: g.Threads,
		ApacheVersion: version(p.config.Facts["apache_version"]), ModuleVersion: version(p.config.Facts["module_version"]),
		Server: server(p.config.Facts), Telemetry: settings.TelemetryTarget != "",
		Interpreter: func(application string) interp.InterpreterOptions {
			return interpreterOptions(settings, g, application)
		},
	}
	if g.PythonHome != "" {
		o.Home, o.HomeSetting = g.PythonHome, fmt.Sprintf("python-home= of process group '%s'", g.Name)
	}
	o.RequestLimit, o.MemoryLimit = limitTexts(g)
	if g.KeepOldCode && g.Threads > 0 {
		o.Siblings = p.siblings
	}
	if p.mailbox != nil {
		o.ServerMetrics = func() []byte { return p.mailbox.Ask(metricsPatience) }
	}
	if settings.PythonHashSeed.Fixed {
		o.HashSeed = &settings.PythonHashSeed.Value
	}
	return o
}

// limitTexts are what failures say of limits that may be their cause.
func limitTexts(g *directives.DaemonGroup) (request, memory string) {
	if g.RequestTimeout > 0 {
		request = fmt.Sprintf(" (request-timeout=%.0f)", g.RequestTimeout.Seconds())
	}
	var limits []string
	for _, l := range []struct {
		option string
		bytes  int64
	}{{"memory-limit", g.MemoryLimit}, {"virtual-memory-limit", g.VirtualMemoryLimit}} {
		if l.bytes > 0 {
			limits = append(limits, fmt.Sprintf("%s=%d", l.option, l.bytes))
		}
	}
	if len(limits) > 0 {
		memory = " (" + strings.Join(limits, ", ") + ")"
	}
	return request, memory
}

// interpreterOptions are those of an interpreter in the group's processes. switch-interval= is for every GIL that no section speaks of; a
// process that only runs scripts leaves them the signals.
func interpreterOptions(settings *directives.ProcessSettings, g *directives.DaemonGroup, application string) interp.InterpreterOptions {
	s := settings.Interpreter(g.Name, application, interp.OwnGILs)
	if s.SwitchInterval == 0 && (application == "" || s.OwnGIL) {
		s.SwitchInterval = g.SwitchInterval
	}
	return interp.InterpreterOptions{
		OwnGIL: s.OwnGIL, RestrictSignal: s.RestrictSignal && g.Threads > 0, RestrictStdin: s.RestrictStdin, RestrictStdout: s.RestrictStdout,
		Path: s.PythonPath, SwitchInterval: s.SwitchInterval, SwitchIntervalSkipped: s.SwitchIntervalSkipped,
	}
}

// server is what applications are told of Apache. Of the processes that it uses there are none yet when this is written down.
func server(facts map[string]string) interp.Server {
	return interp.Server{
		Description: facts["server_description"], MPM: facts["mpm"], Built: facts["server_built"],
		Processes: positive(facts["max_daemons_used"], facts["max_daemons"]), Threads: positive(facts["max_threads"]),
	}
}

// positive is the first of the numbers that is one, or 1.
func positive(numbers ...string) int {
	for _, text := range numbers {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			return n
		}
	}
	return 1
}

// version reads "2.4.57"; what is missing is 0.
func version(text string) (v [3]int) {
	_, _ = fmt.Sscanf(text, "%d.%d.%d", &v[0], &v[1], &v[2])
	return v
}

// scripts are the group's, in the order of the configuration.
func (p *process) scripts() []*directives.ImportScript {
	var list []*directives.ImportScript
	for _, script := range p.config.Process.ImportScripts {
		if script.ProcessGroup == p.group.Name {
			list = append(list, script)
		}
	}
	return list
}

func setLocale(name string) bool {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return C.setlocale(C.LC_ALL, text) != nil
}
