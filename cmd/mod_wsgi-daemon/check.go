package main

import (
	"fmt"
	"io"

	"modwsgi/directives"
)

func listDirectives(out io.Writer) int {
	for _, d := range directives.Table {
		fmt.Fprintf(out, "%-26s %s\n", d.Name, d.Help)
	}
	return exitDone
}

// checkRecording reads a recording to its end and writes the answer. Both are described in package directives.
func checkRecording(in io.Reader, out, errors io.Writer) int {
	input, err := io.ReadAll(in)
	if err != nil {
		fmt.Fprintf(errors, "mod_wsgi-daemon check: reading the recording: %v\n", err)
		return exitUsage
	}
	recording, err := directives.Decode(input)
	if err != nil {
		fmt.Fprintf(errors, "mod_wsgi-daemon check: %v\n", err)
		return exitUsage
	}
	if _, err := out.Write(directives.EncodeAnswer(directives.Check(recording))); err != nil {
		fmt.Fprintf(errors, "mod_wsgi-daemon check: writing the answer: %v\n", err)
		return exitUsage
	}
	return exitDone
}
