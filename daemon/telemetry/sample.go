package telemetry

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/telemetry/datagram"
	"modwsgi/interp"
)

const (
	longestName = 255 // bytes of a text for which nothing else is said
	mostSlots   = 128 // threads that a sample speaks of
)

func (s *service) addIdentity(r *datagram.Record) {
	id := &s.identity
	r.Text(datagram.ModWSGIVersion, longestName, id.module)
	r.Text(datagram.PythonVersion, longestName, id.python)
	r.Text(datagram.ApacheVersion, longestName, id.apache)
	r.Text(datagram.MPMName, longestName, id.mpm)
	r.Text(datagram.Hostname, longestName, s.hostname)
	r.Text(datagram.ProcessGroup, longestName, id.group)
	r.Unsigned(datagram.ProcessParentPID, id.parent)
}

func (s *service) addSwitchInterval(r *datagram.Record) {
	if s.switchInterval > 0 {
		r.Double(datagram.SwitchInterval, s.switchInterval)
	}
}

// sendSample tells what all threads have done since the last one. It returns the number of requests since the process began. The mutex is held.
func (s *service) sendSample() (lifetime uint64) {
	m, ok := interp.DrainMetrics()
	if !ok {
		return 0
	}
	rss, peak := residentMemory()
	s.send(datagram.RequestMetrics, func(r *datagram.Record) {
		s.addIdentity(r)
		r.Double(datagram.TelemetryInterval, s.interval.Seconds())
		r.Double(datagram.SlowRequestsThreshold, s.slow.Seconds())
		s.addSwitchInterval(r)
		addRates(r, &m)
		if rss > 0 {
			r.Unsigned(datagram.MemoryRSS, rss)
		}
		r.Unsigned(datagram.MemoryMaxRSS, peak)
		addPhases(r, &m, s.identity.group != "")
		r.Unsigned(datagram.InputBytesTotal, m.InputBytes)
		r.Unsigned(datagram.OutputBytesTotal, m.OutputBytes)
		r.Unsigned(datagram.InputReadsTotal, m.InputReads)
		r.Unsigned(datagram.OutputWritesTotal, m.OutputWrites)
		addSlots(r, m.Slots[:min(len(m.Slots), mostSlots)])
		addClasses(r, &m)
	})
	return m.Lifetime
}

func addRates(r *datagram.Record, m *interp.Metrics) {
	rate := 0.0
	if m.Period > 0 {
		rate = 1 / m.Period
	}
	r.Double(datagram.SamplePeriod, m.Period)
	r.Unsigned(datagram.RequestCount, m.Completed)
	r.Double(datagram.RequestThroughput, float64(m.Completed)*rate)
	r.Double(datagram.CapacityUtilization, min(1, m.Busy*rate/float64(max(1, len(m.Slots)))))
	r.Double(datagram.CPUUserUtilization, m.CPUUser*rate)
	r.Double(datagram.CPUSystemUtilization, m.CPUSystem*rate)
	r.Double(datagram.CPUUtilization, (m.CPUUser+m.CPUSystem)*rate)
	r.Unsigned(datagram.ThreadsMaximum, uint64(len(m.Slots)))
	r.Unsigned(datagram.ThreadsStarted, uint64(m.Started))
	r.Unsigned(datagram.ThreadsActive, uint64(m.Active))
}

// phases of a sample, by their numbers there.
var phases = [datagram.Phases]int{
	datagram.Server: interp.ServerTime, datagram.Queue: interp.QueueTime, datagram.Daemon: interp.DaemonTime,
	datagram.Application: interp.ApplicationTime, datagram.Request: interp.RequestTime, datagram.GILWait: interp.GILWaitTime,
	datagram.InputRead: interp.InputTime, datagram.OutputWrite: interp.OutputTime,
}

// addPhases leaves out those that no request has passed through: the two ways of daemon mode where there is none, and extremes of nothing.
func addPhases(r *datagram.Record, m *interp.Metrics, inDaemonProcess bool) {
	for number, of := range phases {
		p, f := &m.Phases[of], datagram.Field(number)
		way := number == datagram.Queue || number == datagram.Daemon
		if way && (!inDaemonProcess || m.Recorded == 0) {
			continue
		}
		r.Double(datagram.PhaseTime+f, p.Sum/float64(max(1, m.Recorded)))
		if m.Recorded > 0 {
			r.Double(datagram.PhaseMinimum+f, p.Shortest)
			r.Double(datagram.PhaseMaximum+f, p.Longest)
		}
		counts := make([]int32, len(p.Buckets))
		for i, n := range p.Buckets {
			counts[i] = int32(n)
		}
		r.Ints(datagram.PhaseBuckets+f, counts)
	}
}

func addSlots(r *datagram.Record, slots []interp.Slot) {
	completed := make([]int32, len(slots))
	busy, cpu, elapsed, longest := make([]float64, len(slots)), make([]float64, len(slots)), make([]float64, len(slots)), make([]float64, len(slots))
	for i, s := range slots {
		completed[i], busy[i], cpu[i], elapsed[i], longest[i] = int32(s.Completed), s.Busy, s.CPU, s.Elapsed, s.Longest
	}
	r.Ints(datagram.ThreadsCompleted, completed)
	r.Doubles(datagram.ThreadsBusyTime, busy)
	r.Doubles(datagram.ThreadsCPUTime, cpu)
	r.Doubles(datagram.ThreadsCurrentElapsed, elapsed)
	r.Doubles(datagram.ThreadsMaxDuration, longest)
}

// addClasses: whatever did not come to a response counts as 5xx, so that the sum is the number of requests.
func addClasses(r *datagram.Record, m *interp.Metrics) {
	others := m.Completed
	for _, n := range m.Classes {
		others -= min(n, others)
	}
	for i, n := range m.Classes {
		if i == len(m.Classes)-1 {
			n += others
		}
		r.Unsigned(datagram.StatusTotal+datagram.Field(i), n)
	}
}

// residentMemory is what the process has in memory, 0 where there is no /proc (below a chroot), and the most that it ever had, in bytes.
func residentMemory() (now, peak uint64) {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseUint(fields[1], 10, 64)
			now = pages * uint64(os.Getpagesize())
		}
	}
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		peak = uint64(used.Maxrss) << 10
	}
	return now, max(now, peak) // the kernel counts the latter now and then only
}
