package directives

import (
	"strings"
	"time"
)

// A DaemonGroup is one WSGIDaemonProcess. Zero values of its fields mean the default that the option table states,
// unless noted.
type DaemonGroup struct {
	Name   string
	Server int // index of the server that declares it

	User, Group, SocketUser, ScriptUser, ScriptGroup Account
	SupplementaryGroups                              []Account // nil: those of the user; empty: none
	Processes                                        int       // at the start; at least 1 unless the group is elastic
	ProcessesGiven                                   bool      // makes wsgi.multiprocess true, even for 1
	Threads                                          int       // 0: service script mode
	Umask                                            int       // -1: inherited
	Chroot, Home, Lang, Locale, DisplayName          string
	PythonHome, PythonEggs                           string
	PythonPath                                       []string
	SwitchInterval                                   time.Duration
	StackSize                                        int
	MaximumRequests, ListenBacklog                   int

	StartupTimeout, ShutdownTimeout, DeadlockTimeout, InactivityTimeout time.Duration
	RequestTimeout, InterruptTimeout, GracefulTimeout, EvictionTimeout  time.Duration
	RestartInterval, ConnectTimeout, SocketTimeout, QueueTimeout        time.Duration
	ResponseSocketTimeout, ResponseFlushDelay, CPUTimeLimit             time.Duration

	SendBufferSize, ReceiveBufferSize, HeaderBufferSize, ResponseBufferSize int

	MinimumProcesses, MaximumProcesses int           // of an elastic group; MaximumProcesses 0: it is not
	IdleTimeout                        time.Duration // of its processes; 0: they stay
	minimumGiven                       bool

	BufferSize, BufferMemory, RequestBuffer int64 // bytes; 0: none
	BufferDirectory                         string

	CPUPriority                     int
	MemoryLimit, VirtualMemoryLimit int64
	MemoryRecycle                   int64 // resident bytes
	ServerMetrics                   bool
	KeepOldCode                     bool

	place place
}

// An Account is a user or group, by name or as "#" and a number. The zero value means that none was given.
type Account string

func newDaemonGroup(name string, a *arguments) *DaemonGroup {
	return &DaemonGroup{Name: name, Server: a.record.Server, Processes: 1, Threads: 15, Umask: -1, ListenBacklog: 100,
		ShutdownTimeout: 5 * time.Second, DeadlockTimeout: 300 * time.Second, GracefulTimeout: 15 * time.Second,
		ConnectTimeout: 15 * time.Second, ResponseFlushDelay: 5 * time.Millisecond, IdleTimeout: defaultIdleTimeout, KeepOldCode: true,
		BufferSize: defaultBufferSize, BufferMemory: defaultBufferMemory, BufferDirectory: defaultBufferDirectory, RequestBuffer: defaultRequestBuffer,
		place: a.place}
}

func readDaemonProcess(a *arguments, t *target) {
	name := a.next()
	if name == "" {
		a.errorf(0, "takes at least one argument, %s", a.directive.Syntax)
		return
	}
	g := newDaemonGroup(name, a)
	if strings.HasPrefix(name, "%{") {
		a.warnf(0, "the group is literally called %q; names are not expanded here", name)
	} else if strings.Contains(name, "=") {
		a.warnf(0, "the group is called %q, which looks like an option; the name comes first", name)
	}
	readOptions(a, daemonOptions, g)
	if g.ScriptUser != "" && g.ScriptGroup != "" {
		a.errorf(0, "the options 'script-user' and 'script-group' exclude each other")
	}
	if g.InterruptTimeout > 0 && g.RequestTimeout == 0 {
		a.warnf(0, "option 'interrupt-timeout' does nothing without 'request-timeout'")
	}
	g.settleProcesses(a)
	if g.MemoryRecycle > 0 && g.Threads == 0 {
		a.warnf(0, "option 'memory-recycle' does nothing with threads=0")
	}
	if earlier := t.process.Group(name); earlier != nil {
		a.errorf(0, "the group %q is already declared on %s; names are unique in the whole configuration", name, earlier.place)
		return
	}
	// A group with a bad option is kept: it exists, so that nothing else is reported for its absence.
	t.process.Groups = append(t.process.Groups, g)
}

// Group finds a group by its exact name, nil if there is none.
func (p *ProcessSettings) Group(name string) *DaemonGroup {
	for _, g := range p.Groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}
