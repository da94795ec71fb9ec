package daemon

import (
	"encoding/binary"
	"fmt"
	"math"
)

const helloMagic = "MWD"

const helloSize = uint32(len(helloMagic)) + 1

// AppendHello appends a ClientHello or ServerHello frame: the magic and this side's Version.
func AppendHello(b []byte, t Type) []byte {
	return appendFrame(b, t, func(b []byte) []byte { return append(append(b, helloMagic...), Version) })
}

// ParseHello reads the payload of a hello, and says who speaks another version.
func ParseHello(payload []byte) error {
	if uint32(len(payload)) != helloSize || string(payload[:len(helloMagic)]) != helloMagic {
		return fmt.Errorf("%w: hello % x", errGarbage, payload)
	}
	if v := payload[len(helloMagic)]; v != Version {
		return fmt.Errorf("the other side speaks version %d of the protocol, this one %d: restart Apache after an upgrade", v, Version)
	}
	return nil
}

// A Pair is a variable of the environ, both latin-1 bytes. A nil Value is None, which is not the same as an empty one.
type Pair struct {
	Key   string
	Value []byte
}

// A Request is everything about a request except its body.
type Request struct {
	Start, Queued uint64 // microseconds since the epoch: received by Apache, sent to the daemon process
	ContentLength int64  // of the body, -1: unknown
	Flags         uint32 // as MW_CALL_* of interp/gateway.h
	Complete      bool   // Window is all of the body
	Connects      uint32 // attempts to reach a process, this one included
	Restarts      uint32 // processes that have sent the request back
	LogLevel      uint32 // the last level, syslog's number, of records that the request's log takes

	ApplicationGroup, Script, Callable, Resource string
	Environ                                      []Pair
	Window                                       []byte // what had arrived of the body
}

const requestFixed = 8 + 8 + 8 + 5*4 + 4*stringFixed + 4 + stringFixed

const noValue = math.MaxUint32 // in place of the length of a None

// AppendRequest appends a RequestHead frame. One that is larger than MaxRequest is the sender's to refuse: see its error.
func AppendRequest(b []byte, r *Request) ([]byte, error) {
	start := len(b)
	b = appendFrame(b, RequestHead, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint64(b, r.Start)
		b = binary.LittleEndian.AppendUint64(b, r.Queued)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.ContentLength))
		b = binary.LittleEndian.AppendUint32(b, r.Flags)
		var complete uint32
		if r.Complete {
			complete = 1
		}
		for _, n := range []uint32{complete, r.Connects, r.Restarts, r.LogLevel} {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		for _, s := range []string{r.ApplicationGroup, r.Script, r.Callable, r.Resource} {
			b = appendString(b, s)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Environ)))
		for _, p := range r.Environ {
			b = appendString(b, p.Key)
			if p.Value == nil {
				b = binary.LittleEndian.AppendUint32(b, noValue)
				continue
			}
			b = appendString(b, string(p.Value))
		}
		return appendString(b, string(r.Window))
	})
	if size := len(b) - start - HeaderSize; size > MaxRequest {
		return b[:start], fmt.Errorf("the request's environ has %d bytes, a daemon process takes %d", size, MaxRequest)
	}
	return b, nil
}

// ParseRequest reads the payload of a RequestHead. What it returns does not share memory with the payload.
func ParseRequest(payload []byte) (*Request, error) {
	p := parser{rest: payload}
	r := &Request{Start: p.uint64(), Queued: p.uint64(), ContentLength: int64(p.uint64()), Flags: p.uint32()}
	complete := p.uint32()
	r.Complete = complete == 1
	r.Connects, r.Restarts, r.LogLevel = p.uint32(), p.uint32(), p.uint32()
	r.ApplicationGroup, r.Script, r.Callable, r.Resource = p.string(), p.string(), p.string(), p.string()
	n := p.uint32()
	if p.failed || uint64(n)*8 > uint64(len(p.rest)) || r.ContentLength < -1 || complete > 1 {
		return nil, fmt.Errorf("%w: a request of %d bytes", errGarbage, len(payload))
	}
	r.Environ = make([]Pair, n)
	for i := range r.Environ {
		r.Environ[i] = Pair{Key: p.string(), Value: p.value()}
	}
	r.Window = p.value()
	if len(r.Window) > FirstWindow || r.Window == nil {
		p.failed = true
	}
	return r, p.end("request")
}

// A Field is a header of an answer, latin-1.
type Field struct{ Name, Value string }

// An Answer is what start_response said.
type Answer struct {
	Status        uint16 // 200
	Line          string // "200 OK"
	ContentLength int64  // -1: none
	Headers       []Field
}

// AppendStart appends a Start frame.
func AppendStart(b []byte, a *Answer) []byte {
	return appendFrame(b, Start, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint16(b, a.Status)
		b = binary.LittleEndian.AppendUint64(b, uint64(a.ContentLength))
		b = appendString(b, a.Line)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(a.Headers)))
		for _, h := range a.Headers {
			b = appendString(appendString(b, h.Name), h.Value)
		}
		return b
	})
}

// ParseStart reads the payload of a Start.
func ParseStart(payload []byte) (*Answer, error) {
	p := parser{rest: payload}
	a := &Answer{Status: p.uint16(), ContentLength: int64(p.uint64()), Line: p.string()}
	n := p.uint16()
	if p.failed || int(n)*8 > len(p.rest) || a.ContentLength < -1 {
		return nil, fmt.Errorf("%w: an answer of %d bytes", errGarbage, len(payload))
	}
	a.Headers = make([]Field, n)
	for i := range a.Headers {
		a.Headers[i] = Field{Name: p.string(), Value: p.string()}
	}
	return a, p.end("answer")
}

// A FileRange is a part of the regular file whose descriptor travels with the frame.
type FileRange struct{ Offset, Length int64 }

// AppendFile appends a File frame.
func AppendFile(b []byte, f FileRange) []byte {
	return appendFrame(b, File, func(b []byte) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, uint64(f.Offset)), uint64(f.Length))
	})
}

// ParseFile reads the payload of a File.
func ParseFile(payload []byte) (FileRange, error) {
	p := parser{rest: payload}
	f := FileRange{Offset: int64(p.uint64()), Length: int64(p.uint64())}
	if f.Offset < 0 || f.Length <= 0 || f.Offset > math.MaxInt64-f.Length {
		p.failed = true
	}
	return f, p.end("file range")
}

// A Failure is an HTTP status and a text for the error log.
type Failure struct {
	Status uint16
	Text   string
}

// AppendFailure appends a BodyFailed, Abort or Fail frame. A text that is too long is cut.
func AppendFailure(b []byte, t Type, f Failure) []byte {
	text := f.Text[:min(len(f.Text), MaxPayload-2)]
	return appendFrame(b, t, func(b []byte) []byte { return append(binary.LittleEndian.AppendUint16(b, f.Status), text...) })
}

// ParseFailure reads the payload of a BodyFailed, Abort or Fail.
func ParseFailure(payload []byte) (Failure, error) {
	p := parser{rest: payload}
	f := Failure{Status: p.uint16()}
	f.Text, p.rest = string(p.rest), nil
	return f, p.end("failure")
}

// A LogRecord is one line for the error log. Level is a number of syslog's, as Apache's are. File and Line say where in the application it
// comes from; "" and 0 if it does not.
type LogRecord struct {
	Level uint8
	Line  uint32
	File  string
	Text  string
}

const logFixed = 1 + 4 + stringFixed

// AppendLog appends a Log frame. A text that is too long is cut.
func AppendLog(b []byte, l LogRecord) []byte {
	return appendFrame(b, Log, func(b []byte) []byte {
		b = appendString(binary.LittleEndian.AppendUint32(append(b, l.Level), l.Line), l.File)
		return append(b, l.Text[:min(len(l.Text), MaxPayload-logFixed-len(l.File))]...)
	})
}

// ParseLog reads the payload of a Log.
func ParseLog(payload []byte) (LogRecord, error) {
	p := parser{rest: payload}
	l := LogRecord{Level: p.take(1)[0], Line: p.uint32(), File: p.string()}
	l.Text, p.rest = string(p.rest), nil
	return l, p.end("log record")
}

// AppendWant appends a Want frame: the application waits for n bytes or fewer. Body, BodyEnd or BodyFailed answers it.
func AppendWant(b []byte, n uint32) []byte {
	return appendFrame(b, Want, func(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, n) })
}

// ParseWant reads the payload of a Want.
func ParseWant(payload []byte) (uint32, error) {
	p := parser{rest: payload}
	n := p.uint32()
	p.failed = p.failed || n > MaxPayload
	return n, p.end("want")
}

const stringFixed = 4 + 1

// appendString appends the length, the bytes and a NUL, which makes it a string of C's where it lies.
func appendString(b []byte, s string) []byte {
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	return append(b, 0)
}

// A parser takes a payload apart. After a failure everything reads as zero, and end reports it.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) take(n int) []byte {
	if p.failed || n > len(p.rest) {
		p.failed = true
		return make([]byte, min(n, 8))
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *parser) uint16() uint16 { return binary.LittleEndian.Uint16(p.take(2)) }
func (p *parser) uint32() uint32 { return binary.LittleEndian.Uint32(p.take(4)) }
func (p *parser) uint64() uint64 { return binary.LittleEndian.Uint64(p.take(8)) }

func (p *parser) bytes(n uint32) []byte {
	if p.failed || uint64(n) > uint64(len(p.rest)) {
		p.failed = true
		return nil
	}
	taken := append([]byte{}, p.take(int(n))...)
	if end := p.take(1); len(end) != 1 || end[0] != 0 {
		p.failed = true
	}
	return taken
}

func (p *parser) string() string { return string(p.bytes(p.uint32())) }

func (p *parser) value() []byte {
	n := p.uint32()
	if n == noValue {
		return nil
	}
	return p.bytes(n)
}

func (p *parser) end(what string) error {
	if p.failed || len(p.rest) > 0 {
		return fmt.Errorf("%w: a %s that is too short or too long", errGarbage, what)
	}
	return nil
}
