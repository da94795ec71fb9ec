package directives

import "slices"

// Table holds every directive. A directive's index is its number in a Recording.
var Table []Directive

// The rows are put together here rather than in Table's declaration: the readers look things up in Table.
func init() {
	Table = slices.Concat(mountingDirectives, requestDirectives, pythonDirectives, daemonDirectives, accessDirectives,
		telemetryDirectives, retiredDirectives)
}
