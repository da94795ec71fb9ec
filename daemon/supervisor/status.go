package supervisor

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"strconv"
	"sync"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/admin"
)

const (
	// answerWithin is how long a process may take to say what it does.
	answerWithin = 2 * time.Second
	// longestAnswer bounds what is read of it: it runs other people's code.
	longestAnswer = 16 << 20
)

// status asks every process.
func (s *Supervisor) status() admin.Status {
	apache, _ := strconv.Atoi(s.config.Facts["parent_pid"])
	generation, _ := strconv.Atoi(s.config.Facts["generation"]) // both are numbers that we have written
	status := admin.Status{Apache: apache, Generation: generation, Supervisor: os.Getpid(), Replaced: s.replaced.Load(),
		Groups: make([]admin.Group, len(s.groups))}
	var asked sync.WaitGroup
	for i, g := range s.groups {
		asked.Go(func() { status.Groups[i] = g.status() })
	}
	asked.Wait()
	return status
}

func (g *group) status() admin.Group {
	status := admin.Group{Name: g.config.Name, MinimumProcesses: g.config.LeastProcesses(), MaximumProcesses: len(g.places), Threads: g.config.Threads, Members: []admin.Process{}}
	answers := g.ask(daemon.Report, func() {
		queue := g.board.Queue(g.number)
		status.Waiting, status.Oldest, status.Restarts = queue.Waiting, queue.Oldest.Seconds(), maps.Clone(g.restarts)
		status.Processes, status.NextStart = g.wanted(), g.nextStart()
		for _, m := range g.members {
			if m != nil {
				status.Members = append(status.Members, m.describe())
			}
		}
	})
	for i, a := range answers {
		p := &status.Members[i]
		if a.err == nil {
			a.err = json.Unmarshal(a.text, &p.Report)
		}
		if a.err != nil {
			p.Report, p.Error = nil, "does not answer: "+a.err.Error()
		}
	}
	return status
}

func (g *group) stacks() []admin.Stacks {
	all := []admin.Stacks{}
	answers := g.ask(daemon.Stacks, func() {
		for _, m := range g.members {
			if m != nil {
				all = append(all, admin.Stacks{PID: m.process.pid()})
			}
		}
	})
	for i, a := range answers {
		switch {
		case errors.Is(a.err, os.ErrDeadlineExceeded):
			all[i].Error = "its interpreter lock is not free: C code keeps it, or it is stuck"
		case a.err != nil:
			all[i].Error = "does not answer: " + a.err.Error()
		default:
			var report daemon.StacksReport
			if err := json.Unmarshal(a.text, &report); err != nil {
				report.Error = "does not answer: " + err.Error()
			}
			all[i].Text, all[i].Error = report.Text, report.Error
		}
	}
	return all
}

// An answer is what a process said, or why it said nothing.
type answer struct {
	text []byte
	err  error
}

// ask has every process answer, in the order of g.members, after `before` was called on the group's goroutine.
func (g *group) ask(kind daemon.OrderKind, before func()) []answer {
	var pipes []*os.File
	var answers []answer
	g.do(func() {
		before()
		for _, m := range g.members {
			if m != nil {
				pipe, err := m.process.ask(kind)
				pipes, answers = append(pipes, pipe), append(answers, answer{err: err})
			}
		}
	})
	var asked sync.WaitGroup
	for i, pipe := range pipes {
		if pipe != nil {
			asked.Go(func() { answers[i].text, answers[i].err = readAnswer(pipe) })
		}
	}
	asked.Wait()
	return answers
}

func readAnswer(pipe *os.File) ([]byte, error) {
	defer pipe.Close()
	if err := pipe.SetReadDeadline(time.Now().Add(answerWithin)); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(pipe, longestAnswer))
	if err == nil && len(text) == 0 {
		err = errors.New("it has ended")
	}
	return text, err
}

// nextStart is how long a missing process has to wait.
func (g *group) nextStart() *float64 {
	var soonest *float64
	for i := range g.places {
		wait := time.Until(g.places[i].retry.before).Seconds()
		if g.places[i].current == nil && wait > 0 && (soonest == nil || wait < *soonest) {
			soonest = &wait
		}
	}
	return soonest
}

func (m *member) describe() admin.Process {
	p := admin.Process{PID: m.process.pid(), Serial: m.serial, Started: m.started, Age: time.Since(m.started).Seconds(), Reason: m.reason}
	switch {
	case m.shutting:
		p.State = admin.Ending
	case m.reason != "":
		p.State = admin.Retiring
	case m.ready.IsZero():
		p.State = admin.Starting
	case m.due != "":
		p.State, p.Reason = admin.Due, m.due
	default:
		p.State = admin.Ready
	}
	return p
}
