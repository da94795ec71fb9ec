package integration

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	"modwsgi/module/apachetest"
)

// tlsScript keeps what mod_ssl tells an access script, and shows it.
const tlsScript = `
kept = said = None

def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as problem:
        return type(problem).__name__

def allow_access(environ, host):
    global kept, said
    is_https, lookup = kept = environ["mod_ssl.is_https"], environ["mod_ssl.var_lookup"]
    said = [is_https(), lookup("SSL_PROTOCOL"), lookup(b"SSL_SERVER_S_DN_CN"), lookup("SSL_CLIENT_S_DN"), lookup("REQUEST_METHOD"),
            lookup("HTTP:X-Word"), lookup("NO_SUCH_THING"), lookup(""), outcome(lookup, 1), outcome(lookup), outcome(is_https, 1)]
    return True

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(said + [outcome(kept[0]), outcome(kept[1], "SSL_PROTOCOL")]).encode("ascii")]
`

func TestAccessScriptLearnsOfTheConnectionFromModSSL(t *testing.T) {
	certPEM, keyPEM, pool := certificate(t)
	const errors = "'TypeError', 'TypeError', 'TypeError', 'RuntimeError', 'RuntimeError']"
	for _, c := range []struct {
		name    string
		modules []string
		want    map[string]string // by scheme
	}{
		{"with mod_ssl", []string{"ssl", "socache_shmcb"}, map[string]string{
			"http":  "[0, '', '', '', 'GET', 'word', '', '', " + errors,
			"https": "[1, 'TLSv1.3', '', '', 'GET', 'word', '', '', " + errors,
		}},
		{"without", nil, map[string]string{"http": "[0, None, None, None, None, None, None, None, " + errors}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, module := range []apachetest.Module{apachetest.Classic(), apachetest.Ours()} {
				s := apachetest.Start(t, apachetest.Config{Module: module, Modules: c.modules, OneChild: true,
					Files: map[string]string{"cert.pem": certPEM, "key.pem": keyPEM, "tls.wsgi": tlsScript},
					Conf: `
WSGIScriptAlias / {{.Root}}/tls.wsgi
WSGIApplicationGroup %{GLOBAL}
<Location />
    WSGIAccessScript {{.Root}}/tls.wsgi
</Location>
<IfModule mod_ssl.c>
    Listen 127.0.0.1:{{port "tls"}} https
    <VirtualHost 127.0.0.1:{{port "tls"}}>
        SSLEngine on
        SSLCertificateFile {{.Root}}/cert.pem
        SSLCertificateKeyFile {{.Root}}/key.pem
    </VirtualHost>
</IfModule>
`})
				port, err := s.PortOf("tls")
				if err != nil {
					t.Fatal(err)
				}
				client := protocolClient(pool, func(p *http.Protocols) { p.SetHTTP1(true) })
				defer client.CloseIdleConnections()
				for scheme, want := range c.want {
					url := map[string]string{"http": s.URL("/"), "https": "https://127.0.0.1:" + strconv.Itoa(port) + "/"}[scheme]
					request, err := http.NewRequest("GET", url, nil)
					if err != nil {
						t.Fatal(err)
					}
					request.Header.Set("X-Word", "word")
					request.Close = true
					response, err := client.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					body, _ := io.ReadAll(response.Body)
					response.Body.Close()
					if string(body) != want {
						t.Errorf("%s, %s, %s:\n%s\nwant\n%s", c.name, module.Name, scheme, body, want)
					}
				}
			}
		})
	}
}
