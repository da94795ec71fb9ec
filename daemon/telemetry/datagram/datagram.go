// Package datagram is the format in which telemetry travels: one datagram for each record, a header and fields, little endian. docs/telemetry.md
// describes it; this package knows nothing of what the fields mean beside their types.
package datagram

import (
	"encoding/binary"
	"math"
	"strings"
)

// A Kind says what a record tells.
type Kind uint8

const (
	RequestMetrics  Kind = 2
	SlowRequest     Kind = 4
	ProcessStarted  Kind = 5
	ProcessStopping Kind = 6
	ProcessStopped  Kind = 7
	GCSnapshot      Kind = 8
	GCEvent         Kind = 9
)

const (
	magic   = "WSGI"
	version = 1

	// HeaderSize: magic, version, kind, 16 bits of flags (none), process id, sequence number, time of sending in seconds since the epoch.
	HeaderSize = 4 + 1 + 1 + 2 + 4 + 4 + 8
	// MaxSize of a datagram. Fields that do not fit are left out.
	MaxSize = 8192
)

// Types of fields. Texts and arrays have a length in front, of 16 bits: bytes, or elements.
const (
	typeUnsigned = 1 + iota // 64 bits
	typeDouble
	typeSigned // 64 bits; no field has it yet
	typeBytes
	typeInts // of 32 bits
	typeDoubles
)

// A Record is being written.
type Record struct {
	data []byte
}

// New begins a record.
func New(kind Kind, pid int, sequence uint32, at float64) *Record {
	r := &Record{data: make([]byte, 0, 1024)}
	r.data = append(r.data, magic...)
	r.data = append(r.data, version, byte(kind), 0, 0)
	r.data = binary.LittleEndian.AppendUint32(r.data, uint32(pid))
	r.data = binary.LittleEndian.AppendUint32(r.data, sequence)
	r.data = appendDouble(r.data, at)
	return r
}

// Bytes is the datagram.
func (r *Record) Bytes() []byte { return r.data }

// Unsigned adds a number.
func (r *Record) Unsigned(f Field, value uint64) {
	r.add(f, typeUnsigned, binary.LittleEndian.AppendUint64(nil, value))
}

// Double adds a number; what is none is not sent.
func (r *Record) Double(f Field, value float64) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		r.add(f, typeDouble, appendDouble(nil, value))
	}
}

// Text adds a text of at most `limit` bytes, cut if it is longer; an empty one is not sent.
func (r *Record) Text(f Field, limit int, text string) {
	const cut = "..."
	if len(text) > limit {
		text = strings.TrimSuffix(text, cut)
		text = text[:min(len(text), limit-len(cut))] + cut
	}
	if text != "" {
		r.add(f, typeBytes, append(length(len(text)), text...))
	}
}

// Ints adds an array.
func (r *Record) Ints(f Field, values []int32) {
	data := length(len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	r.add(f, typeInts, data)
}

// Doubles adds an array.
func (r *Record) Doubles(f Field, values []float64) {
	data := length(len(values))
	for _, v := range values {
		data = appendDouble(data, v)
	}
	r.add(f, typeDoubles, data)
}

func (r *Record) add(f Field, kind byte, value []byte) {
	const head = 2 + 1
	if len(r.data)+head+len(value) > MaxSize {
		return
	}
	r.data = binary.LittleEndian.AppendUint16(r.data, uint16(f))
	r.data = append(append(r.data, kind), value...)
}

func length(n int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(n)) }

func appendDouble(to []byte, value float64) []byte {
	return binary.LittleEndian.AppendUint64(to, math.Float64bits(value))
}
