package directives

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
)

func sampleRecording() *Recording {
	return &Recording{
		Fingerprint: Fingerprint(),
		Facts:       map[string]string{"euid": "0", "server_root": "/etc/apache2"},
		Servers:     []Server{{Name: "a", Port: 80, File: "f", Line: 1}, {Port: 443, File: "g", Line: 7, Virtual: true}},
		Records: []Record{
			{Server: 1, Directive: 3, Context: InVirtualHost, Args: "x y", File: "f", Line: 3},
			{Leaf: 4, Directive: 4, Context: InDirectory | InHtaccess, Args: "", File: "h", Line: 5, Section: "/srv"},
		},
	}
}

// The C edge writes this layout.
func TestRecordingHasTheDocumentedLayout(t *testing.T) {
	u32 := func(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }
	text := func(s string) string { return u32(uint32(len(s))) + s }
	want := "MWR1" + text(Fingerprint()) +
		u32(2) + text("euid") + text("0") + text("server_root") + text("/etc/apache2") +
		u32(2) + text("a") + u32(80) + text("f") + u32(1) + u32(0) +
		text("") + u32(443) + text("g") + u32(7) + u32(1) +
		u32(2) + u32(1) + u32(0) + u32(3) + u32(1) + text("x y") + text("f") + u32(3) + text("") +
		u32(0) + u32(4) + u32(4) + u32(10) + text("") + text("h") + u32(5) + text("/srv")
	got := sampleRecording().Encode()
	if string(got) != want {
		t.Fatalf("encoded\n%q\nwant\n%q", got, want)
	}
	decoded, err := Decode([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, sampleRecording()) {
		t.Errorf("decoded %+v", decoded)
	}
}

func TestAnswerSurvivesTheWire(t *testing.T) {
	answer := Answer{
		Problems: []Problem{{Severity: Warning, Code: 198, Directive: "D", File: "f", Line: 4, Reason: "r"}, {Severity: Error, Reason: "\xff"}},
		Patterns: []Pattern{{Regex: "^/a", Directive: "D", File: "f", Line: 9}},
		Groups:   2,
		Facts:    map[string]string{"a": "1", "b": ""},
	}
	encoded := EncodeAnswer(answer)
	if want := "MWA2\x02\x00\x00\x00\x01\x00\x00\x00\xc6\x00\x00\x00\x01\x00\x00\x00D"; !bytes.HasPrefix(encoded, []byte(want)) {
		t.Errorf("the answer begins with %q, want %q", encoded[:len(want)], want)
	}
	want := "\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00a\x01\x00\x00\x001\x01\x00\x00\x00b\x00\x00\x00\x00"
	if !bytes.HasSuffix(encoded, []byte(want)) {
		t.Errorf("the answer %q does not end with %q", encoded, want)
	}
	decoded, err := DecodeAnswer(encoded)
	if err != nil || !reflect.DeepEqual(decoded, answer) {
		t.Errorf("decoded %v, %v", decoded, err)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	recording := sampleRecording().Encode()
	for n := range recording {
		if _, err := Decode(recording[:n]); err == nil {
			t.Errorf("the first %d of %d bytes of a recording are accepted", n, len(recording))
		}
	}
	answer := EncodeAnswer(Answer{Problems: []Problem{{Reason: "r"}}, Patterns: []Pattern{{Regex: "x"}}, Facts: map[string]string{"a": "b"}})
	for n := range answer {
		if _, err := DecodeAnswer(answer[:n]); err == nil {
			t.Errorf("the first %d of %d bytes of an answer are accepted", n, len(answer))
		}
	}
	for _, b := range [][]byte{append(recording, 0), []byte("MWR2"), []byte("garbage"), nil} {
		if _, err := Decode(b); err == nil {
			t.Errorf("%q is accepted", b)
		}
	}
}

func TestRecordingOfAnotherBuildIsRefused(t *testing.T) {
	r := sampleRecording()
	r.Fingerprint = "0123456789abcdef"
	_, err := Decode(r.Encode())
	if err == nil || !strings.Contains(err.Error(), "different builds") {
		t.Errorf("error %v", err)
	}
}

func TestIndexesOutOfRangeAreRefused(t *testing.T) {
	for _, change := range []func(*Record){
		func(r *Record) { r.Server = 2 },
		func(r *Record) { r.Directive = len(Table) },
	} {
		r := sampleRecording()
		change(&r.Records[1])
		if _, err := Decode(r.Encode()); err == nil {
			t.Errorf("%+v is accepted", r.Records[1])
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sampleRecording().Encode())
	f.Add((&Recording{}).Encode())
	f.Add([]byte("MWR1\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(r.Encode())
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v comes back as %+v, %v", r, again, err)
		}
		Check(r) // must not panic, whatever the records are
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add(EncodeAnswer(Answer{}))
	f.Add(EncodeAnswer(Answer{Problems: []Problem{{Severity: Notice, Code: 1, Reason: "r"}}, Patterns: []Pattern{{Regex: "x"}}, Groups: 3,
		Facts: map[string]string{"a": "b"}}))
	f.Add([]byte("MWA2\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := DecodeAnswer(b)
		if err != nil {
			return
		}
		if again, err := DecodeAnswer(EncodeAnswer(answer)); err != nil || !reflect.DeepEqual(again, answer) {
			t.Fatalf("%+v comes back as %+v, %v", answer, again, err)
		}
	})
}
