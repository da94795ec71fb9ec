package steadyload

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Plan says what is sent.
type Plan struct {
	Address   string // of the server, host:port
	Path      string
	Clients   int
	PerSecond int   // of all clients; 0: each sends the next request as soon as it has an answer, as wrk does
	First     int64 // number of the first request
	// OneShot is the number of clients that open a connection for each request; the others keep theirs.
	OneShot int
	// Patience is how long a client waits for an answer; past it the request has failed.
	Patience time.Duration
}

// A Shot is one request and what became of it.
type Shot struct {
	Number int64
	At     time.Duration // since the beginning of the load
	Took   time.Duration
	Status int // 0: there was no whole answer
	Body   string
	Err    error
	// Reconnected: the connection that it was first sent on had been closed by the server before anything of an answer came. HTTP lets a
	// server close an idle connection at any time, and a client send what is safe to repeat once more (RFC 9112, section 9.3.1).
	Reconnected bool
}

// Failed tells whether the client did not get what it asked for.
func (s *Shot) Failed() bool { return s.Err != nil || s.Status != 200 }

// A Load that is under way.
type Load struct {
	plan    Plan
	began   time.Time
	over    chan struct{}
	clients sync.WaitGroup
	numbers atomic.Int64

	mu    sync.Mutex
	shots []Shot
}

// Start begins to send.
func Start(p Plan) *Load {
	l := &Load{plan: p, began: time.Now(), over: make(chan struct{})}
	var pause time.Duration
	if p.PerSecond > 0 {
		pause = time.Duration(p.Clients) * time.Second / time.Duration(p.PerSecond)
	}
	for i := range p.Clients {
		first := pause * time.Duration(i) / time.Duration(p.Clients)
		// Every n-th client is a one-shot, so that both kinds are spread over the turns.
		oneShot := (i+1)*p.OneShot/p.Clients != i*p.OneShot/p.Clients
		l.clients.Go(func() { l.send(&client{address: p.Address, patience: p.Patience, oneShot: oneShot}, first, pause) })
	}
	return l
}

// Since is how long the load has been under way: a Shot.At of now.
func (l *Load) Since() time.Duration { return time.Since(l.began) }

// Stop ends the load, waits for the answers that are still to come, and returns every request in the order of their numbers.
func (l *Load) Stop() []Shot {
	close(l.over)
	l.clients.Wait()
	sorted := make([]Shot, len(l.shots))
	for _, s := range l.shots {
		sorted[s.Number-l.plan.First] = s
	}
	return sorted
}

func (l *Load) send(c *client, turn, pause time.Duration) {
	defer c.close()
	var mine []Shot
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shots = append(l.shots, mine...)
	}()
	for ; ; turn += pause {
		at := turn
		if wait := turn - l.Since(); wait > 0 {
			select {
			case <-l.over:
				return
			case <-time.After(wait):
			}
			at = l.Since()
		}
		if pause == 0 {
			at = l.Since()
		}
		select {
		case <-l.over:
			return
		default:
		}
		s := Shot{Number: l.plan.First + l.numbers.Add(1) - 1, At: at}
		c.get(l.plan.Path, &s)
		s.Took = l.Since() - at
		mine = append(mine, s)
	}
}
