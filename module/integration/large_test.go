package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Much data in little memory.

const (
	megabytes     = 100
	growthLimitKB = 20 * 1024
)

// pattern is the block that testdata/apps/bodies.wsgi sends.
func pattern() []byte {
	block := make([]byte, 65536)
	for i := range block {
		block[i] = byte(i)
	}
	return block
}

func TestHundredMegabytesPassInConstantMemory(t *testing.T) {
	for _, in := range both(apachetest.MPMs, sizes[:2]) {
		t.Run(in.String(), func(t *testing.T) {
			s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true,
				Conf: "WSGIScriptAlias / {{.Apps}}/bodies.wsgi\nWSGIApplicationGroup %{GLOBAL}\nWSGIChunkedRequest On\nLimitRequestBody 0\n"}))
			client := &http.Client{Timeout: time.Minute}
			// Once small, so that buffers which are kept are there.
			download(t, client, s.URL("/down?1"), 1)
			upload(t, client, s.URL("/digest"), 1, false)
			before := residentOf(t, s)
			for name, transfer := range map[string]func(){
				"down":            func() { download(t, client, s.URL("/down?"+strconv.Itoa(megabytes)), megabytes) },
				"down by write()": func() { download(t, client, s.URL("/down_write?"+strconv.Itoa(megabytes)), megabytes) },
				"up":              func() { upload(t, client, s.URL("/digest"), megabytes, false) },
				"up in chunks":    func() { upload(t, client, s.URL("/digest"), megabytes, true) },
				"up, unread":      func() { uploadIgnored(t, client, s.URL("/ignore"), megabytes) },
			} {
				start := time.Now()
				transfer()
				for pid, kb := range residentOf(t, s) {
					if grown := kb - before[pid]; grown > growthLimitKB {
						t.Errorf("%s: process %d has grown by %d KB: %s", name, pid, grown, apachetest.CommandLine(pid))
					} else {
						t.Logf("%s: %d MB in %v, process %d has grown by %d KB", name, megabytes, time.Since(start).Round(time.Millisecond), pid, grown)
					}
				}
			}
		})
	}
}

// residentOf is the memory of the children and the daemon processes, in KB.
func residentOf(t *testing.T, s *apachetest.Server) map[int]int {
	t.Helper()
	memory := map[int]int{}
	for _, pid := range slices.Concat(s.Children(), s.DaemonProcesses(), s.Supervisors()) {
		memory[pid] = residentKB(t, pid)
	}
	return memory
}

func residentKB(t *testing.T, pid int) int {
	t.Helper()
	n, err := apachetest.ResidentKB(pid)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func download(t *testing.T, client *http.Client, url string, size int) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	expected, got := pattern(), make([]byte, 65536)
	for n := range size * 16 {
		if _, err := io.ReadFull(response.Body, got); err != nil || !bytes.Equal(got, expected) {
			t.Fatalf("%s: block %d is damaged: %v", url, n, err)
		}
	}
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Fatalf("%s: %d bytes too many, %v", url, len(rest), err)
	}
}

// repeated is the pattern, size MB of it.
func repeated(size int) io.Reader {
	readers := make([]io.Reader, size*16)
	block := pattern()
	for i := range readers {
		readers[i] = bytes.NewReader(block)
	}
	return io.MultiReader(readers...)
}

func upload(t *testing.T, client *http.Client, url string, size int, chunked bool) {
	t.Helper()
	digest := sha256.New()
	if _, err := io.Copy(digest, repeated(size)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d %s", size<<20, hex.EncodeToString(digest.Sum(nil)))
	if got := send(t, client, url, size, chunked); got != want {
		t.Fatalf("%s: %s, want %s", url, got, want)
	}
}

func uploadIgnored(t *testing.T, client *http.Client, url string, size int) {
	t.Helper()
	if got := send(t, client, url, size, false); got != "ignored" {
		t.Fatalf("%s: %s", url, got)
	}
}

func send(t *testing.T, client *http.Client, url string, size int, chunked bool) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), "POST", url, io.NopCloser(repeated(size)))
	if err != nil {
		t.Fatal(err)
	}
	if !chunked {
		request.ContentLength = int64(size) << 20
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: status %d, %v", url, response.StatusCode, err)
	}
	return string(text)
}
