// Package supervisor starts, watches and replaces the daemon processes of one configuration: the command `mod_wsgi-daemon supervise`.
//
// Each process group has one goroutine, which owns all that is known about the group and is told what happens (group.go); there is
// no lock. It reaches the world through a starter: launcher (launch.go) in earnest, a fake in tests. The life of a process is in
// member.go, what ends all of them in run.go.
package supervisor
