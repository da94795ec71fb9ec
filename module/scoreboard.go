package module

/*
#include "edge.h"

static char mw_worker_status(int status)
{
	return status >= 0 && status < MW_WORKER_STATES ? mw_worker_states[status] : '?';
}
*/
import "C"

import (
	"encoding/json"
	"strconv"
	"time"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/directives"
)

// seconds since the epoch are a float for Python even where they are whole. Apache's times are microseconds.
type seconds C.int64_t

func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s)/1e6, 'f', 6, 64), nil
}

// What mod_wsgi.server_metrics() says, as JSON.
type serverScore struct {
	ServerLimit       int            `json:"server_limit"`
	ThreadLimit       int            `json:"thread_limit"`
	RunningGeneration int            `json:"running_generation"`
	RestartTime       seconds        `json:"restart_time"`
	CurrentTime       seconds        `json:"current_time"`
	RunningTime       int            `json:"running_time"`
	Processes         []processScore `json:"processes"`
}

type processScore struct {
	Number     int           `json:"process_num"`
	PID        int           `json:"pid"`
	Generation int           `json:"generation"`
	Quiescing  bool          `json:"quiescing"`
	Workers    []workerScore `json:"workers"`
}

type workerScore struct {
	Number      int     `json:"thread_num"`
	Generation  int     `json:"generation"`
	Status      string  `json:"status"`
	AccessCount uint64  `json:"access_count"`
	BytesServed uint64  `json:"bytes_served"`
	StartTime   seconds `json:"start_time"`
	StopTime    seconds `json:"stop_time"`
	LastUsed    seconds `json:"last_used"`
	Client      string  `json:"client"`
	Request     string  `json:"request"`
	VHost       string  `json:"vhost"`
}

// serverMetrics reads Apache's scoreboard; nil if there is none.
func serverMetrics() []byte {
	var global C.mw_server_score
	if !C.mw_scoreboard_limits(&global) {
		return nil
	}
	now := seconds(time.Now().UnixMicro())
	score := serverScore{
		ServerLimit: int(global.server_limit), ThreadLimit: int(global.thread_limit), RunningGeneration: int(global.generation),
		RestartTime: seconds(global.restart_time), CurrentTime: now, RunningTime: int(now-seconds(global.restart_time)) / 1e6,
	}
	for i := range score.ServerLimit {
		var process C.mw_process_score
		C.mw_scoreboard_process(C.int(i), &process)
		p := processScore{Number: i, PID: int(process.pid), Generation: int(process.generation), Quiescing: bool(process.quiescing)}
		for j := range score.ThreadLimit {
			p.Workers = append(p.Workers, readWorker(i, j))
		}
		score.Processes = append(score.Processes, p)
	}
	text, err := json.Marshal(score)
	if err != nil { // not for these types
		return nil
	}
	return text
}

func readWorker(process, thread int) workerScore {
	var w C.mw_worker_score
	C.mw_scoreboard_worker(C.int(process), C.int(thread), &w)
	return workerScore{
		Number: thread, Generation: int(w.generation), Status: string(rune(C.mw_worker_status(w.status))),
		AccessCount: uint64(w.access_count), BytesServed: uint64(w.bytes_served),
		StartTime: seconds(w.start_time), StopTime: seconds(w.stop_time), LastUsed: seconds(w.last_used),
		Client: latin1(w.client[:]), Request: latin1(w.request[:]), VHost: latin1(w.vhost[:]),
	}
}

// latin1 is the text of a C array, each byte of which is a character for Python.
func latin1(bytes []C.char) string {
	var text []rune
	for _, c := range bytes {
		if c == 0 {
			break
		}
		text = append(text, rune(byte(c)))
	}
	return string(text)
}

// answerDaemonProcesses lets those see the scoreboard whose group has server-metrics=On. It never ends.
func answerDaemonProcesses(config *directives.Config, board *C.mwd_board) {
	daemon.AwaitBoard(unsafe.Pointer(board))
	daemon.MailboxOf(unsafe.Pointer(board), daemon.Slots(config.Process.Groups)).Serve(serverMetrics)
}

func anyServerMetrics(groups []*directives.DaemonGroup) bool {
	for _, g := range groups {
		if g.ServerMetrics {
			return true
		}
	}
	return false
}
