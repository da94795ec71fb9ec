package steadyload

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func start(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func plan(address string) Plan {
	return Plan{Address: address, Path: "/", Clients: 4, PerSecond: 400, OneShot: 2, Patience: 10 * time.Second}
}

// during runs the load until so many requests were answered or have failed.
func during(t *testing.T, p Plan, n int64, done *atomic.Int64) []Shot {
	t.Helper()
	l := Start(p)
	for end := time.Now().Add(10 * time.Second); done.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d requests came", done.Load(), n)
		}
	}
	return l.Stop()
}

func TestEveryRequestIsKept(t *testing.T) {
	var served, connections atomic.Int64
	seen := map[string]bool{}
	turn := make(chan struct{}, 1)
	address := start(t, func(w http.ResponseWriter, r *http.Request) {
		turn <- struct{}{}
		if seen[r.FormValue("n")] {
			t.Errorf("request %s came twice", r.FormValue("n"))
		}
		seen[r.FormValue("n")] = true
		if r.Close {
			connections.Add(1)
		}
		<-turn
		if served.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, r.FormValue("n"))
	})
	p := plan(address)
	p.First = 1000
	shots := during(t, p, 100, &served)
	if int64(len(shots)) != served.Load() {
		t.Errorf("%d requests were served, %d are known", served.Load(), len(shots))
	}
	for i, s := range shots {
		if s.Number != 1000+int64(i) || s.Body != fmt.Sprint(s.Number) || s.Err != nil {
			t.Fatalf("shot %d is %+v", i, s)
		}
	}
	if failed := len(Failed(shots)); failed != len(shots)/10 {
		t.Errorf("%d of %d have failed", failed, len(shots))
	}
	if n := int(connections.Load()); n < len(shots)/3 || n > len(shots)*2/3 {
		t.Errorf("%d of %d requests had a connection of their own, half of the clients were to", n, len(shots))
	}
}

// startSlow plays a server whose first answer takes 200 ms.
func startSlow(t *testing.T) (address string, served *atomic.Int64) {
	served = new(atomic.Int64)
	return start(t, func(http.ResponseWriter, *http.Request) {
		if served.Add(1) == 1 {
			time.Sleep(200 * time.Millisecond)
		}
	}), served
}

func TestWhoWaitsForAClientCounts(t *testing.T) {
	address, served := startSlow(t)
	p := plan(address)
	p.Clients, p.OneShot, p.PerSecond = 1, 0, 100
	shots := during(t, p, 40, served)
	// 20 requests were due while the first one ran: the last of those is hardly late, the first by all of the 200 ms.
	late := 0
	for _, s := range shots {
		if s.Took > 50*time.Millisecond {
			late++
		}
	}
	if late < 10 {
		t.Errorf("%d requests had to wait", late)
	}
	if longest := Quantile(shots, 1); longest < 200*time.Millisecond {
		t.Errorf("the longest took %v", longest)
	}
}

func TestWithoutARateRequestsFollowAnswers(t *testing.T) {
	address, served := startSlow(t)
	p := plan(address)
	p.Clients, p.OneShot, p.PerSecond = 1, 0, 0
	shots := during(t, p, 40, served)
	for i, s := range shots[1:] {
		if before := shots[i]; s.At < before.At+before.Took {
			t.Fatalf("request %d was sent before the one before was answered: %+v, %+v", s.Number, before, s)
		}
	}
	if shots[0].Took < 200*time.Millisecond {
		t.Errorf("the first took %v", shots[0].Took)
	}
}

// respond plays a server that answers the first request of a connection, and does something else with the second.
func respond(t *testing.T, second func(net.Conn)) (address string, answered *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	answered = &atomic.Int64{}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				block := make([]byte, 4096)
				if _, err := c.Read(block); err != nil {
					return
				}
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
				answered.Add(1)
				if _, err := c.Read(block); err == nil {
					second(c)
				}
			}()
		}
	}()
	return listener.Addr().String(), answered
}

func TestAConnectionThatWasClosedBetweenRequestsIsNoFailure(t *testing.T) {
	address, answered := respond(t, func(net.Conn) {})
	p := plan(address)
	p.OneShot = 0
	shots := during(t, p, 40, answered)
	reconnected := 0
	for _, s := range shots {
		if s.Failed() {
			t.Errorf("failed: %+v", s)
		}
		if s.Reconnected {
			reconnected++
		}
	}
	if reconnected < 30 {
		t.Errorf("%d of %d requests needed another connection", reconnected, len(shots))
	}
}

func TestAnAnswerThatIsCutIsAFailure(t *testing.T) {
	for name, answer := range map[string]string{"in its head": "HTTP/1.1 200", "in its body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"} {
		address, answered := respond(t, func(c net.Conn) { fmt.Fprint(c, answer) })
		p := plan(address)
		p.OneShot = 0
		if failed := len(Failed(during(t, p, 20, answered))); failed < 15 {
			t.Errorf("%s: %d have failed", name, failed)
		}
	}
}
