package integration

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// The rest of the configuration guidelines: variables, authentication, limits, groups, virtual hosts.

func passwordFile() string {
	sum := sha1.Sum([]byte("secret"))
	return "alice:{SHA}" + base64.StdEncoding.EncodeToString(sum[:]) + "\n"
}

func TestConfigurationReachesTheApplication(t *testing.T) {
	group{
		name: "settings",
		config: apachetest.Config{
			Modules: []string{"env", "setenvif", "rewrite", "mime", "userdir", "auth_basic", "authn_core", "authn_file", "authz_user", "unique_id"},
			Conf: `
WSGIScriptAlias /plain {{.Apps}}/environ.wsgi

SetEnv demo.templates /usr/local/wsgi/templates
SetEnv demo.mailhost mailhost
SetEnv demo.debugging 0
SetEnv demo.empty
SetEnv REMOTE_ADDR 192.0.2.9
SetEnv PATH /chosen
SetEnvIf X-Special (.+) special=$1

RewriteEngine On
RewriteCond %{REMOTE_ADDR} ^127.0.0.1$
RewriteCond %{QUERY_STRING} debug
RewriteRule . - [E=demo.debugging:1,E=demo.rewritten:1]

RewriteCond %{REQUEST_URI} ^/~([^/]+)
RewriteRule . - [E=APPLICATION_GROUP:~%1]
UserDir {{.Root}}/home/*/public_html
<Directory "{{.Root}}/home/*/public_html/wsgi-scripts/">
    Options ExecCGI
    SetHandler wsgi-script
    WSGIApplicationGroup %{ENV:APPLICATION_GROUP}
</Directory>

WSGIScriptAlias /passing {{.Apps}}/environ.wsgi
<Location /passing>
    WSGIPassAuthorization On
</Location>

WSGIScriptAlias /cgipass {{.Apps}}/environ.wsgi
<Location /cgipass>
    CGIPassAuth On
</Location>

WSGIScriptAlias /private {{.Apps}}/environ.wsgi
<Location /private>
    AuthType Basic
    AuthName "private"
    AuthBasicProvider file
    AuthUserFile {{.Root}}/users
    Require valid-user
</Location>
WSGIScriptAlias /private-passing {{.Apps}}/environ.wsgi pass-authorization=On
<Location /private-passing>
    AuthType Basic
    AuthName "private"
    AuthBasicProvider file
    AuthUserFile {{.Root}}/users
    Require valid-user
</Location>

WSGIScriptAlias /limited {{.Apps}}/bodies.wsgi
WSGIScriptAlias /limited-page {{.Apps}}/bodies.wsgi
Alias /too-large.html {{.Root}}/too-large.html
<Location /limited>
    LimitRequestBody 1000
</Location>
<Location /limited-page>
    LimitRequestBody 1000
    ErrorDocument 413 /too-large.html
</Location>
<Location /limited-text>
    LimitRequestBody 1000
</Location>
WSGIScriptAlias /setenv-here {{.Apps}}/environ.wsgi
<Location /setenv-here>
    SetEnv demo.debugging 2
    SetEnv HTTPS on
</Location>
`,
			Files: map[string]string{
				"users": passwordFile(), "too-large.html": "too large, sorry",
				"home/bob/public_html/wsgi-scripts/a.wsgi": dumpScript, "home/bob/public_html/page.html": "bob's page",
				"home/eve/public_html/wsgi-scripts/a.wsgi": dumpScript,
			},
		},
		cases: []testCase{
			{name: "SetEnv", request: get("/plain"), wants: is(str("demo.templates", "/usr/local/wsgi/templates"), str("demo.mailhost", "mailhost"), str("demo.debugging", "0"))},
			{name: "SetEnv without a value", request: get("/plain"), wants: is(str("demo.empty", ""))},
			{name: "SetEnv does not replace what is known", request: get("/plain"), wants: is(str("REMOTE_ADDR", "127.0.0.1"))},
			{name: "SetEnv of PATH", request: get("/plain"), wants: is(noEnv("PATH"))},
			{name: "SetEnv in a Location", request: get("/setenv-here"), wants: is(str("demo.debugging", "2"), str("wsgi.url_scheme", "https"), noEnv("HTTPS"))},
			{name: "SetEnvIf", request: get("/plain", hd("X-Special", "yes")), wants: is(str("special", "yes"))},
			// mod_env sets its variables after mod_rewrite has: of the two in the guidelines' example, SetEnv wins.
			{name: "RewriteRule E", request: get("/plain?debug"), wants: is(str("demo.debugging", "0"), str("demo.rewritten", "1"))},
			{name: "RewriteRule E, not met", request: get("/plain"), wants: is(noEnv("demo.rewritten"))},
			{name: "userdir group", request: get("/~bob/wsgi-scripts/a.wsgi/x"), wants: is(str("mod_wsgi.application_group", "~bob"), str("SCRIPT_NAME", "/~bob/wsgi-scripts/a.wsgi"), str("PATH_INFO", "/x"))},
			{name: "userdir group of another", request: get("/~eve/wsgi-scripts/a.wsgi"), wants: is(str("mod_wsgi.application_group", "~eve"))},
			{name: "userdir page", request: get("/~bob/page.html"), wants: is(body("bob's page"))},
			{name: "authorization is not passed", request: get("/plain", hd("Authorization", "Basic YTpi"), hd("Proxy-Authorization", "Basic YTpi")), wants: is(noEnv("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"))},
			{name: "authorization is passed", request: get("/passing", hd("Authorization", "Bearer x.y"), hd("Proxy-Authorization", "Basic YTpi")), wants: is(str("HTTP_AUTHORIZATION", "Bearer x.y"), noEnv("HTTP_PROXY_AUTHORIZATION", "AUTH_TYPE", "REMOTE_USER"))},
			{name: "CGIPassAuth", request: get("/cgipass", hd("Authorization", "Bearer x.y"), hd("Proxy-Authorization", "Basic YTpi")), wants: is(str("HTTP_AUTHORIZATION", "Bearer x.y"))},
			{name: "Apache authenticates", request: get("/private", hd("Authorization", basic("alice:secret"))), wants: is(str("AUTH_TYPE", "Basic"), str("REMOTE_USER", "alice"), noEnv("HTTP_AUTHORIZATION"))},
			{name: "Apache refuses", request: get("/private", hd("Authorization", basic("alice:wrong"))), wants: is(status(401), header("WWW-Authenticate", `Basic realm="private"`))},
			{name: "Apache asks", request: get("/private"), wants: is(status(401))},
			{name: "Apache authenticates and passes", request: get("/private-passing", hd("Authorization", basic("alice:secret"))), wants: is(str("REMOTE_USER", "alice"), str("HTTP_AUTHORIZATION", basic("alice:secret")))},
			{name: "within the limit", request: post("/limited/length", strings.Repeat("x", 1000)), wants: is(body("1000"))},
			{name: "over the limit", request: post("/limited/length", strings.Repeat("x", 1001)), wants: is(status(413), header("Connection", "close"))},
			{name: "over the limit, unread", request: post("/limited/ignore", strings.Repeat("x", 100000)), wants: is(status(413))},
			{name: "over the limit, own page", request: post("/limited-page/length", strings.Repeat("x", 1001)), wants: is(status(413), body("too large, sorry"))},
			{name: "over the limit, announced only", request: apachetest.Request{Raw: "POST /limited/length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n"}, wants: is(status(413))},
		},
	}.run(t)
}

func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func TestVirtualHostsHaveApplicationsOfTheirOwn(t *testing.T) {
	group{
		name: "vhost",
		config: apachetest.Config{
			Conf: `
WSGIScriptAlias /common {{.Apps}}/environ.wsgi
WSGIScriptAlias /shadowed {{.Apps}}/environ.wsgi
WSGICallableObject application
<VirtualHost *:{{.Port}}>
    ServerName www.site1.com
    ErrorLog {{.Root}}/logs/site1.log
    WSGIScriptAlias /shadowed {{.Apps}}/hello.wsgi
    WSGIScriptAlias /messages {{.Apps}}/messages.wsgi
    WSGIScriptAlias /results {{.Apps}}/results.wsgi
    WSGIScriptAlias / {{.Apps}}/environ.wsgi
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName www.site2.com
    ServerAlias other.site2.com
    ErrorLog {{.Root}}/logs/site2.log
    WSGIApplicationGroup %{SERVER}
    WSGICallableObject other
    WSGIScriptAlias /messages {{.Apps}}/messages.wsgi callable-object=application
    WSGIScriptAlias / {{.Apps}}/environ.wsgi
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName www.site3.com:8080
    WSGIApplicationGroup %{HOST}
    WSGIScriptAlias / {{.Apps}}/environ.wsgi
</VirtualHost>
`},
		cases: []testCase{
			{name: "its own root", request: host("www.site1.com", "/x"), wants: is(str("SERVER_NAME", "www.site1.com"), str("mod_wsgi.application_group", "www.site1.com|"))},
			{name: "the server's alias in a vhost", request: host("www.site2.com", "/common"), wants: is(str("PATH_INFO", "/common"))},
			{name: "the vhost's alias first", request: host("www.site1.com", "/shadowed"), wants: is(body("hello\n"))},
			{name: "group of the server", request: host("www.site2.com", "/"), wants: is(str("mod_wsgi.application_group", "www.site2.com"), str("app.callable", "other"))},
			{name: "group of the server by alias", request: host("other.site2.com", "/"), wants: is(str("mod_wsgi.application_group", "www.site2.com"), str("SERVER_NAME", "other.site2.com"))},
			{name: "port in the Host header", request: host("www.site1.com:1234", "/a"), wants: is(str("mod_wsgi.application_group", "www.site1.com:1234|"), str("SERVER_PORT", "1234"), str("HTTP_HOST", "www.site1.com:1234"))},
			{name: "port 443 in the Host header", request: host("www.site1.com:443", "/a"), wants: is(str("mod_wsgi.application_group", "www.site1.com|"))},
			{name: "group of the host", request: host("www.site3.com", "/a"), wants: is(env("mod_wsgi.application_group", "str", nil))},
			{name: "group of the host, capitals", request: host("WWW.Site3.COM", "/a"), wants: is(env("mod_wsgi.application_group", "str", nil))},
			{name: "unknown host", request: host("nobody.example", "/common"), wants: is(status(200))},
			{name: "log of the first", request: host("www.site1.com", "/messages/line"), wants: is(status(200)), logFile: "site1.log", logs: []string{"app: one line"}},
			{name: "log of the second", request: host("www.site2.com", "/messages/line"), wants: is(status(200)), logFile: "site2.log", logs: []string{"app: one line"}},
			{name: "stderr in the log of the first", request: host("www.site1.com", "/messages/stderr"), wants: is(status(200)), logFile: "site1.log", logs: []string{"app: to stderr"}},
			{name: "stdout in the log of the second", request: host("www.site2.com", "/messages/stdout"), wants: is(status(200)), logFile: "site2.log", logs: []string{"app: to stdout"}},
			{name: "HTTP/1.0 without Host", request: apachetest.Request{Proto: "HTTP/1.0", Host: "-", Target: "/x"}, wants: is(status(200), str("SERVER_PROTOCOL", "HTTP/1.0"))},
		},
	}.run(t)
}

func host(name, target string) apachetest.Request {
	return apachetest.Request{Host: name, Target: target}
}
