package daemon

// States of a request thread.
const (
	ThreadIdle    = "idle"
	ThreadRunning = "running"
)

// A ProcessReport is what a daemon process says of itself when it is asked: the answer to the order Report, as JSON.
type ProcessReport struct {
	Requests uint64         `json:"requests"`          // taken so far
	Memory   uint64         `json:"memory"`            // resident bytes
	Threads  []ThreadReport `json:"threads,omitempty"` // for requests, in the order of their numbers
}

// A ThreadReport is about one request thread.
type ThreadReport struct {
	Number   int            `json:"number"`
	State    string         `json:"state"`
	Requests uint64         `json:"requests"`          // taken so far
	Request  *RequestReport `json:"request,omitempty"` // nil if it has none
}

// A RequestReport is about a request that runs.
type RequestReport struct {
	ApplicationGroup string  `json:"application_group"` // cut to 127 bytes
	Method           string  `json:"method"`            // cut to 15 bytes
	URI              string  `json:"uri"`               // cut to 255 bytes
	Age              float64 `json:"age"`               // seconds since the process has got it
}

// A StacksReport says where the Python threads of a process are: the answer to the order Stacks.
type StacksReport struct {
	Text  string `json:"text"`  // "" if no thread runs Python code
	Error string `json:"error"` // why there is no text
}
