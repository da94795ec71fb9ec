package telemetry

import (
	"cmp"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"modwsgi/daemon/telemetry/datagram"
	"modwsgi/interp"
)

// mostRunning slow requests are told of in one interval: the slowest.
const mostRunning = 16

// recent keeps what is over until it is sent: the oldest are forgotten when there are too many.
type recent struct {
	mu   sync.Mutex
	most int
	list []*interp.Glimpse // the oldest first
}

// newRecent has room for what can be over in an interval, if every thread has nothing but slow requests, five times over.
func newRecent(threads int, interval, limit time.Duration) *recent {
	const least, largest, spare = 32, 4096, 5
	perThread := math.Ceil(float64(interval) / float64(max(limit, 1)))
	return &recent{most: int(min(max(float64(threads)*perThread*spare, least), largest))}
}

func (r *recent) add(g *interp.Glimpse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) >= r.most {
		r.list = slices.Delete(r.list, 0, len(r.list)-r.most+1)
	}
	r.list = append(r.list, g)
}

func (r *recent) take() []*interp.Glimpse {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// sendSlowRequests tells of those that are over since the last time, and of those that run. The mutex is held.
func (s *service) sendSlowRequests() {
	if s.slow == 0 {
		return
	}
	running := slices.DeleteFunc(interp.RunningRequests(), func(r interp.Running) bool { return r.Elapsed < s.slow })
	for _, g := range s.over.take() { // after the look at what runs: a request is not said to run when it was said to be over
		s.sendSlowRequest(g)
	}
	for _, r := range slowest(running) {
		if g, runs := r.Request.Look(); runs {
			s.sendSlowRequest(g)
		}
	}
}

// slowest sorts, and cuts.
func slowest(running []interp.Running) []interp.Running {
	slices.SortFunc(running, func(a, b interp.Running) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	return running[:min(len(running), mostRunning)]
}

func (s *service) sendSlowRequest(g *interp.Glimpse) {
	end := g.End
	if end == nil {
		end = &interp.RequestEnd{} // what is not known yet is sent as 0
	}
	s.send(datagram.SlowRequest, func(r *datagram.Record) {
		r.Unsigned(datagram.SlowState, truth(g.End != nil))
		r.Double(datagram.SlowStartStamp, g.RequestStart)
		r.Double(datagram.SlowDuration, g.Elapsed.Seconds())
		r.Unsigned(datagram.SlowThreadID, uint64(g.ThreadID))
		r.Unsigned(datagram.SlowServerPID, uint64(g.ServerPID))
		r.Text(datagram.SlowLogID, 63, g.LogID)
		s.addRequest(r, g)
		addWay(r, g, end)
		addMeasures(r, end)
		r.Unsigned(datagram.SlowStatus, uint64(end.Status))
		r.Double(datagram.SlowCPUUserTime, end.CPUUser)
		r.Double(datagram.SlowCPUSystemTime, end.CPUSystem)
		r.Unsigned(datagram.SlowActiveAtStart, g.ActiveAtStart)
		r.Unsigned(datagram.SlowActiveAtCompletion, end.Active)
	})
}

// addRequest: never the query string.
func (s *service) addRequest(r *datagram.Record, g *interp.Glimpse) {
	r.Text(datagram.SlowMethod, 15, g.Method)
	r.Text(datagram.SlowScheme, 15, g.Scheme)
	r.Text(datagram.SlowHostname, 255, withoutPort(g.Host))
	r.Text(datagram.SlowScriptName, 255, g.ScriptName)
	r.Text(datagram.SlowPathInfo, 511, g.PathInfo)
	r.Text(datagram.SlowProtocol, 15, g.Protocol)
	r.Text(datagram.SlowPeerIP, 45, g.Peer)
	if s.agents {
		r.Text(datagram.SlowUserAgent, 511, g.UserAgent)
	}
}

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// addWay: how long each part of the way took, the present one so far.
func addWay(r *datagram.Record, g *interp.Glimpse, end *interp.RequestEnd) {
	moments := []float64{g.RequestStart, g.QueueStart, g.DaemonStart, g.ApplicationStart, cmp.Or(end.ApplicationFinish, g.RequestStart+g.Elapsed.Seconds())}
	for i := len(moments) - 2; i > 0; i-- { // a part that the request has not come to, or that there is none of, takes no time
		if moments[i] == 0 {
			moments[i] = moments[i+1]
		}
	}
	for i, f := range []datagram.Field{datagram.SlowServerTime, datagram.SlowQueueTime, datagram.SlowDaemonTime, datagram.SlowApplicationTime} {
		r.Double(f, max(0, moments[i+1]-moments[i]))
	}
}

func addMeasures(r *datagram.Record, end *interp.RequestEnd) {
	r.Double(datagram.SlowGILWaitTime, end.GILWait)
	r.Unsigned(datagram.SlowGILWaitCount, end.GILWaits)
	r.Unsigned(datagram.SlowInputBytes, end.InputBytes)
	r.Unsigned(datagram.SlowOutputBytes, end.OutputBytes)
	r.Unsigned(datagram.SlowInputReads, end.InputReads)
	r.Unsigned(datagram.SlowOutputWrites, end.OutputWrites)
	r.Double(datagram.SlowInputReadTime, end.InputTime)
	r.Double(datagram.SlowOutputWriteTime, end.OutputTime)
}
