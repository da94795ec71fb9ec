package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func stacksCommand() *cobra.Command {
	var w whom
	c := &cobra.Command{Use: "stacks GROUP", Short: "Print where the Python threads of a group's processes are", GroupID: groupAdministrators, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := w.group(args[0])
			if err != nil {
				return &failure{err}
			}
			all, err := t.client.Stacks(args[0])
			if err != nil {
				return &failure{err}
			}
			for _, s := range all {
				switch {
				case s.Error != "":
					err = errors.Join(err, fmt.Errorf("process %d: %s", s.PID, s.Error))
				case s.Text == "":
					fmt.Fprintf(c.OutOrStdout(), "process %d: no thread runs Python code\n", s.PID)
				default:
					fmt.Fprintf(c.OutOrStdout(), "process %d\n%s", s.PID, s.Text)
				}
			}
			if err != nil {
				return &failure{err}
			}
			return nil
		}}
	w.addFlags(c)
	return c
}
