package directives

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Both messages are sequences of little-endian 32-bit numbers and of strings (a number of bytes, then the bytes).

var errTruncated = errors.New("it ends in the middle")

// wireReader reads a message. The first mistake sticks in err; from then on everything reads as zero.
type wireReader struct {
	rest []byte
	err  error
}

func (r *wireReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *wireReader) magic(want string) {
	if len(r.rest) < len(want) || string(r.rest[:len(want)]) != want {
		r.fail(fmt.Errorf("it does not begin with %q", want))
		return
	}
	r.rest = r.rest[len(want):]
}

func (r *wireReader) number() uint32 {
	if len(r.rest) < 4 {
		r.fail(errTruncated)
		return 0
	}
	n := binary.LittleEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return n
}

func (r *wireReader) text() string {
	n := r.number()
	if uint64(n) > uint64(len(r.rest)) {
		r.fail(errTruncated)
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

// count reads the length of a list whose items take at least size bytes each, so that a forged length can't make the
// reader allocate more than a small multiple of the message.
func (r *wireReader) count(size int) int {
	n := r.number()
	if uint64(n)*uint64(size) > uint64(len(r.rest)) {
		r.fail(errTruncated)
		return 0
	}
	return int(n)
}

// facts reads texts by name.
func (r *wireReader) facts() map[string]string {
	n := r.count(8)
	facts := make(map[string]string, n)
	for range n {
		key := r.text()
		facts[key] = r.text()
	}
	return facts
}

func (r *wireReader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes too many at its end", len(r.rest))
	}
	return r.err
}

// wireWriter appends to b.
type wireWriter struct{ b []byte }

func (w *wireWriter) number(n int) { w.b = binary.LittleEndian.AppendUint32(w.b, uint32(n)) }

func (w *wireWriter) text(s string) {
	w.number(len(s))
	w.b = append(w.b, s...)
}

func (w *wireWriter) facts(facts map[string]string) {
	w.number(len(facts))
	for _, key := range slices.Sorted(maps.Keys(facts)) {
		w.text(key)
		w.text(facts[key])
	}
}
