package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// HTTP/2 and HTTPS.

// certificate makes a key and a self-signed certificate for localhost, both as PEM.
func certificate(t *testing.T) (certPEM, keyPEM string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	keyPEM = string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certPEM))
	return certPEM, keyPEM, pool
}

func TestHTTP2AndHTTPSCarryRequestsAndAnswers(t *testing.T) {
	certPEM, keyPEM, pool := certificate(t)
	threaded := slices.DeleteFunc(slices.Clone(sizes), func(in setting) bool { return in.mpm == apachetest.Prefork })
	for _, in := range both([]apachetest.MPM{apachetest.Event, apachetest.Worker}, threaded) { // mod_http2 does not like prefork
		for _, module := range []apachetest.Module{apachetest.Classic(), apachetest.Ours()} {
			if in.options != "" && module == apachetest.Classic() {
				continue
			}
			t.Run(in.String()+"/"+module.Name, func(t *testing.T) {
				s := apachetest.Start(t, in.of(apachetest.Config{
					Module: module, Modules: []string{"http2", "ssl", "socache_shmcb"},
					Files: map[string]string{"cert.pem": certPEM, "key.pem": keyPEM, "slow.wsgi": gatedScript},
					Conf: `
Listen 127.0.0.1:{{port "tls"}} https
Protocols h2 h2c http/1.1
H2Direct on
WSGIChunkedRequest On
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /environ {{.Apps}}/environ.wsgi
WSGIScriptAlias /bodies {{.Apps}}/bodies.wsgi
WSGIScriptAlias /results {{.Apps}}/results.wsgi
WSGIScriptAlias /files {{.Apps}}/files.wsgi
WSGIScriptAlias /slow {{.Root}}/slow.wsgi
<VirtualHost 127.0.0.1:{{port "tls"}}>
    SSLEngine on
    SSLCertificateFile {{.Root}}/cert.pem
    SSLCertificateKeyFile {{.Root}}/key.pem
    <Location /environ/vars>
        SSLOptions +StdEnvVars
    </Location>
</VirtualHost>
`}))
				tlsPort, err := s.PortOf("tls")
				if err != nil {
					t.Fatal(err)
				}
				secure := "https://127.0.0.1:" + strconv.Itoa(tlsPort)
				for name, v := range map[string]struct {
					base, proto, scheme string
					client              *http.Client
				}{
					"h2c":      {s.URL(""), "HTTP/2.0", "http", protocolClient(pool, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })},
					"h2":       {secure, "HTTP/2.0", "https", protocolClient(pool, func(p *http.Protocols) { p.SetHTTP2(true) })},
					"https":    {secure, "HTTP/1.1", "https", protocolClient(pool, func(p *http.Protocols) { p.SetHTTP1(true) })},
					"http/1.1": {s.URL(""), "HTTP/1.1", "http", protocolClient(pool, func(p *http.Protocols) { p.SetHTTP1(true) })},
				} {
					t.Run(name, func(t *testing.T) {
						// An open TLS connection without a request keeps an Apache thread waiting, and the server from stopping.
						defer v.client.CloseIdleConnections()
						exercise(t, s, v.client, v.base, v.proto, v.scheme)
					})
				}
			})
		}
	}
}

const gatedScript = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first|"
    open(environ["QUERY_STRING"]).read()
    yield b"second|"
`

func protocolClient(pool *x509.CertPool, choose func(*http.Protocols)) *http.Client {
	protocols := &http.Protocols{}
	choose(protocols)
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: pool},
	}}
}

// exercise sends every kind of request over one client.
func exercise(t *testing.T, s *apachetest.Server, client *http.Client, base, proto, scheme string) {
	t.Helper()
	fetchBody := func(path string) (*http.Response, []byte) {
		t.Helper()
		response, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return response, text
	}
	response, text := fetchBody("/environ/vars?a=b")
	environ := apachetest.ParseEnviron(text)
	if response.Proto != proto || environ == nil || environ["SERVER_PROTOCOL"].Value != proto {
		t.Errorf("%s is spoken, the environ says %v", response.Proto, environ["SERVER_PROTOCOL"])
	}
	if environ["wsgi.url_scheme"].Value != scheme || environ["PATH_INFO"].Value != "/vars" {
		t.Errorf("scheme %v, path %v", environ["wsgi.url_scheme"], environ["PATH_INFO"])
	}
	if _, ok := environ["HTTPS"]; ok {
		t.Error("HTTPS is in the environ")
	}
	if _, ok := environ["SSL_PROTOCOL"]; ok != (scheme == "https") {
		t.Errorf("SSL_PROTOCOL is there: %v", ok)
	}
	upload(t, client, base+"/bodies/digest", 3, false)
	upload(t, client, base+"/bodies/digest", 3, true)
	download(t, client, base+"/bodies/down?3", 3)
	if _, text := fetchBody("/files/whole"); string(text) != theFile() {
		t.Errorf("a file of %d bytes", len(text))
	}
	if response, _ := fetchBody("/results/raise_before"); response.StatusCode != 500 {
		t.Errorf("an exception: %d", response.StatusCode)
	}

	// An answer that fails in its middle must not look whole.
	broken, err := client.Get(base + "/results/raise_mid")
	if err == nil {
		_, err = io.ReadAll(broken.Body)
		_ = broken.Body.Close()
		if err == nil && module(s) == "ours" {
			t.Error("an answer that was cut looks complete")
		}
	}

	// Streaming: the first block is here before the application goes on.
	gate := makeFIFO(t, s)
	streamed, err := client.Get(base + "/slow?" + gate)
	if err != nil {
		t.Fatal(err)
	}
	defer streamed.Body.Close()
	first := make([]byte, 6)
	if _, err := io.ReadFull(streamed.Body, first); err != nil || string(first) != "first|" {
		t.Fatalf("streaming: %q, %v", first, err)
	}
	openGate(t, gate)
	if rest, err := io.ReadAll(streamed.Body); err != nil || string(rest) != "second|" {
		t.Errorf("streaming, the rest: %q, %v", rest, err)
	}

	// Many at once.
	failures := make(chan error, 20)
	for range cap(failures) {
		go func() {
			response, err := client.Get(base + "/results/large")
			if err == nil {
				var text []byte
				text, err = io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err == nil && string(text) != largeBody() {
					err = fmt.Errorf("damaged: %d bytes", len(text))
				}
			}
			failures <- err
		}()
	}
	for range cap(failures) {
		if err := <-failures; err != nil {
			t.Errorf("many at once: %v", err)
		}
	}
}

func module(s *apachetest.Server) string { return s.Config().Module.Name }
