package daemon

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// samples holds one frame of each type, with what it means.
func samples(t testing.TB) []struct {
	name  string
	frame []byte
} {
	request, err := AppendRequest(nil, &Request{
		Start: 1_700_000_000_000_001, Queued: 1_700_000_000_000_002, ContentLength: 3, Flags: 5, Complete: true, Connects: 2, Restarts: 1, LogLevel: 6,
		ApplicationGroup: "group", Script: "/srv/app.wsgi", Callable: "application", Resource: "/srv/app.wsgi",
		Environ: []Pair{{"PATH_INFO", []byte("/\xe9")}, {"EMPTY", []byte{}}, {"NONE", nil}}, Window: []byte("abc"),
	})
	if err != nil {
		t.Fatal(err)
	}
	empty := func(kind Type, flags uint8) []byte { return AppendHeader(nil, Header{Type: kind, Flags: flags}) }
	return []struct {
		name  string
		frame []byte
	}{
		{"client hello", AppendHello(nil, ClientHello)},
		{"request", request},
		{"body", append(AppendHeader(nil, Header{Type: Body, Length: 3}), "abc"...)},
		{"body end", empty(BodyEnd, 0)},
		{"body failed", AppendFailure(nil, BodyFailed, Failure{408, "too slow"})},
		{"server hello", AppendHello(nil, ServerHello)},
		{"want", AppendWant(nil, 65536)},
		{"start", AppendStart(nil, &Answer{Status: 200, Line: "200 OK", ContentLength: -1, Headers: []Field{{"X-A", "1"}, {"X-A", ""}}})},
		{"data", append(AppendHeader(nil, Header{Type: Data, Flags: FlagFlush, Length: 2}), "ok"...)},
		{"file", AppendFile(nil, FileRange{Offset: 10, Length: 1 << 33})},
		{"log", AppendLog(nil, LogRecord{Level: 3, Text: "a line"})},
		{"log from", AppendLog(nil, LogRecord{Level: 6, Line: 12, File: "/srv/app.py", Text: "a line"})},
		{"end", empty(End, 0)},
		{"end short", empty(End, FlagShort)},
		{"abort", AppendFailure(nil, Abort, Failure{500, "ValueError"})},
		{"fail", AppendFailure(nil, Fail, Failure{404, ""})},
		{"again", empty(Again, 0)},
		{"again elsewhere", empty(Again, FlagElsewhere)},
	}
}

// The frames as they were when this version of the protocol was fixed: a change here needs another Version.
func TestFramesAreThoseOfTheGoldenFile(t *testing.T) {
	path := filepath.Join("testdata", fmt.Sprintf("frames-%d.txt", Version))
	var now strings.Builder
	for _, s := range samples(t) {
		fmt.Fprintf(&now, "%s: %s\n", s.name, hex.EncodeToString(s.frame))
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if now.String() != string(golden) {
		t.Errorf("the frames differ from %s:\n%s\nwant\n%s", path, now.String(), golden)
	}
}

// decode parses a whole frame by its type and encodes it again.
func decode(frame []byte) (again []byte, err error) {
	if len(frame) < HeaderSize {
		return nil, errGarbage
	}
	h, err := ParseHeader([HeaderSize]byte(frame))
	if err != nil {
		return nil, err
	}
	payload := frame[HeaderSize:]
	if uint32(len(payload)) != h.Length {
		return nil, errGarbage
	}
	switch h.Type {
	case ClientHello, ServerHello:
		return AppendHello(nil, h.Type), ParseHello(payload)
	case RequestHead:
		r, err := ParseRequest(payload)
		if err != nil {
			return nil, err
		}
		return AppendRequest(nil, r)
	case BodyFailed, Abort, Fail:
		f, err := ParseFailure(payload)
		return AppendFailure(nil, h.Type, f), err
	case Want:
		n, err := ParseWant(payload)
		return AppendWant(nil, n), err
	case Start:
		a, err := ParseStart(payload)
		if err != nil {
			return nil, err
		}
		return AppendStart(nil, a), nil
	case File:
		f, err := ParseFile(payload)
		return AppendFile(nil, f), err
	case Log:
		l, err := ParseLog(payload)
		return AppendLog(nil, l), err
	}
	return append(AppendHeader(nil, h), payload...), nil
}

func TestEveryFrameIsReadAsItWasWritten(t *testing.T) {
	for _, s := range samples(t) {
		again, err := decode(s.frame)
		if err != nil || !bytes.Equal(again, s.frame) {
			t.Errorf("%s: %v\n got %x\nwant %x", s.name, err, again, s.frame)
		}
	}
}

func TestNoneAndEmptyStayApart(t *testing.T) {
	want := &Request{ContentLength: -1, Environ: []Pair{{"A", nil}, {"B", []byte{}}}, Window: []byte{}}
	frame, err := AppendRequest(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRequest(frame[HeaderSize:])
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTruncatedAndLengthenedFramesAreRefused(t *testing.T) {
	for _, s := range samples(t) {
		h, _ := ParseHeader([HeaderSize]byte(s.frame))
		if h.Type == Body || h.Type == Data || h.Type == Log || h.Type == BodyFailed || h.Type == Abort || h.Type == Fail {
			continue // text or bytes of any length
		}
		for n := range len(s.frame) - HeaderSize {
			short := append(AppendHeader(nil, Header{Type: h.Type, Length: uint32(n)}), s.frame[HeaderSize:HeaderSize+n]...)
			if _, err := decode(short); !errors.Is(err, errGarbage) {
				t.Errorf("%s, cut to %d bytes: %v", s.name, n, err)
			}
		}
		long := append(AppendHeader(nil, Header{Type: h.Type, Flags: h.Flags, Length: h.Length + 1}), append(s.frame[HeaderSize:], 0)...)
		if _, err := decode(long); !errors.Is(err, errGarbage) {
			t.Errorf("%s, a byte longer: %v", s.name, err)
		}
	}
}

func TestHeadersBeyondTheirLimitsAreRefused(t *testing.T) {
	for _, h := range []Header{
		{Type: 0}, {Type: 0x80}, {Type: 0x7f, Length: 1}, {Type: Body, Length: MaxPayload + 1}, {Type: BodyEnd, Length: 1},
		{Type: RequestHead, Length: MaxRequest + 1}, {Type: Want, Length: 5}, {Type: Data, Length: 1, Flags: 0x80}, {Type: End, Flags: FlagFlush << 3},
	} {
		if got, err := ParseHeader([HeaderSize]byte(AppendHeader(nil, h))); !errors.Is(err, errGarbage) {
			t.Errorf("%+v was taken as %+v", h, got)
		}
	}
	reserved := AppendHeader(nil, Header{Type: End})
	reserved[2] = 1
	if _, err := ParseHeader([HeaderSize]byte(reserved)); !errors.Is(err, errGarbage) {
		t.Error("a reserved byte was overlooked")
	}
}

func TestAnotherVersionIsNamed(t *testing.T) {
	payload := AppendHello(nil, ClientHello)[HeaderSize:]
	payload[len(payload)-1] = Version + 1
	if err := ParseHello(payload); err == nil || errors.Is(err, errGarbage) || !strings.Contains(err.Error(), fmt.Sprint(Version+1)) {
		t.Errorf("got %v", err)
	}
}

func TestTooLargeAnEnvironIsTheSendersToRefuse(t *testing.T) {
	before := []byte("kept")
	after, err := AppendRequest(before, &Request{Environ: []Pair{{"BIG", make([]byte, MaxRequest)}}})
	if err == nil || string(after) != "kept" {
		t.Errorf("%d bytes, %v", len(after), err)
	}
}

// FuzzFrames: no bytes crash a parser or make it take memory that they don't have, and what is accepted is what would be sent.
func FuzzFrames(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		again, err := decode(frame)
		if err == nil && !bytes.Equal(again, frame) {
			t.Errorf("%x is accepted, but would be sent as %x", frame, again)
		}
	})
}
