package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// step is one request of a visit, and the status that it must get from both modules. The method is GET, or POST when
// there is a body.
type step struct {
	method, path string
	header       map[string]string
	body         string
	status       int
}

func page(path string, status int) step { return step{path: path, status: status} }

func submit(path string, status int, fields url.Values) step {
	return step{path: path, status: status, body: fields.Encode(),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
}

// submitFile is a form with a file, as a browser sends it. The boundary is fixed, so that both modules get the same bytes.
func submitFile(path string, status int, fields map[string]string, fileField, fileName, content string) step {
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	_ = writer.SetBoundary("a-boundary-that-is-in-no-file")
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		_ = writer.WriteField(name, fields[name])
	}
	part, _ := writer.CreateFormFile(fileField, fileName)
	_, _ = io.WriteString(part, content)
	_ = writer.Close()
	return step{path: path, status: status, body: body.String(), header: map[string]string{"Content-Type": writer.FormDataContentType()}}
}

// visitor is a browser without eyes: it keeps cookies, and shows redirects instead of following them.
type visitor struct {
	http.Client
	base *url.URL
}

func newVisitor(t *testing.T, s *apachetest.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(s.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{base: base, Client: http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) cookie(name string) string {
	for _, cookie := range v.Jar.Cookies(v.base) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// answer is what came back, reduced to what two servers can have in common.
type answer struct {
	status int
	head   string // status line, framing and header lines, sorted
	body   string
}

func (a answer) String() string {
	return fmt.Sprintf("%s\n%s", a.head, a.body[:min(len(a.body), 2000)])
}

func (v *visitor) take(s step) (answer, error) {
	method := s.method
	switch {
	case method != "":
	case s.body != "":
		method = http.MethodPost
	default:
		method = http.MethodGet
	}
	request, err := http.NewRequest(method, v.base.Scheme+"://"+v.base.Host+s.path, strings.NewReader(s.body))
	if err != nil {
		return answer{}, err
	}
	request.Host = "127.0.0.1" // the same for both, so that no answer names a port
	for name, value := range s.header {
		request.Header.Set(name, value)
	}
	response, err := v.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := readPlain(response)
	if err != nil {
		return answer{}, err
	}
	lines := []string{fmt.Sprintf("framing: length %d, encodings %v", response.ContentLength, response.TransferEncoding)}
	for name, values := range response.Header {
		if name == "Date" || name == "Server" {
			continue
		}
		for _, value := range values {
			if name == "Allow" { // a set, in whatever order Python's hashing gives
				methods := strings.Split(value, ", ")
				sort.Strings(methods)
				value = strings.Join(methods, ", ")
			}
			lines = append(lines, name+": "+v.neutral(value))
		}
	}
	sort.Strings(lines)
	return answer{response.StatusCode, response.Status + "\n" + strings.Join(lines, "\n") + "\n", v.neutral(string(body))}, nil
}

// readPlain takes gzip off, for its header holds the time.
func readPlain(response *http.Response) ([]byte, error) {
	if response.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(response.Body)
	}
	plain, err := gzip.NewReader(response.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

// What is random or says when: tokens, session ids, identifiers, times.
var passing = []struct {
	pattern *regexp.Regexp
	neutral string
}{
	{regexp.MustCompile(`(csrftoken|sessionid)=[A-Za-z0-9]+`), "$1=RANDOM"},
	{regexp.MustCompile(`(name="csrfmiddlewaretoken" value=)"[A-Za-z0-9]+"`), `$1"RANDOM"`},
	{regexp.MustCompile(`expires=\w{3}, \d\d[- ]\w{3}[- ]\d{4} \d\d:\d\d:\d\d GMT`), "expires=TIME"},
	{regexp.MustCompile(`\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`), "TIME"},
	{regexp.MustCompile(`(nonce|opaque)="[0-9a-f]+"`), `$1="RANDOM"`},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	// Signatures hold the time: Flask's session, in cookies and wherever they are shown, and Django's messages.
	{regexp.MustCompile(`\.[\w-]{6}\.[\w-]{27}`), ".TIME.SIGNATURE"},
	{regexp.MustCompile(`^messages=[^;]{10,}`), "messages=SIGNED"},
	{regexp.MustCompile(`(Etag|ETag): "?[0-9a-f]{32}"?`), "$1: RANDOM"},
}

func (v *visitor) neutral(text string) string {
	text = strings.ReplaceAll(text, v.base.Host, "HOST")
	for _, p := range passing {
		text = p.pattern.ReplaceAllString(text, p.neutral)
	}
	return text
}

// visitBoth takes a step as two visitors, one at each module, and compares what they see. It returns what ours sent.
func visitBoth(t *testing.T, ours, classic *visitor, oursStep, classicStep step) answer {
	t.Helper()
	got, err := ours.take(oursStep)
	if err != nil {
		t.Errorf("%s: ours: %v", oursStep.path, err)
		return answer{}
	}
	want, err := classic.take(classicStep)
	if err != nil {
		t.Errorf("%s: classic: %v", classicStep.path, err)
		return got
	}
	if got.status != oursStep.status {
		t.Errorf("%s: status %d, not %d:\n%s", oursStep.path, got.status, oursStep.status, got)
	}
	if got.head != want.head || got.body != want.body {
		t.Errorf("%s: the modules differ\n--- ours\n%s\n--- classic\n%s", oursStep.path, got, want)
	}
	return got
}

// fetch gets a page on a connection of its own, and reads it to the end.
func fetch(url string) (*http.Response, error) {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response, err
}

// realFiles reads testdata/real/<name>, a file or a folder, for Config.Files. Names start below <name>'s parent.
func realFiles(t *testing.T, name string) map[string]string {
	t.Helper()
	parent := filepath.Join(apachetest.RepositoryRoot(), "testdata", "real")
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(parent, name), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, "__pycache__") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(parent, path)
		files[relative] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
