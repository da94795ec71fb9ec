package server

/*
#include "server.h"

static int mwd_told(int unused) { (void)unused; mwd_crash_told(); return 0; }
static int mwd_end_dump(int unused) { (void)unused; mwd_crash_end(); return 0; }
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/interp"
)

// codeStacks begins a record that is followed by the stacks of a process.
const codeStacks = 314

// stacksPause is how long the log is not told again where the threads are: a hundred requests that wait for the same thing are one story.
const stacksPause = time.Minute

// stacks are those of Python's threads, as far as the log was told of them.
type stacks struct {
	mu     sync.Mutex
	logged time.Time

	dumped chan struct{} // a dump without a lock is in the log completely; nil where that is not possible
}

// logStacks tells the log where Python's threads are, and why that is of interest. It waits for a while only: the interpreter may be stuck. False:
// the log has just been told.
func (p *process) logStacks(why string) bool {
	p.stacks.mu.Lock()
	defer p.stacks.mu.Unlock()
	if !p.stacks.logged.IsZero() && time.Since(p.stacks.logged) < stacksPause {
		return false
	}
	p.stacks.logged = time.Now()
	text := make(chan string, 1)
	go func() { text <- interp.Stacks() }()
	select {
	case stacks := <-text:
		logAt(levelWarning, "WSGI%04d: %s: %s; where its Python threads are:", codeStacks, p.name(), why)
		for line := range strings.Lines(stacks) {
			logAt(levelWarning, "%s", strings.TrimRight(line, "\n"))
		}
	case <-time.After(stacksPatience):
		p.dumpStacks(why)
	}
	return true
}

const stacksPatience = 500 * time.Millisecond

// dumpStacks asks nobody.
func (p *process) dumpStacks(why string) {
	if p.stacks.dumped == nil {
		logAt(levelWarning, "WSGI0067: where Python's threads are in %s can't be found out: its interpreter lock is stuck (%s)", p.name(), why)
		return
	}
	logAt(levelWarning, "WSGI%04d: %s: %s; an interpreter lock is stuck, and where its Python threads are is taken from memory:", codeStacks, p.name(), why)
	interp.DumpStacks()
	C.mwd_end_dump(0)
	select {
	case <-p.stacks.dumped:
	case <-time.After(stacksPatience):
	}
}

// prepareDumps sees to it that a crash, and a stuck lock, can say where Python's threads are: what is dumped comes through a pipe and is logged
// like anything else. Without it crashes are silent.
func (p *process) prepareDumps() {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		p.logf(levelWarning, "will not say where its threads are if it crashes: %v", err)
		return
	}
	C.mwd_own(C.int(ends[0]))
	C.mwd_own(C.int(ends[1]))
	if !interp.PrepareDump(ends[1]) {
		unix.Close(ends[0])
		unix.Close(ends[1])
		return
	}
	p.stacks.dumped = make(chan struct{}, 1)
	go p.readDumps(os.NewFile(uintptr(ends[0]), "stacks"))
	C.mwd_crash_report(C.int(ends[1]))
}

// readDumps logs what is written by mw_stacks_dump, and what crash.c puts around it.
func (p *process) readDumps(pipe *os.File) {
	lines := bufio.NewScanner(pipe)
	var held heldHeadings
	for lines.Scan() {
		line := lines.Text()
		number, crashed := strings.CutPrefix(line, C.MWD_CRASH_BEGIN)
		switch {
		case line == C.MWD_CRASH_END:
			held = nil
			C.mwd_told(0)
			select {
			case p.stacks.dumped <- struct{}{}:
			default:
			}
		case crashed:
			n, _ := strconv.Atoi(number)
			logAt(levelWarning, "WSGI%04d: %s is ended by %s; where its Python threads are:", codeStacks, p.name(), unix.SignalName(syscall.Signal(n)))
		default:
			for _, line := range held.let(line) {
				logAt(levelWarning, "%s", line)
			}
		}
	}
}

// heldHeadings keep back the headings of threads that have no business in Python, as request threads that wait for one.
type heldHeadings []string

// let takes a line of a dump and says what is to be logged now.
func (h *heldHeadings) let(line string) []string {
	switch {
	case strings.HasPrefix(line, "application group "):
		*h = heldHeadings{line}
	case strings.HasPrefix(line, "Thread "):
		if n := len(*h); n > 0 && strings.HasPrefix((*h)[n-1], "Thread ") {
			*h = (*h)[:n-1]
		}
		*h = append(*h, line)
	case line == "", strings.TrimSpace(line) == "<no Python frame>":
	default:
		now := append(slices.Clone(*h), line)
		*h = nil
		return now
	}
	return nil
}

// watchSilence logs stacks when a child of Apache's has given up a request since nothing came of its answer.
func (p *process) watchSilence() {
	slot := p.assignment.Slot
	for known := p.board.Silent(slot); ; {
		p.board.WaitForSilence(slot, known)
		if now := p.board.Silent(slot); now != known {
			known = now
			p.logStacks(fmt.Sprintf("Apache has waited for an answer in vain, for %.0f s", p.socketTimeout().Seconds()))
		}
	}
}
