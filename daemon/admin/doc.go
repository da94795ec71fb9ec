// Package admin is what an administrator sees of process groups and tells them: the resources that a supervisor offers on its control
// socket, and a client for them.
//
// The socket is `<prefix>.<Apache's parent>.<generation>.control`, beside those of the processes, and speaks HTTP:
//
//	GET  /status                     a Status
//	GET  /stacks?group=NAME          []Stacks, one for each process of the group
//	POST /restart?group=NAME         a Restart, when every process is replaced; wait=SECONDS: or then
//
// Its file belongs to whoever started Apache, and has mode 0600; the supervisor also asks the kernel who is at the other end. Only that user
// and root are let in. Apache's User is not: what it runs are other people's applications.
package admin
