package module

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"modwsgi/directives"
	"modwsgi/interp"
)

// groupFault words what goes wrong on the way of a request to a daemon process group. detail begins with the group's name; a second
// line is what the C edge knows. limits are the group's options, nil if there is no such group.
func groupFault(f *interp.Fault, detail string, limits *directives.DaemonGroup) *interp.Fault {
	name, detail, _ := strings.Cut(detail, "\n")
	detail, peer := readPeer(detail)
	group := fmt.Sprintf("process group '%s'", name)
	if limits == nil {
		limits = &directives.DaemonGroup{}
	}
	if why, ok := ownerReasons[f.Code]; ok {
		f.Status, f.Reason = http.StatusForbidden, ownerReason(why, group, detail, limits)
		return f
	}
	switch f.Code {
	case 80:
		f.Status, f.Reason = http.StatusBadGateway, group+" can't take the request: "+detail
	case 84:
		f.Status = http.StatusGatewayTimeout
		f.Reason = fmt.Sprintf("it waited longer than queue-timeout=%.0f of %s, and no thread became free", limits.QueueTimeout.Seconds(), group)
	case 115, 117, 129:
		f.Reason = "no connection to a process of " + group + ": " + detail
		if f.Code == 117 {
			f.Status = http.StatusServiceUnavailable
			f.Reason += "; every folder of WSGISocketPrefix must let Apache's User pass"
		}
	case 116:
		f.Status = http.StatusServiceUnavailable
		switch detail {
		case "full":
			f.Reason = fmt.Sprintf("no thread of %s is free, and more than listen-backlog=%d requests waited for the whole of connect-timeout=%.0f",
				group, limits.ListenBacklog, limits.ConnectTimeout.Seconds())
		case "":
			f.Reason = peer.missing(group, limits)
		default:
			f.Reason = group + " is not there: " + detail
		}
	case 119:
		f.Op, f.Reason = "finish a request of", "in the middle of its answer, "+peer.lost(group, detail, limits)
	case 120:
		f.Op, f.Reason = "finish a request of", "the client took no more of the answer in time"
		if seconds := cmp.Or(limits.ResponseSocketTimeout, limits.SocketTimeout).Seconds(); seconds > 0 {
			f.Reason += fmt.Sprintf(" (response-socket-timeout=%.0f of %s)", seconds, group)
		} else {
			f.Reason += fmt.Sprintf(" (Timeout %s; %s)", detail, group)
		}
	case 121:
		f.Reason = "no request can be sent to a process: " + peer.lost(group, detail, limits)
	case 124:
		f.Status = http.StatusServiceUnavailable
		f.Reason = fmt.Sprintf("%d processes of %s in turn sent it back since the script had changed", 2*limits.MostProcesses()+1, group)
	case 144:
		f.Reason = fmt.Sprintf("%s answered with a header '%s' that is longer than header-buffer-size allows (%d bytes)", group, detail,
			headerBuffer(limits)-2)
	case 145:
		f.Status = http.StatusGatewayTimeout
		f.Reason = peer.name(group) + " did not begin an answer in time" + peer.patience(limits)
		if peer.pid == 0 && detail == "" {
			f.Reason = "no thread of " + group + " became free in time" + peer.patience(limits)
		}
	case 146, 147:
		f.Status = http.StatusBadGateway
		f.Reason = "before it answered, " + peer.lost(group, detail, limits)
	case 149:
		f.Reason = group + " is not one of those that WSGIRestrictProcess allows here"
		if name == "" {
			f.Reason = "it would run embedded, and WSGIRestrictProcess does not allow %{GLOBAL} here"
		}
	case 150:
		f.Reason = group + " does not exist: there is no WSGIDaemonProcess at all"
	case 151:
		f.Reason = group + " is not declared by any WSGIDaemonProcess"
	case 152:
		f.Reason = group + " belongs to another virtual host, with another ServerName"
	case 310:
		f.Op, f.Reason = "keep the answer of", fmt.Sprintf("%s (buffer-size=%d, buffer-memory=%d of %s): from here on the application waits for its slow client",
			detail, limits.BufferSize, limits.BufferMemory, group)
	case 311:
		f.Op, f.Reason = "keep the request's body for", fmt.Sprintf("%s (request-buffer=%d, buffer-memory=%d of %s): the application has to wait for its slow client",
			detail, limits.RequestBuffer, limits.BufferMemory, group)
	default:
		f.Reason = fmt.Sprintf("internal error on the way to %s: %s", group, detail)
	}
	return f
}

// ownerReasons are what script-user= and script-group= find wrong.
var ownerReasons = map[int]string{
	153: "the group of the file is not known",
	155: "the file belongs to another group",
	157: "everybody may write to the file",
	158: "the group of its folder %s is not known",
	160: "its folder %s belongs to another group",
	161: "everybody may write to its folder %s",
	162: "the owner of the file is not known",
	164: "the file belongs to another user",
	166: "a group may write to the file",
	168: "everybody may write to the file",
	169: "the owner of its folder %s is not known",
	171: "its folder %s belongs to another user",
	172: "everybody may write to its folder %s",
	173: "a group may write to its folder %s",
}

func ownerReason(why, group, folder string, limits *directives.DaemonGroup) string {
	option := fmt.Sprintf("script-user=%s", limits.ScriptUser)
	if limits.ScriptGroup != "" {
		option = fmt.Sprintf("script-group=%s", limits.ScriptGroup)
	}
	return fmt.Sprintf("%s has %s, and %s", group, option, strings.Replace(why, "%s", folder, 1))
}

func headerBuffer(g *directives.DaemonGroup) int {
	if g.HeaderBufferSize > 0 {
		return g.HeaderBufferSize
	}
	return defaultHeaderBuffer
}
