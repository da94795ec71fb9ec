package setup

import "fmt"

// A Failure keeps a process from becoming what it should be. It must not go on.
type Failure struct {
	Code   int // WSGI####, the classic module's number
	Op     string
	Reason string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("WSGI%04d: cannot %s: %s", f.Code, f.Op, f.Reason)
}

// A Warning is what does not keep it from going on.
type Warning Failure

func (w *Warning) Error() string { return (*Failure)(w).Error() }
