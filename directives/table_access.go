package directives

// accessDirectives let scripts decide about access.
var accessDirectives = []Directive{
	{
		Name: "WSGIAccessScript", Syntax: "path [application-group=name]", Args: Options, Places: directoriesAuthConfig,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "A script that decides by host who has access",
		Doc:  "Its `allow_access(environ, host)` returns `True`, `False` or `None` (no opinion). It runs in Apache's child.",
		read: readScript(func(s *scope) **Script { return &s.accessScript }),
	},
	{
		Name: "WSGIAuthUserScript", Syntax: "path [application-group=name]", Args: Options, Places: directoriesAuthConfig,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "A script that checks passwords",
		Doc:  "The provider `wsgi` of `AuthBasicProvider` and `AuthDigestProvider`: `check_password(environ, user, password)` and `get_realm_hash(environ, user, realm)`.",
		read: readScript(func(s *scope) **Script { return &s.authUserScript }),
	},
	{
		Name: "WSGIAuthGroupScript", Syntax: "path [application-group=name]", Args: Options, Places: directoriesAuthConfig,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Later, Meanwhile: "the script is not asked",
		Help: "A script that tells the groups of a user",
		Doc:  "For `Require wsgi-group name ...`: `groups_for_user(environ, user)` returns names, which compare without regard to case.",
		read: readScript(func(s *scope) **Script { return &s.authGroupScript }),
	},
	{
		Name: "WSGIGroupAuthoritative", Syntax: "On|Off", Args: OnOff, Places: directoriesAuthConfig,
		Default: "On", Since: "2.0", Merge: InnermostSet, Effect: Never,
		Help: "Accepted, has no effect",
		Doc:  "Apache 2.4 decides about authorisation with its `Require` sections.",
		read: readGroupAuthoritative,
	},
}
