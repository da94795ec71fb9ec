package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"modwsgi/daemon/admin"
)

// A target is a supervisor that answers.
type target struct {
	client *admin.Client
	status admin.Status
}

// whom are the flags that choose among supervisors.
type whom struct {
	socket string
	apache int
}

func (w *whom) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&w.socket, "socket", "", "the control socket to ask, instead of those of all servers that this user may look at")
	c.Flags().IntVar(&w.apache, "apache", 0, "the process id of the Apache that is meant (its parent process)")
}

// targets are the supervisors that are meant, the newest configuration of each Apache first. No error, no target: nothing runs.
func (w *whom) targets() ([]target, error) {
	paths := []string{w.socket}
	if w.socket == "" {
		var err error
		if paths, err = admin.Find(); err != nil {
			return nil, err
		}
	}
	var all []target
	var failed error
	for _, path := range paths {
		t := target{client: admin.NewClient(path)}
		var err error
		if t.status, err = t.client.Status(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", path, err)) // it may just have ended; others may answer
		} else if w.apache == 0 || w.apache == t.status.Apache {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b target) int {
		if a.status.Apache != b.status.Apache {
			return a.status.Apache - b.status.Apache
		}
		return b.status.Generation - a.status.Generation
	})
	if len(all) > 0 {
		failed = nil
	}
	return all, failed
}

// group finds the one that serves a group: in the configuration that is in force.
func (w *whom) group(name string) (target, error) {
	all, err := w.targets()
	if err != nil {
		return target{}, err
	}
	var found []target
	for _, t := range all {
		if !t.status.Replaced && slices.ContainsFunc(t.status.Groups, func(g admin.Group) bool { return g.Name == name }) {
			found = append(found, t)
		}
	}
	switch {
	case len(all) == 0:
		return target{}, errNothing
	case len(found) == 0:
		return target{}, fmt.Errorf("no process group '%s' runs", name)
	case len(found) > 1:
		return target{}, fmt.Errorf("%d Apaches have a process group '%s': choose one with --apache", len(found), name)
	}
	return found[0], nil
}

var errNothing = errors.New("no process groups run that this user may look at: ask as root, or as the user that has started Apache")
