package directives

import (
	"strconv"
	"strings"
)

// What Apache keeps of answers and request bodies, so that slow clients hold no threads of process groups.

const (
	defaultBufferSize      = 256 << 20
	defaultBufferMemory    = 256 << 10
	defaultBufferDirectory = "/var/tmp"
	defaultRequestBuffer   = 16 << 20

	// leastBuffer is what a buffer has to have room for to be of any use: a block of an answer.
	leastBuffer = 64 << 10
)

// bufferOptions are ours only: in the classic module the application waits for its client.
var bufferOptions = []option[DaemonGroup]{
	{Name: "buffer-size", Value: "0 or bytes from 65536 on", Default: "268435456", Since: "ours only",
		Doc: "How much of an answer Apache keeps for a client that is slower than the application: first in memory, then in a file. Beyond that the application waits. 0 keeps nothing.",
		set: strictBytesOption(leastBuffer, func(g *DaemonGroup) *int64 { return &g.BufferSize })},
	{Name: "buffer-memory", Value: "0 or bytes", Default: "262144", Since: "ours only",
		Doc: "How much of an answer, or of a request body, is kept in memory before the file is used.",
		set: strictBytesOption(0, func(g *DaemonGroup) *int64 { return &g.BufferMemory })},
	{Name: "buffer-directory", Value: "absolute path", Default: defaultBufferDirectory, Since: "ours only",
		Doc: "Where the files are: they have no names, and Apache's user has to be allowed to create files there.",
		set: absolutePathOption(func(g *DaemonGroup) *string { return &g.BufferDirectory })},
	{Name: "request-buffer", Value: "0 or bytes", Default: "16777216", Since: "ours only",
		Doc: "The longest request body that is received as a whole before a process is asked for, if its client is slow and does not wait for `100 Continue`. " +
			"Bodies that are longer, or of unknown length, are sent to the application as it reads them. 0 does that with all.",
		set: strictBytesOption(0, func(g *DaemonGroup) *int64 { return &g.RequestBuffer })},
}

// strictBytesOption accepts 0 and sizes from least on. It is stricter than the options of the classic module: "64M" must not be 64 bytes.
func strictBytesOption(least int64, field func(*DaemonGroup) *int64) func(*optionValue, *DaemonGroup) {
	return func(o *optionValue, g *DaemonGroup) {
		n, err := strconv.ParseInt(strings.TrimSpace(o.text), 10, 64)
		switch {
		case err != nil || n < 0:
			o.errorf(0, "%q is not accepted; write a number of bytes, without a unit", o.text)
		case n != 0 && n < least:
			o.errorf(0, "%d is too small; accepted is 0 (off) or a number of bytes from %d on", n, least)
		default:
			*field(g) = n
		}
	}
}
