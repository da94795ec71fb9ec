// Package steadyload sends requests at a steady rate and keeps what became of each: status, error, how long it took. It hides nothing, as
// clients that try again do.
//
// The load is closed: each client has one request under way, and sends the next when its turn comes. Its turns are evenly spaced, so
// that all clients together send at the rate of the Plan as long as the server keeps up. A request that is late because the client's previous one
// took so long counts from its turn on, or a server that makes everybody wait would have few requests that waited (coordinated omission); one
// that is late because the client's machine was busy counts from when it was sent.
//
// Without a rate a client sends its next request when it has an answer, as wrk does: while everybody waits there are few requests then.
//
// Requests are GETs. Their number is in the query, "?n=17"; what an application records about a number can be compared with what
// became of it here.
package steadyload
