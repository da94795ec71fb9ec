package interp

/*
#include <stdlib.h>
#include "python.h"
*/
import "C"

import (
	_ "embed"
	"strconv"
	"strings"
	"unsafe"
)

//go:embed collections.py
var collectionsSource string

// Collections are what an interpreter's garbage collector has done.
type Collections struct {
	ApplicationGroup               string
	Enabled                        bool
	Frozen, Dropped                uint64 // objects; pauses that were forgotten since the last look
	Counts, Thresholds             [3]uint64
	Done, Collected, Uncollectable [3]uint64 // by generation, since the interpreter began
	Pauses                         []Pause
}

// A Pause is one run of a collector.
type Pause struct {
	Start, Duration          float64 // seconds since the epoch; seconds
	Generation               uint64
	Collected, Uncollectable uint64 // objects
}

// TakeCollections looks at the collectors of this process, at most so many, and takes their pauses; from the first look on they are noted. It may
// wait for an interpreter's GIL for ever.
func TakeCollections(most int) (all []Collections) {
	defer onThread()()
	source := C.CString(collectionsSource)
	defer C.free(unsafe.Pointer(source))
	var n C.size_t
	text := C.mw_collections(source, C.size_t(most), &n)
	defer C.free(unsafe.Pointer(text))
	parts := strings.Split(C.GoStringN(text, C.int(n)), "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		if c, ok := parseCollections(parts[i+1]); ok {
			c.ApplicationGroup = parts[i]
			all = append(all, c)
		}
	}
	return all
}

// parseCollections reads what collections.py writes.
func parseCollections(text string) (c Collections, ok bool) {
	const fixed, perPause = 3 + 3 + 3 + 3*3, 5
	var numbers []float64
	for word := range strings.FieldsSeq(text) {
		number, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return c, false
		}
		numbers = append(numbers, number)
	}
	if len(numbers) < fixed || (len(numbers)-fixed)%perPause != 0 {
		return c, false
	}
	next := func() float64 {
		number := numbers[0]
		numbers = numbers[1:]
		return number
	}
	c.Enabled, c.Frozen, c.Dropped = next() != 0, uint64(next()), uint64(next())
	for _, list := range []*[3]uint64{&c.Counts, &c.Thresholds} {
		for i := range list {
			list[i] = uint64(next())
		}
	}
	for i := range c.Done {
		c.Done[i], c.Collected[i], c.Uncollectable[i] = uint64(next()), uint64(next()), uint64(next())
	}
	for len(numbers) > 0 {
		c.Pauses = append(c.Pauses, Pause{next(), next(), uint64(next()), uint64(next()), uint64(next())})
	}
	return c, true
}

// SwitchInterval is sys.getswitchinterval() of the main interpreter, 0 if that can't be told. It may wait for its GIL for ever.
func SwitchInterval() float64 {
	defer onThread()()
	return float64(C.mw_switch_interval())
}
