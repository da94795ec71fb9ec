package supervisor

import "fmt"

// A fault is something that an operator has to know: WSGI#### and what failed. Its code 0 is none.
type fault struct {
	code int
	op   string
	err  error
}

func (f *fault) Error() string { return fmt.Sprintf("cannot %s: %v", f.op, f.err) }

func (f *fault) Unwrap() error { return f.err }

// Codes of log records: the reference's, and from 300 our own.
const (
	codeNoSocket      = 12
	codeNoBind        = 13
	codeNoListen      = 14
	codeNoOwner       = 15
	codeNoProcess     = 24
	codeSendBuffer    = 62
	codeReceiveBuffer = 63
	codeLongPath      = 64
	codeStaleSocket   = 65
	codeProcessFailed = 303
	codeOverdue       = 304
	codeNotLoaded     = 307
	codeLate          = 308
	codeNoOffice      = 320
)
