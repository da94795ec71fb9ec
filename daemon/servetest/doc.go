// Package servetest starts real daemon processes, those of build/mod_wsgi-daemon, as their supervisor would: with a control socket, a board,
// a listening socket and a recorded configuration, but without Apache. It is for the tests beside it.
package servetest
