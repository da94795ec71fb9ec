// Mod_wsgi-daemon does the work that needs Go on behalf of Apache's parent process, where Go can't run.
package main

import (
	"fmt"
	"io"
	"os"
)

// A command is one of the program's jobs. Its result is the exit status.
type command struct {
	name, help string
	run        func(args []string, in io.Reader, out, errors io.Writer) int
}

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // also: input that can't be understood
)

func commands() []command {
	return []command{
		{"check", "check a recorded configuration; --table lists the directives", runCheck},
		{"supervise", "start, watch and replace the daemon processes of a configuration", runSupervise},
	}
}

func main() {
	if serving {
		os.Exit(runServe())
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, in io.Reader, out, errors io.Writer) int {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(args[1:], in, out, errors)
			}
		}
		fmt.Fprintf(errors, "mod_wsgi-daemon: unknown command %q\n", args[0])
	}
	usage(errors)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: mod_wsgi-daemon command\nApache's module mod_wsgi starts this program. Commands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.help)
	}
}
