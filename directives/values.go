package directives

import (
	"math"
	"strconv"
	"strings"
)

// Tristate is a flag that may be left unset.
type Tristate int8

const (
	Unset Tristate = iota
	On
	Off
)

func (t Tristate) String() string {
	switch t {
	case On:
		return "On"
	case Off:
		return "Off"
	}
	return ""
}

// Or returns the flag's value, or the default when it is unset.
func (t Tristate) Or(byDefault bool) bool {
	if t == Unset {
		return byDefault
	}
	return t == On
}

// parseFlag reads a flag word, in any case.
func parseFlag(word string) (Tristate, bool) {
	switch lower(word) {
	case "on":
		return On, true
	case "off":
		return Off, true
	}
	return Unset, false
}

// lower folds ASCII only, as Apache does.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// numericPrefix returns what C's atoi would convert: leading blanks, a sign, digits. The second result is the text that
// it would ignore.
func numericPrefix(s string) (number, ignored string) {
	i := 0
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	digits := i
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if i == digits {
		return "", s
	}
	return s[start:i], s[i:]
}

// readInteger converts like atoi: text after the number is ignored and no number reads as 0. Both are accepted for the
// sake of existing configurations and reported. A number beyond the limits is an error.
func readInteger(r reporter, text string, low, high int64) (int64, bool) {
	number, ignored := numericPrefix(text)
	n := int64(0)
	if number != "" {
		var err error
		if n, err = strconv.ParseInt(number, 10, 64); err != nil {
			r.errorf(0, "%q is too large a number", text)
			return 0, false
		}
	}
	readAs := ""
	if ignored != "" {
		readAs = " is read as " + strconv.FormatInt(n, 10)
	}
	switch {
	case n < low || n > high:
		if readAs != "" {
			readAs += ", which"
		}
		r.errorf(0, "%q%s is out of range; accepted is %s", text, readAs, rangeText(low, high))
		return 0, false
	case readAs != "":
		r.warnf(0, "%q%s; write a whole number", text, readAs)
	}
	return n, true
}

func rangeText(low, high int64) string {
	from, to := strconv.FormatInt(low, 10), strconv.FormatInt(high, 10)
	switch {
	case high >= math.MaxInt32 && low <= math.MinInt32:
		return "any whole number of 32 bits"
	case high >= math.MaxInt32:
		return "a whole number, " + from + " or more"
	}
	return "a whole number from " + from + " to " + to
}

// readSeconds reads a number of seconds, possibly with a fraction. The whole text must be numeric.
func readSeconds(text string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimLeft(text, " \t"), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// secondsPrefix converts like C's atof: the longest numeric beginning, or 0. The second result is what it ignores.
func secondsPrefix(text string) (float64, string) {
	text = strings.TrimLeft(text, " \t")
	for end := len(text); end > 0; end-- {
		if f, ok := readSeconds(text[:end]); ok {
			return f, text[end:]
		}
	}
	return 0, text
}
