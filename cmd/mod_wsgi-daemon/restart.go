package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func restartCommand() *cobra.Command {
	var w whom
	var wait time.Duration
	c := &cobra.Command{Use: "restart GROUP...", Short: "Replace the processes of groups, one after the other, without losing a request",
		GroupID: groupAdministrators, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, groups []string) error {
			for _, name := range groups {
				t, err := w.group(name)
				if err != nil {
					return &failure{err}
				}
				r, err := t.client.Restart(name, wait)
				if err != nil {
					return &failure{err}
				}
				fmt.Fprintf(c.OutOrStdout(), "group '%s': %d replaced in %s\n", name, r.Replaced, age(r.Took))
				if r.Left > 0 {
					return &failure{fmt.Errorf("group '%s': %d processes are not replaced yet; they serve until their successors are ready, and the error log says "+
						"what keeps those from it", name, r.Left)}
				}
			}
			return nil
		}}
	w.addFlags(c)
	c.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for the end of it; it goes on by itself")
	return c
}
