package errorlog

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// at is a time whose day and hour have one digit: Apache pads days with a zero.
var at = time.Date(2026, time.November, 3, 4, 5, 6, 123456789, time.FixedZone("", 3600))

func render(t *testing.T, text string, server Server, level Level, message string) string {
	t.Helper()
	f, err := Parse(text, server)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return strings.TrimSuffix(string(Render(f.Pieces(level), level, at, message)), "\n")
}

// What Apache 2.4.71 writes with the same ErrorLogFormat for records of the server (seen, with event and prefork).
func TestFormatsLookAsApacheWritesThem(t *testing.T) {
	pid := os.Getpid()
	main := Server{Name: "main.example", Threaded: true}
	for _, c := range []struct {
		format string
		server Server
		want   string
	}{
		{`%t|%{c}t|%{cu}t|%{z}t|%{cuz}t|%{uz}t %P %v %-V %-L %-a %A x%aY %M %%`, main,
			fmt.Sprintf("Tue Nov 03 04:05:06 2026|2026-11-03 04:05:06|2026-11-03 04:05:06.123456|Tue Nov 03 04:05:06 2026 +0100|"+
				"2026-11-03 04:05:06.123456 +0100|Tue Nov 03 04:05:06.123456 2026 +0100 %d main.example - - - message %%", pid)},
		{`x %5l y %6l z %M`, main, "x notice y z message"}, // the level of the record below is notice, 5
		{`x%l% %a% y%P% z%M`, main, fmt.Sprintf("xnoticey%dzmessage", pid)},
		{`a%l b\nc\td\qe %F  %k  f %M`, main, "anotice b\nc\tdqe  f message"},
		{`[%T] [x %-T] %M`, Server{}, " [x -] message"},
		{`%v %M`, Server{}, " message"},
		{`%M\`, main, `message\`},
	} {
		if got := render(t, c.format, c.server, Notice, "message"); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.format, got, c.want)
		}
	}
}

func TestTheManualsFormatLosesWhatHasNoValue(t *testing.T) {
	const manual = `[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i`
	want := fmt.Sprintf("[Tue Nov 03 04:05:06.123456 2026] [wsgi:info] [pid %d:tid %d] message", os.Getpid(), unix.Gettid())
	if got := strings.TrimRight(render(t, manual, Server{Threaded: true}, Info, "message"), " "); mask(got) != mask(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want = fmt.Sprintf("[Tue Nov 03 04:05:06.123456 2026] [wsgi:info] [pid %d:tid message", os.Getpid())
	if got := render(t, manual, Server{}, Info, "message"); got != want {
		t.Errorf("with prefork got %q, want %q", got, want)
	}
}

// Apache writes "x y" then.
func TestTheMessageIsNeverLost(t *testing.T) {
	if got, want := render(t, `x a%M%a y %M% %a%M`, Server{}, Error, "message"), "xmessage y messagemessage"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheDefaultFormatIsApaches(t *testing.T) {
	want := fmt.Sprintf("[Tue Nov 03 04:05:06.123456 2026] [wsgi:error] [pid %d:tid %d] message\n", os.Getpid(), unix.Gettid())
	if got := string(Render(Default().Pieces(Error), Error, at, "message")); mask(got) != mask(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// mask hides the number of the thread: the test may move to another.
func mask(record string) string {
	before, after, found := strings.Cut(record, ":tid ")
	if !found {
		return record
	}
	return before + strings.TrimLeft(after, "0123456789")
}

func TestAFieldCanBeForLessImportantRecordsOnly(t *testing.T) {
	const format = `a %5l %6l b%7v %M` // %6l: only in records of level info, 6, and less important ones
	for level, want := range map[Level]string{Error: "a m", Notice: "a notice m", Info: "a info info m", Debug: "a debug debug bn m", Trace8: "a trace8 trace8 bn m"} {
		if got := render(t, format, Server{Name: "n"}, level, "m"); got != want {
			t.Errorf("%s: got %q, want %q", level, got, want)
		}
	}
}

func TestQuotationMarksOfTheConfigurationAreNoPartOfTheFormat(t *testing.T) {
	for text, want := range map[string]string{
		`"%l %M"`:                      "notice m",
		`'%l "%M"'`:                    `notice "m"`,
		`"{\"level\":\"%l\"\\t%M}"`:    "{\"level\":\"notice\"\tm}",
		` "%M" `:                       "m",
		`%M`:                           "m",
		`{"level":"%l","message":"%M"`: `{"level":"notice","message":"m"`,
	} {
		if got := render(t, text, Server{}, Notice, "m"); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestWhatApacheRefusesIsRefused(t *testing.T) {
	for _, text := range []string{"", "%l", "%M %", "%M %{u", "%M %5", "%M %-", "%M %Q", "%+l %M"} {
		if f, err := Parse(text, Server{}); err == nil {
			t.Errorf("%q was read as %+v", text, f)
		}
	}
}

func TestPiecesOfADefaultRecord(t *testing.T) {
	var kinds []Kind
	for _, p := range Default().Pieces(Info) {
		kinds = append(kinds, p.Kind)
	}
	want := []Kind{KindText, KindTimeMicroseconds, KindText, KindModule, KindText, KindLevel, KindText, KindPid, KindText, KindTid, KindText, KindMessage}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

func TestLogLevelIsKept(t *testing.T) {
	var out bytes.Buffer
	format, _ := Parse("%l %M", Server{})
	log := New(&out, format, Warning)
	for level := Emergency; level <= Trace8; level++ {
		log.Printf(level, 0, "m")
	}
	log.Printf(Alert, 13, "cannot %s", "bind")
	if want := "emerg m\nalert m\ncrit m\nerror m\nwarn m\nalert WSGI0013: cannot bind\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestAMessageStaysOneLine(t *testing.T) {
	got := render(t, "%M", Server{}, Error, "a\nb\r\t\\\x00\x1b\x7f\xc3\xa4")
	if want := `a\nb\r\t\\\x00\x1b\x7f\xc3\xa4`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if long := render(t, "%M", Server{}, Error, strings.Repeat("x", 100000)); len(long) != longestMessage {
		t.Errorf("a long message became %d bytes", len(long))
	}
}

func TestFactsSayWhatRecordsLookLike(t *testing.T) {
	for _, c := range []struct {
		facts map[string]string
		level Level
		want  string
	}{
		{nil, Warning, "[Tue Nov 03"},
		{map[string]string{"server.1.log_level": "15", "server.0.log_level": "2"}, Trace8, "[Tue Nov 03"},
		{map[string]string{"server.1.log_level": "6", "error_log_format": `"%v %T%-T %M"`, "threaded": "1"}, Info, "b.example "},
		{map[string]string{"error_log_format": `%v x%-T %M`, "threaded": "0"}, Warning, "b.example x- message"},
	} {
		format, level, err := FromFacts(c.facts, 1, "b.example")
		got := string(Render(format.Pieces(level), level, at, "message"))
		if err != nil || level != c.level || !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: level %s, record %q, %v", c.facts, level, got, err)
		}
	}
	if format, _, err := FromFacts(map[string]string{"error_log_format": "%Q"}, 0, ""); err == nil || format == nil {
		t.Errorf("an unreadable format: %v, %v", format, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`[%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\ %a] %M% ,\ referer\ %{Referer}i`)
	f.Add(`"%M\`)
	f.Add(`% % %M%%`)
	f.Fuzz(func(t *testing.T, text string) {
		format, err := Parse(text, Server{})
		if err != nil {
			return
		}
		for level := Emergency; level <= Trace8; level++ {
			messages := 0
			for _, p := range format.Pieces(level) {
				if p.Kind == KindMessage {
					messages++
				}
			}
			if messages == 0 {
				t.Errorf("records of level %s have no message", level)
			}
		}
	})
}
