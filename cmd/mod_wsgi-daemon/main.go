// Mod_wsgi-daemon does the work that needs Go on behalf of Apache's parent process, where Go can't run, and lets administrators look at
// process groups.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // also: input that can't be understood
)

// A job is what Apache's module starts this program for. Its result is the exit status.
type job func(in io.Reader, out, errors io.Writer) int

// exitStatus is the error of a command that has said already what is wrong.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	if serving {
		os.Exit(runServe())
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, in io.Reader, out, errorsTo io.Writer) int {
	root := &cobra.Command{
		Use:               "mod_wsgi-daemon",
		Short:             "Look after the process groups of Apache's module mod_wsgi",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              noArguments,
		RunE:              func(*cobra.Command, []string) error { return errors.New("a command is missing") },
	}
	root.AddGroup(&cobra.Group{ID: groupAdministrators, Title: "For administrators:"}, &cobra.Group{ID: groupModule, Title: "Started by Apache's module:"})
	root.AddCommand(statusCommand(), stacksCommand(), restartCommand(), checkCommand(), superviseCommand())
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errorsTo)
	c, err := root.ExecuteC()
	status := exitStatus(exitUsage)
	switch failure := (*failure)(nil); {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &failure):
		status = exitFailed
	}
	fmt.Fprintf(errorsTo, "%s: %v\n", c.CommandPath(), err)
	if c == root {
		fmt.Fprint(errorsTo, c.UsageString())
	}
	return int(status)
}

const (
	groupAdministrators = "administrators"
	groupModule         = "module"
)

// A failure is an error that is not in how the program was called.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// noArguments is cobra.NoArgs in other words: those speak of commands, where none can be.
func noArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return fmt.Errorf("unknown command %q", args[0])
	}
	return fmt.Errorf("unexpected argument %q", args[0])
}

// jobCommand makes a command of a job.
func jobCommand(use, short string, do job) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, GroupID: groupModule, Args: noArguments, RunE: func(c *cobra.Command, _ []string) error {
		if status := do(c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()); status != exitDone {
			return exitStatus(status)
		}
		return nil
	}}
}

func superviseCommand() *cobra.Command {
	return jobCommand("supervise", "Start, watch and replace the daemon processes of a configuration", runSupervise)
}

func checkCommand() *cobra.Command {
	table := false
	c := jobCommand("check", "Check a recorded configuration, read from the standard input", func(in io.Reader, out, errors io.Writer) int {
		if table {
			return listDirectives(out)
		}
		return checkRecording(in, out, errors)
	})
	c.Flags().BoolVar(&table, "table", false, "list the directives instead")
	return c
}
