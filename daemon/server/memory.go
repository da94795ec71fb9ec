package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A memoryGauge shows how much memory the process holds.
type memoryGauge struct{ file *os.File }

// openMemoryGauge is to be called before a change of the root directory, where there may be no /proc.
func openMemoryGauge() (*memoryGauge, error) {
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		return nil, fmt.Errorf("find out how much memory it holds: %w", err)
	}
	own(int(file.Fd()))
	return &memoryGauge{file}, nil
}

// resident is the resident set in bytes (proc(5), statm: the second number counts pages); 0 if that can't be found out.
func (g *memoryGauge) resident() int64 {
	if g == nil {
		return 0
	}
	var text [128]byte
	n, err := unix.Pread(int(g.file.Fd()), text[:], 0)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[:n]))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
