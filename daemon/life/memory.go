package life

import (
	"fmt"
	"math"
	"time"
)

const (
	// memoryLook is how often the memory of a process with a limit is looked at.
	memoryLook = time.Second
	// settling is what a process is given to load its application: what it holds then, its successor would hold as well.
	settling = 2 * time.Second
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
	loaded Time  // when the application was first seen loaded; 0: it was not
	limit  int64 // from when it has settled; 0: it has not
}

// judgeMemory has a process replaced that holds too much. One that needs more than the limit from the beginning would be replaced again and again: it
// may have twice what it needed then.
func (m *Machine) judgeMemory(v View) []Action {
	if m.limits.Memory == 0 || m.phase != Serving || !v.Loaded {
		return nil
	}
	if m.memory.loaded == 0 {
		m.memory.loaded = v.Now
	}
	if v.Now.Since(m.memory.loaded) < settling {
		return nil
	}
	if m.memory.limit == 0 {
		m.memory.limit = m.limits.Memory
		if v.Resident >= m.limits.Memory {
			m.memory.limit = 2 * v.Resident
			return []Action{{Kind: Warn, Text: fmt.Sprintf("holds %s with nothing but its application loaded, memory-recycle=%d allows %s: the option is too low; it is replaced when it holds %s",
				mebibytes(v.Resident), m.limits.MemoryConfigured, mebibytes(m.limits.Memory), mebibytes(m.memory.limit))}}
		}
	}
	if v.Resident < m.memory.limit {
		return nil
	}
	return m.dueFor(MemoryRecycle, fmt.Sprintf("it holds %s of memory, %d bytes, and memory-recycle=%d allows it %s", mebibytes(v.Resident), v.Resident, m.limits.MemoryConfigured,
		mebibytes(m.memory.limit)))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
