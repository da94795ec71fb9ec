package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// WSGITrustedProxies and WSGITrustedProxyHeaders: reference runtime.md, 1.6.

func TestHeadersOfTrustedProxiesAreApplied(t *testing.T) {
	all := "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Server X-Forwarded-Port X-Script-Name"
	type place struct{ name, proxies, headers string }
	config := apachetest.Config{Modules: []string{"env"}}
	for _, p := range []place{
		{"anyone", "", all},
		{"trusted", "127.0.0.1 10.0.0.0/8", all},
		{"untrusted", "192.0.2.1", all},
		{"partial", "127.0 10.", "X-Forwarded-For"},
		{"mask", "127.0.0.0/255.0.0.0", "X-Forwarded-For"},
		{"six", "127.0.0.1 2001:db8::/32", "X-Forwarded-For"},
		{"none", "127.0.0.1", ""},
		{"client-ip", "", "X-Client-IP"},
		{"real-ip", "", "X-Real-IP"},
		{"clients", "127.0.0.1", "X-Real-IP X-Forwarded-For X-Client-IP"},
		{"scheme", "127.0.0.1", "X-Forwarded-Scheme"},
		{"x-scheme", "127.0.0.1", "X-Scheme"},
		{"https", "127.0.0.1", "X-Forwarded-HTTPS"},
		{"ssl", "127.0.0.1", "X-Forwarded-SSL"},
		{"x-https", "127.0.0.1", "X-HTTPS"},
		{"schemes", "127.0.0.1", "X-Forwarded-Proto X-Forwarded-SSL"},
		{"x-host", "127.0.0.1", "X-Host"},
		{"script", "127.0.0.1", "X-Forwarded-Script-Name"},
		{"case", "127.0.0.1", "x-forwarded-FOR"},
		{"unknown", "127.0.0.1", "X-Nonsense X-Forwarded-For"},
	} {
		config.Conf += "WSGIScriptAlias /" + p.name + " {{.Apps}}/environ.wsgi\n<Location /" + p.name + ">\n"
		if p.proxies != "" {
			config.Conf += "WSGITrustedProxies " + p.proxies + "\n"
		}
		if p.headers != "" {
			config.Conf += "WSGITrustedProxyHeaders " + p.headers + "\n"
		}
		config.Conf += "</Location>\n"
	}
	config.Conf += "<Location /untrusted>\nSetEnv HTTPS on\n</Location>\nWSGIApplicationGroup %{GLOBAL}\n"
	forwarded := func(value string) apachetest.Header { return hd("X-Forwarded-For", value) }
	client := func(address, list string) []want {
		return is(str("REMOTE_ADDR", address), str("HTTP_X_FORWARDED_FOR", list))
	}
	group{name: "proxies", config: config, cases: []testCase{
		{name: "for: any peer", request: get("/anyone/", forwarded("1.1.1.1, 2.2.2.2")), wants: client("1.1.1.1", "1.1.1.1, 2.2.2.2")},
		{name: "for: two proxies of ours", request: get("/trusted/", forwarded("1.1.1.1, 2.2.2.2, 10.1.1.1, 10.2.2.2")), wants: client("2.2.2.2", "2.2.2.2, 10.1.1.1, 10.2.2.2")},
		{name: "for: only proxies of ours", request: get("/trusted/", forwarded("10.1.1.1, 10.2.2.2")), wants: client("10.1.1.1", "10.1.1.1, 10.2.2.2")},
		{name: "for: none of ours", request: get("/trusted/", forwarded("1.1.1.1, 2.2.2.2")), wants: client("2.2.2.2", "2.2.2.2")},
		{name: "for: one", request: get("/trusted/", forwarded("1.1.1.1")), wants: client("1.1.1.1", "1.1.1.1")},
		{name: "for: one of ours", request: get("/trusted/", forwarded("10.1.1.1")), wants: client("10.1.1.1", "10.1.1.1")},
		{name: "for: blanks", request: get("/trusted/", forwarded("  1.1.1.1 ,\t10.1.1.1  ")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "for: empty items", request: get("/trusted/", forwarded("1.1.1.1,, ,10.1.1.1")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "for: nothing but commas", request: get("/trusted/", forwarded(", ,")), wants: is(str("REMOTE_ADDR", "127.0.0.1"))},
		{name: "for: no address", request: get("/trusted/", forwarded("unknown, 10.1.1.1")), wants: is(str("REMOTE_ADDR", "unknown"))},
		{name: "for: repeated header", request: get("/trusted/", forwarded("1.1.1.1"), forwarded("10.1.1.1")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "for: untrusted peer", request: get("/untrusted/", forwarded("1.1.1.1")), wants: is(str("REMOTE_ADDR", "127.0.0.1"), noEnv("HTTP_X_FORWARDED_FOR"))},
		{name: "for: absent", request: get("/trusted/"), wants: is(str("REMOTE_ADDR", "127.0.0.1"), noEnv("HTTP_X_FORWARDED_FOR"))},
		{name: "for: partial address", request: get("/partial/", forwarded("1.1.1.1, 10.1.1.1")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "for: mask", request: get("/mask/", forwarded("1.1.1.1, 127.9.9.9")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "for: IPv6", request: get("/six/", forwarded("2001:db9::1, 2001:db8::1")), wants: client("2001:db9::1", "2001:db9::1, 2001:db8::1")},
		{name: "for: IPv6 of ours only", request: get("/six/", forwarded("2001:db8::2")), wants: is(str("REMOTE_ADDR", "2001:db8::2"))},
		{name: "for: not configured", request: get("/none/", forwarded("1.1.1.1")), wants: client("127.0.0.1", "1.1.1.1")},
		{name: "for: name in other case", request: get("/case/", forwarded("1.1.1.1")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "for: beside an unknown name", request: get("/unknown/", forwarded("1.1.1.1"), hd("X-Nonsense", "kept")), wants: is(str("REMOTE_ADDR", "1.1.1.1"))},
		{name: "client IP", request: get("/client-ip/", hd("X-Client-IP", "3.3.3.3")), wants: is(str("REMOTE_ADDR", "3.3.3.3"), str("HTTP_X_CLIENT_IP", "3.3.3.3"))},
		{name: "client IP, others of the kind vanish", request: get("/client-ip/", hd("X-Client-IP", "3.3.3.3"), hd("X-Real-IP", "4.4.4.4"), forwarded("5.5.5.5")), wants: is(str("REMOTE_ADDR", "3.3.3.3"), noEnv("HTTP_X_REAL_IP", "HTTP_X_FORWARDED_FOR"))},
		{name: "real IP", request: get("/real-ip/", hd("X-Real-IP", "4.4.4.4")), wants: is(str("REMOTE_ADDR", "4.4.4.4"))},
		{name: "client by several, the last wins", request: get("/clients/", hd("X-Client-IP", "3.3.3.3"), hd("X-Real-IP", "4.4.4.4"), forwarded("5.5.5.5")), wants: is(str("REMOTE_ADDR", "3.3.3.3"), noEnv("HTTP_X_REAL_IP", "HTTP_X_FORWARDED_FOR"))},
		{name: "client by several, the last present wins", request: get("/clients/", hd("X-Real-IP", "4.4.4.4"), forwarded("5.5.5.5")), wants: is(str("REMOTE_ADDR", "5.5.5.5"), noEnv("HTTP_X_REAL_IP"))},

		{name: "proto https", request: get("/trusted/", hd("X-Forwarded-Proto", "https")), wants: is(str("wsgi.url_scheme", "https"), str("HTTP_X_FORWARDED_PROTO", "https"), str("REQUEST_SCHEME", "http"), noEnv("HTTPS"))},
		{name: "proto HTTPS", request: get("/trusted/", hd("X-Forwarded-Proto", "HTTPS")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "proto http", request: get("/trusted/", hd("X-Forwarded-Proto", "http")), wants: is(str("wsgi.url_scheme", "http"))},
		{name: "proto other", request: get("/trusted/", hd("X-Forwarded-Proto", "gopher")), wants: is(str("wsgi.url_scheme", "http"))},
		{name: "proto from a stranger", request: get("/untrusted/", hd("X-Forwarded-Proto", "http")), wants: is(str("wsgi.url_scheme", "https"), noEnv("HTTP_X_FORWARDED_PROTO"))},
		{name: "proto not configured", request: get("/none/", hd("X-Forwarded-Proto", "https")), wants: is(str("wsgi.url_scheme", "http"), str("HTTP_X_FORWARDED_PROTO", "https"))},
		{name: "forwarded scheme", request: get("/scheme/", hd("X-Forwarded-Scheme", "https")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "scheme", request: get("/x-scheme/", hd("X-Scheme", "https")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "https on", request: get("/https/", hd("X-Forwarded-HTTPS", "On")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "https true", request: get("/https/", hd("X-Forwarded-HTTPS", "true")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "https 1", request: get("/https/", hd("X-Forwarded-HTTPS", "1")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "https off", request: get("/https/", hd("X-Forwarded-HTTPS", "off")), wants: is(str("wsgi.url_scheme", "http"))},
		{name: "ssl on", request: get("/ssl/", hd("X-Forwarded-SSL", "on")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "x-https on", request: get("/x-https/", hd("X-HTTPS", "on")), wants: is(str("wsgi.url_scheme", "https"))},
		{name: "two scheme headers", request: get("/schemes/", hd("X-Forwarded-SSL", "off"), hd("X-Forwarded-Proto", "https")), wants: is(str("wsgi.url_scheme", "http"), noEnv("HTTP_X_FORWARDED_PROTO"), str("HTTP_X_FORWARDED_SSL", "off"))},

		{name: "host", request: get("/trusted/", hd("X-Forwarded-Host", "www.example.com:8443")), wants: is(str("HTTP_HOST", "www.example.com:8443"), str("HTTP_X_FORWARDED_HOST", "www.example.com:8443"))},
		{name: "host from a stranger", request: get("/untrusted/", hd("X-Forwarded-Host", "evil")), wants: is(str("HTTP_HOST", "localhost"), noEnv("HTTP_X_FORWARDED_HOST"))},
		{name: "x-host", request: get("/x-host/", hd("X-Host", "h"), hd("X-Forwarded-Host", "other")), wants: is(str("HTTP_HOST", "h"), noEnv("HTTP_X_FORWARDED_HOST"))},
		{name: "server", request: get("/trusted/", hd("X-Forwarded-Server", "front.example.com")), wants: is(str("SERVER_NAME", "front.example.com"))},
		{name: "server from a stranger", request: get("/untrusted/", hd("X-Forwarded-Server", "evil"), hd("X-Forwarded-Port", "1")), wants: is(str("SERVER_NAME", "localhost"), noEnv("HTTP_X_FORWARDED_SERVER", "HTTP_X_FORWARDED_PORT"))},
		{name: "port", request: get("/trusted/", hd("X-Forwarded-Port", "8443")), wants: is(str("SERVER_PORT", "8443"))},
		{name: "script name", request: get("/trusted/x", hd("X-Script-Name", "/mounted//here")), wants: is(str("SCRIPT_NAME", "/mounted//here"), str("PATH_INFO", "/x"), str("mod_wsgi.mount_point", "/mounted//here"), str("mod_wsgi.script_name", "/trusted"))},
		{name: "forwarded script name", request: get("/script/x", hd("X-Forwarded-Script-Name", "/m")), wants: is(str("SCRIPT_NAME", "/m"), str("mod_wsgi.mount_point", "/m"))},
		{name: "script name from a stranger", request: get("/untrusted/x", hd("X-Script-Name", "/evil")), wants: is(str("SCRIPT_NAME", "/untrusted"), noEnv("HTTP_X_SCRIPT_NAME", "mod_wsgi.mount_point"))},
		{name: "all at once", request: get("/trusted/x", forwarded("1.1.1.1"), hd("X-Forwarded-Proto", "https"), hd("X-Forwarded-Host", "h"), hd("X-Forwarded-Port", "443"), hd("X-Forwarded-Server", "s"), hd("X-Script-Name", "/m")), wants: is(
			str("REMOTE_ADDR", "1.1.1.1"), str("wsgi.url_scheme", "https"), str("HTTP_HOST", "h"), str("SERVER_PORT", "443"), str("SERVER_NAME", "s"), str("SCRIPT_NAME", "/m"))},
	}}.run(t)
}
