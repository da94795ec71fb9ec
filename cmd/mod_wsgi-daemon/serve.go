package main

import (
	"os"
	"runtime"

	"modwsgi/daemon"
	"modwsgi/daemon/server"
)

// serving tells that this is a daemon process. Its arguments are what `ps` shows, so the environment says it; Python and what it starts are
// not to see that.
var serving = os.Getenv(daemon.StartVariable) == "serve"

// The first goroutine stays on the first thread of the process: that becomes Python's main thread.
func init() {
	if serving {
		runtime.LockOSThread()
		os.Unsetenv(daemon.StartVariable)
	}
}

func runServe() int { return server.Run() }
