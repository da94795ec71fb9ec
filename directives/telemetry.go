package directives

import "strings"

const (
	telemetryPrefix       = "unix:"
	telemetryInterval     = "interval="
	shortestTelemetryTick = 0.5 // seconds
)

func readTelemetryService(a *arguments, t *target) {
	path, isSocket := strings.CutPrefix(a.next(), telemetryPrefix)
	second := a.next()
	if a.rest != "" {
		a.errorf(0, "takes one or two arguments, %s", a.directive.Syntax)
		return
	}
	if !isSocket || path == "" {
		a.errorf(0, "the target has to be unix: and the path of a socket")
		return
	}
	if second != "" {
		text, ok := strings.CutPrefix(second, telemetryInterval)
		if !ok {
			a.errorf(0, "%q is not accepted as the second argument; write interval=seconds", second)
			return
		}
		seconds, ignored := secondsPrefix(text)
		if seconds < shortestTelemetryTick {
			a.errorf(0, "interval %q is not accepted; write a number of seconds from 0.5 on", text)
			return
		}
		if ignored != "" {
			a.warnf(0, "interval=%s is read as %g; write a number of seconds", text, seconds)
		}
		t.process.TelemetryInterval = secondsDuration(seconds)
	}
	t.process.TelemetryTarget = path
}

func readSlowRequests(a *arguments, t *target) {
	word, ok := a.single()
	if !ok {
		return
	}
	seconds, ignored := secondsPrefix(word)
	if seconds < 0 {
		a.errorf(0, "%q is not accepted; write a number of seconds, 0 to switch it off", word)
		return
	}
	if ignored != "" {
		a.warnf(0, "%q is read as %g; write a number of seconds", word, seconds)
	}
	t.process.SlowRequests = secondsDuration(seconds)
}

const captureUserAgent = "CaptureUserAgent"

// readTelemetryOptions reads flags. "+Flag" and "-Flag" change the set, bare flags replace it, None and All stand for
// whole sets; a line holds either kind.
func readTelemetryOptions(a *arguments, t *target) {
	if !a.more() {
		a.errorf(0, "takes at least one argument, %s", a.directive.Syntax)
		return
	}
	capture, replaced, changed := t.process.CaptureUserAgent, false, false
	for a.more() {
		word := a.next()
		flag := strings.TrimLeft(word, "+-")
		relative := flag != word
		if relative {
			flag = word[1:]
		}
		whole := strings.EqualFold(flag, "None") || strings.EqualFold(flag, "All")
		switch {
		case flag == "":
			a.errorf(0, "%q names no flag; accepted is %s, with or without '+' or '-', None and All", word, captureUserAgent)
		case relative && whole:
			a.errorf(0, "%q is not accepted; %s stands alone, without '+' or '-'", word, flag)
		case !whole && !strings.EqualFold(flag, captureUserAgent):
			a.errorf(0, "unknown flag %q; accepted are %s, None and All%s", flag, captureUserAgent,
				suggestion(flag, []string{captureUserAgent, "None", "All"}))
		}
		if relative {
			changed, capture = true, word[0] == '+'
		} else {
			replaced, capture = true, !strings.EqualFold(flag, "None")
		}
	}
	if replaced && changed {
		a.errorf(0, "flags with and without '+' or '-' are mixed on one line")
	}
	if !a.failed {
		t.process.CaptureUserAgent = capture
	}
}
