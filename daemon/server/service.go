package server

import (
	"os"

	"golang.org/x/sys/unix"

	"modwsgi/interp"
)

// runService is what a process without request threads does: its scripts, one after the other. It ends with them.
func (p *process) runService() {
	p.mu.Lock()
	p.service = interp.ExitOnSIGTERM()
	p.ready(0)
	p.mu.Unlock()
	for _, script := range p.scripts() {
		if p.stopping.Load() || interp.ToldToExit() {
			break
		}
		interp.ImportScript(script.Path, script.ApplicationGroup, true)
	}
	close(p.started)
	p.scriptsDone()
}

// scriptsDone has the monitor end the process.
func (p *process) scriptsDone() {
	p.done.Store(true)
	p.rouse()
}

// endService ends the script that runs: Python's handler, on the main thread, raises SystemExit.
func (p *process) endService() {
	_ = unix.Tgkill(os.Getpid(), os.Getpid(), unix.SIGTERM) // fails only for a thread that is gone
}
