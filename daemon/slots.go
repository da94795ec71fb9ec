package daemon

import "modwsgi/directives"

// Slots is how many slots of the board a group has: every process may have a successor, and some may take long to end. The groups'
// slots follow each other in the order of ProcessSettings.Groups.
func Slots(g *directives.DaemonGroup) int { return 2*g.Processes + 2 }
