// Package daemon runs applications in process groups of their own: the wire protocol between a child of Apache's and a daemon process,
// and (in later steps) the client, the server and the supervisor.
//
// The protocol is specified in docs/protocol.md. protocol.go holds the frames and their layout, nothing else.
package daemon
