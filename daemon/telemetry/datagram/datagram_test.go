package datagram

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
)

func TestRecordLooksAsDescribed(t *testing.T) {
	r := New(SlowRequest, 0x01020304, 7, 1.5)
	r.Unsigned(SlowState, 1)
	r.Double(SlowDuration, -2)
	r.Text(SlowMethod, 15, "GET")
	r.Ints(ThreadsCompleted, []int32{1, -1})
	r.Doubles(ThreadsBusyTime, []float64{0.5})
	const want = "57534749 01 04 0000 04030201 07000000 000000000000f83f" +
		"c800 01 0100000000000000" + "ca00 02 00000000000000c0" + "d200 04 0300 474554" +
		"6e00 05 0200 01000000ffffffff" + "6f00 06 0100 000000000000e03f"
	if got := hex.EncodeToString(r.Bytes()); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, strings.ReplaceAll(want, " ", ""))
	}
}

func TestWhatIsNothingIsNotSent(t *testing.T) {
	r := New(RequestMetrics, 1, 0, 0)
	r.Text(Hostname, 255, "")
	r.Double(SamplePeriod, math.NaN())
	r.Double(SamplePeriod, math.Inf(1))
	if n := len(r.Bytes()); n != HeaderSize {
		t.Errorf("%d bytes", n)
	}
}

func TestLongTextsAreCutVisibly(t *testing.T) {
	for text, want := range map[string]string{"1234567890": "1234567890", "12345678901": "1234567...", "1234567890...": "1234567...", "123456789...": "1234567..."} {
		r := New(SlowRequest, 1, 0, 0)
		r.Text(SlowMethod, 10, text)
		if got := string(r.Bytes()[HeaderSize+5:]); got != want {
			t.Errorf("%q is sent as %q", text, got)
		}
	}
}

func TestDatagramsAreNeverTooLarge(t *testing.T) {
	r := New(RequestMetrics, 1, 0, 0)
	for range 5 {
		r.Doubles(ThreadsBusyTime, make([]float64, 300))
	}
	if n := len(r.Bytes()); n > MaxSize || n < MaxSize-3000 {
		t.Errorf("%d bytes", n)
	}
	r.Unsigned(SlowState, 1) // still fits
	if data := r.Bytes(); data[len(data)-11] != byte(SlowState) {
		t.Error("a field that fits is left out")
	}
}
