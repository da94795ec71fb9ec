// Package daemon is what the parts of daemon mode share: the wire protocol between a child of Apache's and a daemon process (docs/protocol.md),
// the board on which children find free processes, and the messages between the supervisor and a process.
//
// The parts are packages below: client runs in Apache's children, server in daemon processes, supervisor in the process that
// starts those. setup, life and errorlog decide for them.
package daemon
