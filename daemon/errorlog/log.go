package errorlog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// longestMessage is where Apache cuts a message, in bytes.
const longestMessage = 8192

const moduleName = "wsgi"

// A Log is an error log of Apache's. Its methods may be called by any goroutine.
type Log struct {
	Format *Format // of its records
	Level  Level   // of the least important records that are written
	Now    func() time.Time

	mu  sync.Mutex
	out io.Writer
}

// New writes to out: a file that is open for appending, so that each record is one write.
func New(out io.Writer, format *Format, level Level) *Log {
	return &Log{Format: format, Level: level, Now: time.Now, out: out}
}

// Printf writes a record, if LogLevel allows it. code is the number of a WSGI#### that the message begins with, 0 for none.
func (l *Log) Printf(level Level, code int, format string, args ...any) {
	if level > l.Level {
		return
	}
	message := fmt.Sprintf(format, args...)
	if code != 0 {
		message = fmt.Sprintf("WSGI%04d: %s", code, message)
	}
	record := Render(l.Format.Pieces(level), level, l.Now(), message)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.out.Write(record) // there is nowhere to say that the log can't be written
}

// Render makes a record, with its end of line.
func Render(pieces []Piece, level Level, at time.Time, message string) []byte {
	var b bytes.Buffer
	for _, p := range pieces {
		switch p.Kind {
		case KindText:
			b.WriteString(p.Text)
		case KindTime:
			b.WriteString(at.Format("Mon Jan 02 15:04:05 2006"))
		case KindTimeMicroseconds:
			b.WriteString(at.Format("Mon Jan 02 15:04:05.000000 2006"))
		case KindTimeCompact:
			b.WriteString(at.Format("2006-01-02 15:04:05.000000"))
		case KindTimeCompactSeconds:
			b.WriteString(at.Format("2006-01-02 15:04:05"))
		case KindZone:
			b.WriteString(at.Format("-0700"))
		case KindLevel:
			b.WriteString(level.String())
		case KindPid:
			fmt.Fprint(&b, os.Getpid())
		case KindTid:
			fmt.Fprint(&b, unix.Gettid())
		case KindModule:
			b.WriteString(moduleName)
		case KindMessage:
			escape(&b, message)
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// escape writes control characters and backslashes so that a record stays one line and can be told from another, as Apache does.
func escape(b *bytes.Buffer, message string) {
	if len(message) > longestMessage {
		message = message[:longestMessage]
	}
	for _, c := range []byte(message) {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\\':
			b.WriteString(`\\`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
}
