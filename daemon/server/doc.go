// Package server is a daemon process: it makes of itself what its WSGIDaemonProcess says, starts Python, runs request threads, and ends when
// it is told to or when a limit strikes. The threads are C (server.h) and enter Go never; Go starts them, watches them from one goroutine,
// and stops them.
//
// Life of a process:
//
//  1. Run reads who it is (start.go), gives up its privileges (daemon/setup), catches signals.
//  2. The monitor goroutine begins (monitor.go); from here on the process can be stopped at any time.
//  3. The first thread of the process starts Python and imports scripts (python.go).
//  4. Request threads start (threads.go), or the scripts are all there is to do (service.go).
//  5. daemon/life decides what is due; the monitor carries it out (actions.go).
//  6. The shutdown phase (shutdown.go) ends the process.
package server
