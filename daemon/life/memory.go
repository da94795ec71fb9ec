package life

import (
	"fmt"
	"math"
	"time"
)

const (
	// memoryLook is how often the memory of a process with a limit is looked at.
	memoryLook = time.Second
	// loadingLook is the same while the first request loads the application: what it holds then tells leaks from needs.
	loadingLook = 50 * time.Millisecond
	// settling is for how long what a new process holds may grow before that counts as a leak.
	settling = 10 * time.Second
	// calm is the part of its memory by which a process that has settled grows at most from one look to the next.
	calm = 0.05
)

// SpreadMemory is a process's own limit: up to a tenth lower than what is configured, and different for processes that were started one after the
// other, so that those of a group don't all grow up to it at the same time.
func SpreadMemory(configured int64, serial uint32) int64 {
	const golden = 0.6180339887498949 // multiples of it, without what is before the point, spread evenly over 0 to 1
	_, fraction := math.Modf(float64(serial) * golden)
	return configured - int64(float64(configured)*fraction/10)
}

// memory is what is known of a process's.
type memory struct {
	limit  int64 // 0: none yet, it was never seen within the option's
	above  Time  // since when it has been seen above, while it has no limit
	looked Time  // and the last look at it
	held   int64 // what it held then
}

// judgeMemory has a process replaced that holds too much.
func (m *Machine) judgeMemory(v View) []Action {
	if m.limits.Memory == 0 || m.phase != Serving || !v.Loaded {
		return nil
	}
	switch {
	case m.memory.limit == 0 && v.Resident >= m.limits.Memory:
		return m.judgeNeeds(v)
	case m.memory.limit == 0:
		m.memory.limit = m.limits.Memory
	case v.Resident >= m.memory.limit:
		return m.dueForMemory(v)
	}
	return nil
}

// judgeNeeds deals with a process that was above the limit as soon as its application was loaded. If it does not grow any more, that is what
// it needs, and a successor would be no better: it may have twice that.
func (m *Machine) judgeNeeds(v View) []Action {
	k := &m.memory
	if k.above == 0 {
		k.above, k.looked, k.held = v.Now, v.Now, v.Resident
	}
	if v.Now.Since(k.looked) < memoryLook {
		return nil
	}
	grown := v.Resident - k.held
	k.looked, k.held = v.Now, v.Resident
	switch {
	case grown <= int64(calm*float64(v.Resident)):
		k.limit = 2 * v.Resident
		return []Action{{Kind: Warn, Text: fmt.Sprintf("holds %s with hardly more than its application loaded, and memory-recycle=%d allows it %s: the option is too low; "+
			"the process is replaced when it holds %s", mebibytes(v.Resident), m.limits.MemoryConfigured, mebibytes(m.limits.Memory), mebibytes(k.limit))}}
	case v.Now.Since(k.above) >= settling:
		k.limit = m.limits.Memory
		return m.dueForMemory(v)
	}
	return nil
}

func (m *Machine) dueForMemory(v View) []Action {
	return m.dueFor(MemoryRecycle, fmt.Sprintf("it holds %s of memory, %d bytes, and memory-recycle=%d allows it %s", mebibytes(v.Resident), v.Resident,
		m.limits.MemoryConfigured, mebibytes(m.memory.limit)))
}

// nextMemoryLook is how long to wait for it.
func (m *Machine) nextMemoryLook(v View) time.Duration {
	if !v.Loaded && m.first != 0 && v.Now.Since(m.first) < settling {
		return loadingLook
	}
	return memoryLook
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
