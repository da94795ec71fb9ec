package directives

// accessDirectives let scripts decide about access.
var accessDirectives = []Directive{
	{
		Name: "WSGIAccessScript", Syntax: "path [application-group=name]", Args: Options, Places: directoriesAuthConfig,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "A script that decides by host who has access",
		Doc: "Its `allow_access(environ, host)` returns `True`, `False` (403) or `None` (no opinion); `host` is the client's name if Apache looks names up, otherwise its address. " +
			"It is asked beside Apache's own rules, of which none may refuse; `Satisfy Any` makes it one of two ways in. " +
			"Whatever else happens (another value, an exception, a script that can't be loaded) is 403 and an error in the log.",
		read: readScript(func(s *scope) **Script { return &s.accessScript }),
	},
	{
		Name: "WSGIAuthUserScript", Syntax: "path [application-group=name]", Args: Options, Places: directoriesAuthConfig,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "A script that checks passwords",
		Doc: "The provider `wsgi` of `AuthBasicProvider`, `AuthDigestProvider` and `<AuthnProviderAlias wsgi name>`. `check_password(environ, user, password)` returns `True`, `False`, `None` (no such user: " +
			"the next provider is asked) or a name under which the user goes on. `get_realm_hash(environ, user, realm)` returns the hexadecimal MD5 of `user:realm:password` or `None`. " +
			"Whatever else happens is 500 and an error in the log.",
		read: readScript(func(s *scope) **Script { return &s.authUserScript }),
	},
	{
		Name: "WSGIAuthGroupScript", Syntax: "path [application-group=name]", Args: Options, Places: directoriesAuthConfig,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "A script that tells the groups of a user",
		Doc: "For `Require wsgi-group name ...`, which is met by any of the names: `groups_for_user(environ, user)` returns a list or another iterable of names, which compare without regard to case. " +
			"Whatever else happens denies, with an error in the log; where groups keep out (`Require not wsgi-group`, `<RequireNone>`) it is 500.",
		read: readScript(func(s *scope) **Script { return &s.authGroupScript }),
	},
	{
		Name: "WSGIGroupAuthoritative", Syntax: "On|Off", Args: OnOff, Places: directoriesAuthConfig,
		Default: "On", Since: "2.0", Merge: InnermostSet, Effect: Never,
		Help:      "Accepted, has no effect",
		Meanwhile: "Apache decides about authorisation with its `Require` sections",
		read:      ignoreFlagQuietly,
	},
}
