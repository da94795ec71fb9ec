package directives

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Elastic groups have as many processes as there is work for, between two numbers.

// elasticOptions are ours only: the classic module's groups have a fixed number of processes.
var elasticOptions = []option[DaemonGroup]{
	{Name: "minimum-processes", Value: "0 or more", Default: "processes", Since: "ours only",
		Doc: "Makes the group elastic: it keeps that many processes when there is nothing to do. With 0 none is left, and the next request waits while one starts.",
		set: func(o *optionValue, g *DaemonGroup) {
			integerOption(0, math.MaxInt32, func(g *DaemonGroup) *int { return &g.MinimumProcesses })(o, g)
			g.minimumGiven = true
		}},
	{Name: "maximum-processes", Value: "1 or more", Default: "processes", Since: "ours only",
		Doc: "Makes the group elastic: processes are added up to that number while requests wait for a free thread. " +
			"`processes` is then the number at the start, by default `minimum-processes`.",
		set: integerOption(1, math.MaxInt32, func(g *DaemonGroup) *int { return &g.MaximumProcesses })},
	{Name: "idle-timeout", Value: "seconds, 0 keeps every process", Default: "300", Since: "ours only",
		Doc: "A process of an elastic group that had no request for that long ends, unless `minimum-processes` wants it. Requests under `WSGIIgnoreActivity` don't count.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.IdleTimeout })},
}

// recycleOptions bound what a process may use, and are ours only.
var recycleOptions = []option[DaemonGroup]{
	{Name: "memory-recycle", Value: "bytes, from 1048576 on", Default: "0 (off)", Since: "ours only",
		Doc: "A process that holds that much memory (resident set) is replaced, and serves until its successor is ready. Each process has a limit of its own, up to a tenth lower, " +
			"so that those of a group are not replaced at the same time.",
		set: setMemoryRecycle},
}

// leastMemoryRecycle is less than any Python needs: a smaller number was meant in another unit.
const leastMemoryRecycle = 1 << 20

// setMemoryRecycle is stricter than options of the classic module: "512M" must not be 512 bytes.
func setMemoryRecycle(o *optionValue, g *DaemonGroup) {
	n, err := strconv.ParseInt(strings.TrimSpace(o.text), 10, 64)
	switch {
	case err != nil || n < 0:
		o.errorf(0, "%q is not accepted; write a number of bytes, without a unit", o.text)
	case n != 0 && n < leastMemoryRecycle:
		o.errorf(0, "%d is too small; accepted is 0 (off) or a number of bytes from %d on", n, leastMemoryRecycle)
	default:
		g.MemoryRecycle = n
	}
}

// Elastic tells whether the group's number of processes changes with its work.
func (g *DaemonGroup) Elastic() bool { return g.MaximumProcesses > 0 }

// LeastProcesses is how many there are when there is nothing to do.
func (g *DaemonGroup) LeastProcesses() int {
	if g.Elastic() {
		return g.MinimumProcesses
	}
	return g.Processes
}

// MostProcesses is how many there can be, apart from those that end and their successors.
func (g *DaemonGroup) MostProcesses() int { return max(g.Processes, g.MaximumProcesses) }

// Multiprocess is wsgi.multiprocess: whether other processes may serve the same application.
func (g *DaemonGroup) Multiprocess() bool { return g.ProcessesGiven || g.MaximumProcesses > 1 }

// settleProcesses checks the options that say how many processes a group has, and gives those that are missing their values.
func (g *DaemonGroup) settleProcesses(a *arguments) {
	if g.MaximumProcesses == 0 && !g.minimumGiven {
		if g.IdleTimeout != defaultIdleTimeout {
			a.warnf(0, "option 'idle-timeout' does nothing without 'minimum-processes' or 'maximum-processes'")
		}
		return
	}
	if !g.minimumGiven {
		g.MinimumProcesses = g.Processes
	}
	if !g.ProcessesGiven {
		g.Processes = g.MinimumProcesses
	}
	if g.MaximumProcesses == 0 {
		g.MaximumProcesses = max(g.Processes, 1)
	}
	switch {
	case g.minimumGiven && g.MinimumProcesses > g.MaximumProcesses:
		a.errorf(0, "minimum-processes=%d is more than maximum-processes=%d", g.MinimumProcesses, g.MaximumProcesses)
	case g.Processes > g.MaximumProcesses:
		a.errorf(0, "processes=%d, the number at the start, is more than maximum-processes=%d", g.Processes, g.MaximumProcesses)
	case g.Processes < g.MinimumProcesses:
		a.errorf(0, "processes=%d, the number at the start, is less than minimum-processes=%d", g.Processes, g.MinimumProcesses)
	case g.Threads == 0:
		a.errorf(0, "a group that takes no requests (threads=0) can't be elastic; leave out 'minimum-processes' and 'maximum-processes'")
	case g.ListenBacklog == 0:
		a.errorf(0, "an elastic group has requests wait until there is a process for them: listen-backlog=0 forbids that")
	}
}

const defaultIdleTimeout = 300 * time.Second
