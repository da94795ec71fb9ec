package server

import (
	"sync"
	"time"

	"modwsgi/daemon"
	"modwsgi/interp"
)

// answerPatience is how long a request waits for what the supervisor knows. Without an answer it does what a process does that is alone.
const answerPatience = time.Second

// questions are those to the supervisor that are not answered yet. Request threads ask, the monitor hears the answers.
type questions struct {
	mu   sync.Mutex // guards what follows
	last uint32
	open map[uint32]chan daemon.Order
}

func (q *questions) pose() (number uint32, answer chan daemon.Order) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		q.open = map[uint32]chan daemon.Order{}
	}
	q.last++
	answer = make(chan daemon.Order, 1)
	q.open[q.last] = answer
	return q.last, answer
}

func (q *questions) drop(number uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, number)
}

func (q *questions) answer(order daemon.Order) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if answer := q.open[order.Number]; answer != nil {
		answer <- order
		delete(q.open, order.Number)
	}
}

// siblings asks the supervisor what other processes of the group have loaded of a script.
func (p *process) siblings(script, group string, now interp.Version) interp.Siblings {
	number, answer := p.questions.pose()
	defer p.questions.drop(number)
	p.tell(daemon.Notice{Kind: daemon.Question, Number: number, Load: &daemon.Load{Version: daemon.FileVersion(now),
		Application: daemon.Application{Script: daemon.Text(script), Group: daemon.Text(group)}}})
	select {
	case order := <-answer:
		return interp.Siblings{Have: order.Have, Same: order.Same, Bad: order.Bad}
	case <-time.After(answerPatience):
		return interp.Siblings{}
	}
}
