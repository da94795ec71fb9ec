package daemon

import "modwsgi/directives"

// Slots is how many slots of the board each group has: every process may have a successor, and some may take long to end.
func Slots(groups []*directives.DaemonGroup) []int {
	slots := make([]int, len(groups))
	for i, g := range groups {
		slots[i] = 2*g.MostProcesses() + 2
	}
	return slots
}
