package admin

import (
	"time"

	"modwsgi/daemon"
)

// A Status is what a supervisor knows: one configuration of one Apache. Times that are numbers are in seconds, sizes in bytes.
type Status struct {
	Apache     int     `json:"apache"`     // pid of Apache's parent process
	Generation int     `json:"generation"` // counts up with each restart of Apache
	Supervisor int     `json:"supervisor"` // its pid
	Replaced   bool    `json:"replaced"`   // Apache has another configuration by now; this one's requests are being finished
	Groups     []Group `json:"groups"`
}

// A Group is a process group.
type Group struct {
	Name      string         `json:"name"`
	Processes int            `json:"processes"`            // that it is to have, now
	Threads   int            `json:"threads"`              // for requests, in each process; 0: its processes run scripts
	Waiting   int            `json:"waiting"`              // requests that no thread was free for
	Oldest    float64        `json:"oldest"`               // for how long the first of them has waited, in seconds
	Restarts  map[string]int `json:"restarts"`             // processes that have ended, by reason
	NextStart *float64       `json:"next_start,omitempty"` // until a missing process is started, where starting has failed
	Members   []Process      `json:"members"`

	// Between what Processes may change with the work; the same if the group is not elastic.
	MinimumProcesses int `json:"minimum_processes"`
	MaximumProcesses int `json:"maximum_processes"`
}

// States of a process.
const (
	Starting = "starting" // loads Python and the applications
	Ready    = "ready"    // takes requests
	Due      = "due"      // takes requests until its successor is ready
	Retiring = "retiring" // finishes what it has
	Ending   = "ending"   // runs exit functions
)

// A Process is a daemon process.
type Process struct {
	PID     int       `json:"pid"`
	Serial  uint32    `json:"serial"` // counts up with each process of the group
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"` // why it is due, retires or ends
	Started time.Time `json:"started"`
	Age     float64   `json:"age"`
	// What it says of itself; nil with Error if it says nothing.
	Report *daemon.ProcessReport `json:"report,omitempty"`
	Error  string                `json:"error,omitempty"`
}

// Stacks says where the Python threads of a process are.
type Stacks struct {
	PID   int    `json:"pid"`
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"` // why there is no text: its interpreter may be stuck
}

// A Restart is what became of replacing the processes of a group.
type Restart struct {
	Replaced int     `json:"replaced"`
	Left     int     `json:"left"` // not replaced yet: that goes on
	Took     float64 `json:"took"`
}
