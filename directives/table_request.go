package directives

// requestDirectives say how requests and responses are handled.
var requestDirectives = []Directive{
	{
		Name: "WSGIScriptReloading", Syntax: "On|Off", Args: OnOff, Places: everywhere,
		Default: "On", Since: "1.x", Merge: InnermostSet, Effect: Now,
		Help: "Whether a changed script is loaded again",
		Doc:  "With `On` every request compares the script's modification time with that of the loaded one; any difference loads it again.",
		read: readFlag(func(s *scope) *Tristate { return &s.scriptReloading }),
	},
	{
		Name: "WSGIChunkedRequest", Syntax: "On|Off", Args: OnOff, Places: everywhere,
		Default: "Off", Since: "3.0", Merge: InnermostSet, Effect: Now,
		Help: "Whether request bodies without a length are accepted",
		Doc:  "With `Off` a chunked request is answered with 411. With `On` there is no `CONTENT_LENGTH`, and the application reads `wsgi.input` to its end.",
		read: readFlag(func(s *scope) *Tristate { return &s.chunkedRequest }),
	},
	{
		Name: "WSGIPassAuthorization", Syntax: "On|Off", Args: OnOff, Places: everywhere,
		Default: "Off", Since: "1.x", Merge: InnermostSet, Effect: Now,
		Help: "Whether the application sees the Authorization header",
		Doc:  "`On` passes the header as `HTTP_AUTHORIZATION`. Leave it `Off` where Apache does the authentication.",
		read: readFlag(func(s *scope) *Tristate { return &s.passAuthorization }),
	},
	{
		Name: "WSGIMapHEADToGET", Syntax: "On|Off|Auto", Places: everywhere,
		Default: "Auto", Since: "4.3.0", Merge: InnermostSet, Effect: Now,
		Help: "Whether the application sees HEAD requests as GET",
		Doc:  "`Auto` does so when a filter for content (compression, a cache) handles the response and has to see the body that it works on.",
		read: readMapHEADToGET,
	},
	{
		Name: "WSGIEnableSendfile", Syntax: "On|Off", Args: OnOff, Places: everywhere,
		Default: "Off", Since: "3.4", Merge: InnermostSet, Effect: Now,
		Help: "Whether files of wsgi.file_wrapper may be sent with sendfile",
		Doc:  "`On` lets Apache decide how it sends the file. Apache's `EnableSendfile` is not consulted.",
		read: readFlag(func(s *scope) *Tristate { return &s.enableSendfile }),
	},
	{
		Name: "WSGIErrorOverride", Syntax: "On|Off", Args: OnOff, Places: everywhere,
		Default: "Off", Since: "3.0", Merge: InnermostSet, Effect: Now,
		Help: "Whether Apache's error pages replace those of the application",
		Doc:  "In daemon mode only: a response with a status of 400 to 599 is replaced by Apache's `ErrorDocument`.",
		read: readFlag(func(s *scope) *Tristate { return &s.errorOverride }),
	},
	{
		Name: "WSGIIgnoreActivity", Syntax: "On|Off", Args: OnOff, Places: everywhere,
		Default: "Off", Since: "4.5.8", Merge: InnermostSet, Effect: Now,
		Help: "Whether requests leave the inactivity timeout alone",
		Doc:  "For health checks: with `On` the requests in scope do not keep a daemon process from counting as idle.",
		read: readFlag(func(s *scope) *Tristate { return &s.ignoreActivity }),
	},
	{
		Name: "WSGIPassApacheRequest", Syntax: "On|Off", Args: OnOff, Places: anySection,
		Default: "Off", Since: "3.0", Merge: InnermostSet, Effect: Now,
		Help: "Whether the application gets Apache's request object",
		Doc:  "Adds the capsule `apache.request_rec` to the environ of embedded applications.",
		read: readFlag(func(s *scope) *Tristate { return &s.passApacheRequest }),
	},
	{
		Name: "WSGITrustedProxies", Syntax: "address-or-network ...", Args: Words, Places: everywhere,
		Default: "every peer is trusted", Since: "4.4.10", Merge: InnermostList, Effect: Now,
		Help: "The peers whose proxy headers count",
		Doc: "IPv4 and IPv6 addresses and networks: `10.1.2.3`, `10.1`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fd00::/8`. IPv6 is written in lower case. " +
			"Several lines in one place add up. Always give it together with `WSGITrustedProxyHeaders`: without it the headers count whoever sends them.",
		read: readTrustedProxies,
	},
	{
		Name: "WSGITrustedProxyHeaders", Syntax: "header ...", Args: Words, Places: everywhere,
		Default: "none", Since: "4.4.9", Merge: InnermostList, Effect: Now,
		Help: "The headers of a proxy in front that describe the client",
		Doc: "Known are `X-Forwarded-For`, `X-Client-IP`, `X-Real-IP` (client address); `X-Forwarded-Host`, `X-Host`; `X-Forwarded-Server`; `X-Forwarded-Port`; `X-Script-Name`, " +
			"`X-Forwarded-Script-Name`; `X-Forwarded-Proto`, `X-Forwarded-Scheme`, `X-Scheme`, `X-Forwarded-HTTPS`, `X-Forwarded-SSL`, `X-HTTPS` (scheme). They are applied in the order given; " +
			"of each kind named, every header but the last applied one is removed from the environ, and all of them when the peer is not trusted. Several lines in one place add up.",
		read: readTrustedProxyHeaders,
	},
}
