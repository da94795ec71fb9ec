package directives

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// daemonOptions are the options of WSGIDaemonProcess.
var daemonOptions = slices.Concat(classicDaemonOptions, elasticOptions, recycleOptions, deploymentOptions, bufferOptions)

// classicDaemonOptions are those that the classic module has.
var classicDaemonOptions = []option[DaemonGroup]{
	{Name: "user", Value: "name or #uid", Default: "User", Doc: "User of the processes. Never root. Used only when Apache is started as root.",
		set: accountOption(func(g *DaemonGroup) *Account { return &g.User })},
	{Name: "group", Value: "name or #gid", Default: "Group", Doc: "Primary group of the processes. Used only when Apache is started as root.",
		set: accountOption(func(g *DaemonGroup) *Account { return &g.Group })},
	{Name: "supplementary-groups", Value: "name or #gid, several separated by commas, may be empty", Default: "those of the user", AllowEmpty: true,
		Doc: "The exact set of supplementary groups.", set: setSupplementaryGroups},
	{Name: "processes", Value: "1 or more", Default: "1", Doc: "Number of processes. Giving it at all, even as 1, makes `wsgi.multiprocess` true.",
		set: func(o *optionValue, g *DaemonGroup) {
			integerOption(1, math.MaxInt32, func(g *DaemonGroup) *int { return &g.Processes })(o, g)
			g.ProcessesGiven = true
		}},
	{Name: "threads", Value: "0 to 65533", Default: "15", Doc: "Request threads of each process. 1 makes `wsgi.multithread` false; 0 runs import scripts only.",
		set: integerOption(0, 65533, func(g *DaemonGroup) *int { return &g.Threads })},
	{Name: "umask", Value: "an octal number", Default: "inherited", Doc: "File creation mask.", set: setUmask},
	{Name: "chroot", Value: "absolute path", Default: "none", Doc: "Root directory of the processes. Apache has to be started as root.", set: setChroot},
	{Name: "home", Value: "absolute path", Default: "the user's home", Doc: "Working directory, also first in `sys.path`.",
		set: absolutePathOption(func(g *DaemonGroup) *string { return &g.Home })},
	{Name: "lang", Value: "text, may be empty", Default: "none", AllowEmpty: true, Doc: "Sets `LANG`.",
		set: textOption(func(g *DaemonGroup) *string { return &g.Lang })},
	{Name: "locale", Value: "text, may be empty", Default: "none", AllowEmpty: true, Doc: "Sets `LC_ALL` and the locale.",
		set: textOption(func(g *DaemonGroup) *string { return &g.Locale })},
	{Name: "python-home", Value: "path, may be empty", Default: "WSGIPythonHome", AllowEmpty: true, Doc: "Python installation or virtual environment.",
		set: textOption(func(g *DaemonGroup) *string { return &g.PythonHome })},
	{Name: "python-path", Value: "directories separated by ':', may be empty", Default: "none", AllowEmpty: true, Doc: "Directories put first in `sys.path`; their .pth files count.",
		set: func(o *optionValue, g *DaemonGroup) { g.PythonPath = splitPath(o.text) }},
	{Name: "python-eggs", Value: "path, may be empty", Default: "none", AllowEmpty: true, Doc: "Sets `PYTHON_EGG_CACHE`.",
		set: textOption(func(g *DaemonGroup) *string { return &g.PythonEggs })},
	{Name: "switch-interval", Value: "seconds above 0, fractions allowed", Default: "Python's", Since: "6.0.0", Doc: "Passed to `sys.setswitchinterval`.",
		set: func(o *optionValue, g *DaemonGroup) {
			if seconds, ok := readInterval(o, o.text); ok {
				g.SwitchInterval = seconds
			}
		}},
	{Name: "stack-size", Value: "bytes, 1 or more", Default: "the platform's", Doc: "Stack of each thread.",
		set: integerOption(1, math.MaxInt32, func(g *DaemonGroup) *int { return &g.StackSize })},
	{Name: "maximum-requests", Value: "0 or more", Default: "0 (off)", Doc: "A process is replaced after that many requests.",
		set: integerOption(0, math.MaxInt32, func(g *DaemonGroup) *int { return &g.MaximumRequests })},
	{Name: "startup-timeout", Value: "seconds", Default: "0 (off)", Since: "4.5.6", Doc: "Time for the first successful load of the script.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.StartupTimeout })},
	{Name: "shutdown-timeout", Value: "seconds, 0 waits for ever", Default: "5", Doc: "Time for a process to end.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.ShutdownTimeout })},
	{Name: "deadlock-timeout", Value: "seconds, 0 is off", Default: "300", Doc: "A process whose interpreter lock is stuck for that long is replaced.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.DeadlockTimeout })},
	{Name: "inactivity-timeout", Value: "seconds", Default: "0 (off)", Doc: "A process without requests for that long is replaced.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.InactivityTimeout })},
	{Name: "request-timeout", Value: "seconds", Default: "0 (off)", Since: "4.1.0", Doc: "Time for one request before it counts as stuck.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.RequestTimeout })},
	{Name: "interrupt-timeout", Value: "seconds", Default: "0 (off)", Since: "6.0.0", Doc: "A stuck request first gets an exception and this much time to end.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.InterruptTimeout })},
	{Name: "graceful-timeout", Value: "seconds", Default: "15", Since: "4.1.0", Doc: "Time for requests to complete before a process is replaced.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.GracefulTimeout })},
	{Name: "eviction-timeout", Value: "seconds", Default: "0 (graceful-timeout)", Since: "4.4.7", Doc: "The same, after SIGUSR1.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.EvictionTimeout })},
	{Name: "restart-interval", Value: "seconds", Default: "0 (off)", Since: "4.5.12", Doc: "Age at which a process is replaced.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.RestartInterval })},
	{Name: "connect-timeout", Value: "seconds, 0 tries once", Default: "15", Since: "4.1.0", Doc: "Time for Apache's child to reach the group.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.ConnectTimeout })},
	{Name: "socket-timeout", Value: "seconds", Default: "0 (Timeout)", Since: "4.1.0", Doc: "Time for one read or write between Apache's child and a process.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.SocketTimeout })},
	{Name: "queue-timeout", Value: "seconds", Default: "0 (off)", Since: "4.1.0", Doc: "A request that waited longer is answered with 504.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.QueueTimeout })},
	{Name: "listen-backlog", Value: "0 or more", Default: "100", Since: "4.1.0", Doc: "Requests that may wait for a thread. Others wait for connect-timeout at most, then the answer is 503.",
		set: integerOption(0, math.MaxInt32, func(g *DaemonGroup) *int { return &g.ListenBacklog })},
	{Name: "display-name", Value: "text, may be empty; %{GROUP} becomes (wsgi:name)", Default: "none", AllowEmpty: true, Doc: "Name of the processes in `ps`.",
		set: func(o *optionValue, g *DaemonGroup) {
			if g.DisplayName = o.text; o.text == "%{GROUP}" {
				g.DisplayName = "(wsgi:" + g.Name + ")"
			}
		}},
	{Name: "send-buffer-size", Value: "0 or bytes from 512 on", Default: "0 (the system's)", Doc: "Send buffer of the socket.",
		set: sizeOption(512, func(g *DaemonGroup) *int { return &g.SendBufferSize })},
	{Name: "receive-buffer-size", Value: "0 or bytes from 512 on", Default: "0 (the system's)", Doc: "Receive buffer of the socket.",
		set: sizeOption(512, func(g *DaemonGroup) *int { return &g.ReceiveBufferSize })},
	{Name: "header-buffer-size", Value: "0 or bytes from 8192 on", Default: "0 (32768)", Since: "4.1.0", Doc: "Longest response header line.",
		set: sizeOption(8192, func(g *DaemonGroup) *int { return &g.HeaderBufferSize })},
	{Name: "response-buffer-size", Value: "0 or bytes from 65536 on", Default: "0 (8388608)", Since: "4.4.7", Doc: "Bytes of a response body after which a flush is forced.",
		set: sizeOption(65536, func(g *DaemonGroup) *int { return &g.ResponseBufferSize })},
	{Name: "response-socket-timeout", Value: "seconds", Default: "0 (socket-timeout)", Since: "4.5.13", Doc: "Time for one write to the client.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.ResponseSocketTimeout })},
	{Name: "response-flush-delay", Value: "milliseconds, 0 flushes at once", Default: "5", Since: "6.0.2", Doc: "How long to wait for more of the body before flushing.",
		set: durationOption(time.Millisecond, func(g *DaemonGroup) *time.Duration { return &g.ResponseFlushDelay })},
	{Name: "socket-user", Value: "name or #uid", Default: "User", Since: "4.4.1", Doc: "Owner of the socket.",
		set: accountOption(func(g *DaemonGroup) *Account { return &g.SocketUser })},
	{Name: "script-user", Value: "name or #uid", Default: "none", Doc: "Required owner of script files. Excludes script-group.",
		set: accountOption(func(g *DaemonGroup) *Account { return &g.ScriptUser })},
	{Name: "script-group", Value: "name or #gid", Default: "none", Doc: "Required group of script files. Excludes script-user.",
		set: accountOption(func(g *DaemonGroup) *Account { return &g.ScriptGroup })},
	{Name: "cpu-time-limit", Value: "seconds of processor time", Default: "0 (off)", Doc: "A process that used that much is replaced.",
		set: secondsOption(func(g *DaemonGroup) *time.Duration { return &g.CPUTimeLimit })},
	{Name: "cpu-priority", Value: "a whole number", Default: "0 (unchanged)", Doc: "Scheduling priority, as `setpriority` takes it.",
		set: integerOption(math.MinInt32, math.MaxInt32, func(g *DaemonGroup) *int { return &g.CPUPriority })},
	{Name: "memory-limit", Value: "bytes", Default: "0 (off)", Doc: "Limit of the data segment (`RLIMIT_DATA`).",
		set: bytesOption(func(g *DaemonGroup) *int64 { return &g.MemoryLimit })},
	{Name: "virtual-memory-limit", Value: "bytes", Default: "0 (off)", Doc: "Limit of the address space (`RLIMIT_AS`).",
		set: bytesOption(func(g *DaemonGroup) *int64 { return &g.VirtualMemoryLimit })},
	{Name: "server-metrics", Value: "On or Off", Default: "Off", Since: "4.2.0", Doc: "Whether `mod_wsgi.server_metrics()` returns data in this group.",
		set: func(o *optionValue, g *DaemonGroup) {
			var value Tristate
			flagOption(func(*DaemonGroup) *Tristate { return &value })(o, g)
			g.ServerMetrics = value == On
		}},
	{Name: "newrelic-config-file", Value: "path", Default: "none", Since: "4.1.0", AllowEmpty: true, Effect: Never,
		Doc: "the New Relic agent is no longer started here and the option does nothing; start the agent in the application", set: ignoreOption},
	{Name: "newrelic-environment", Value: "name", Default: "none", Since: "4.1.0", AllowEmpty: true, Effect: Never,
		Doc: "the New Relic agent is no longer started here and the option does nothing; start the agent in the application", set: ignoreOption},
}

func ignoreOption(*optionValue, *DaemonGroup) {}

func durationOption(unit time.Duration, field func(*DaemonGroup) *time.Duration) func(*optionValue, *DaemonGroup) {
	return func(o *optionValue, g *DaemonGroup) {
		if n, ok := readInteger(o, o.text, 0, math.MaxInt32); ok {
			*field(g) = time.Duration(n) * unit
		}
	}
}

func secondsOption(field func(*DaemonGroup) *time.Duration) func(*optionValue, *DaemonGroup) {
	return durationOption(time.Second, field)
}

// sizeOption accepts 0, which stands for the default, and sizes from least on.
func sizeOption(least int, field func(*DaemonGroup) *int) func(*optionValue, *DaemonGroup) {
	return func(o *optionValue, g *DaemonGroup) {
		n, ok := readInteger(o, o.text, 0, math.MaxInt32)
		switch {
		case !ok:
		case n != 0 && int(n) < least:
			o.errorf(0, "%d is too small; accepted is 0 (the default) or a number of bytes from %d on", n, least)
		default:
			*field(g) = int(n)
		}
	}
}

func bytesOption(field func(*DaemonGroup) *int64) func(*optionValue, *DaemonGroup) {
	return func(o *optionValue, g *DaemonGroup) {
		if n, ok := readInteger(o, o.text, 0, math.MaxInt64); ok {
			*field(g) = n
		}
	}
}

func absolutePathOption(field func(*DaemonGroup) *string) func(*optionValue, *DaemonGroup) {
	return func(o *optionValue, g *DaemonGroup) {
		if !strings.HasPrefix(o.text, "/") {
			o.errorf(0, "%q is no absolute path; it has to begin with a slash", o.text)
			return
		}
		*field(g) = o.text
	}
}

func setChroot(o *optionValue, g *DaemonGroup) {
	absolutePathOption(func(g *DaemonGroup) *string { return &g.Chroot })(o, g)
	if euid := o.builder.config.Facts["euid"]; g.Chroot != "" && euid != "" && euid != "0" {
		o.errorf(0, "it needs an Apache that is started as root, not as user #%s", euid)
	}
}

func setUmask(o *optionValue, g *DaemonGroup) {
	text := strings.TrimPrefix(strings.TrimLeft(o.text, " \t"), "+")
	mask, err := strconv.ParseUint(text, 8, 31)
	if err != nil {
		o.errorf(0, "%q is not accepted; write an octal number such as 027", o.text)
		return
	}
	if mask > 0o777 {
		o.warnf(0, "only the last three octal digits of %q count", o.text)
	}
	g.Umask = int(mask)
}

// accountOption reads the form of a user or group only. Whether it exists is known to Check (accounts.go): a child has no
// reason to ask, and under a changed root directory no means.
func accountOption(field func(*DaemonGroup) *Account) func(*optionValue, *DaemonGroup) {
	return func(o *optionValue, g *DaemonGroup) {
		if account, ok := readAccount(o, o.text); ok {
			*field(g) = account
		}
	}
}

func readAccount(o *optionValue, text string) (Account, bool) {
	if id, numeric := strings.CutPrefix(text, "#"); numeric {
		if _, err := strconv.ParseUint(id, 10, 31); err != nil {
			o.errorf(0, "%q is not accepted; write a name, or '#' and a number", text)
			return "", false
		}
	}
	return Account(text), true
}

func setSupplementaryGroups(o *optionValue, g *DaemonGroup) {
	g.SupplementaryGroups = []Account{}
	for _, name := range strings.Split(o.text, ",") {
		if name == "" {
			if o.text != "" {
				o.warnf(0, "an empty name in %q is ignored", o.text)
			}
			continue
		}
		if account, ok := readAccount(o, name); ok {
			g.SupplementaryGroups = append(g.SupplementaryGroups, account)
		}
	}
	if n := len(g.SupplementaryGroups); n >= maxSupplementaryGroups {
		o.errorf(0, "%d groups are more than the system allows, %d with the primary one", n, maxSupplementaryGroups)
	}
}

// maxSupplementaryGroups is Linux' NGROUPS_MAX.
const maxSupplementaryGroups = 65536

func splitPath(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ":")
}

// readInterval reads a number of seconds above 0, as sys.setswitchinterval wants it.
func readInterval(r reporter, text string) (time.Duration, bool) {
	seconds, ok := readSeconds(text)
	if !ok || seconds <= 0 {
		r.errorf(0, "%q is not accepted; write a number of seconds above 0, such as 0.005", text)
		return 0, false
	}
	return max(1, secondsDuration(seconds)), true
}
