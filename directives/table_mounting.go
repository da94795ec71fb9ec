package directives

// mountingDirectives say which script runs, and where.
var mountingDirectives = []Directive{
	{
		Name: "WSGIScriptAlias", Syntax: "url-path file-or-directory [option=value ...]", Args: Options, Places: anyServer,
		Since: "1.x", Merge: InnerFirst, Effect: Now,
		Help: "Map a URL path to a WSGI script, or to a directory of them",
		Doc: "Requests at or below the URL path run the script. With a directory as target, the next part of the URL names the script in it. " +
			"Aliases are tried in the order of the configuration, those of the virtual host before those of the main server; the first that matches wins, " +
			"so put longer paths first. End both arguments with a slash, or neither. The target is used as it is: not relative to ServerRoot, and it need " +
			"not exist when Apache starts. `ExecCGI` is not needed, but access to the script's directory has to be granted (`Require all granted`).\n\n" +
			"If both group options are given and fixed, the script is loaded when the process starts. A daemon process group must then be declared further up.",
		read: readAlias(false),
	},
	{
		Name: "WSGIScriptAliasMatch", Syntax: "regex target [option=value ...]", Args: Options, Places: anyServer,
		Since: "1.x", Merge: InnerFirst, Effect: Now,
		Help: "Map URLs that match a regular expression to a WSGI script",
		Doc: "Like `WSGIScriptAlias`, with a regular expression (PCRE, not anchored) and `$0` to `$9` in the target. Unlike with `AliasMatch`, what follows the " +
			"matched part of the URL is appended to the target: `^/w/([^/]+)` and `/srv/$1.wsgi` map `/w/a/b` to the script `/srv/a.wsgi` with the path info `/b`.",
		read: readAlias(true),
	},
	{
		Name: "WSGIHandlerScript", Syntax: "name path [option=value ...]", Args: Options, Places: anySection,
		Since: "3.0", Merge: UnionByName, Effect: Now,
		Help: "Let a WSGI script handle the requests of an Apache handler name",
		Doc: "Requests whose handler (`SetHandler`, `AddHandler`, `Action`) is the name are run by the script's `handle_request`. `SCRIPT_FILENAME`, `SCRIPT_NAME` and `PATH_INFO` " +
			"describe the requested resource, which need not exist. Apache turns handler names into lower case.",
		read: readHandlerScript,
	},
	{
		Name: "WSGIApplicationGroup", Syntax: "name | %{GLOBAL} | %{RESOURCE} | %{SERVER} | %{HOST} | %{ENV:variable}", Places: anySection,
		Default: "%{RESOURCE}", Since: "1.x", Merge: InnermostSet, Effect: Now,
		Help: "The Python interpreter that runs the application",
		Doc: "Applications in the same group share an interpreter. `%{GLOBAL}` is the main interpreter, which some extension modules need; `%{RESOURCE}` is one for each mounted script; " +
			"`%{SERVER}` and `%{HOST}` are one for each server name or requested host; `%{ENV:variable}` takes the name from a variable that `SetEnv`, `SetEnvIf` or `RewriteRule` set. " +
			"Anything else is a name, and a token is expanded only as the whole value.",
		read: readApplicationGroup,
	},
	{
		Name: "WSGICallableObject", Syntax: "name | %{ENV:variable}", Places: everywhere,
		Default: "application", Since: "1.x", Merge: InnermostSet, Effect: Now,
		Help: "Name of the entry point in a WSGI script",
		Doc:  "The global name that the script gives its application. Dotted paths are not looked up.",
		read: readCallableObject,
	},
	{
		Name: "WSGIProcessGroup", Syntax: "name | %{GLOBAL} | %{RESOURCE} | %{SERVER} | %{HOST} | %{ENV:variable}", Places: anySection,
		Default: "%{GLOBAL}", Since: "1.x", Merge: InnermostSet, Effect: Now,
		Help: "The daemon process group that runs the application",
		Doc:  "`%{GLOBAL}` means embedded, in Apache's children. The name of a group that is not declared makes requests fail with 500.",
		read: readProcessGroup,
	},
	{
		Name: "WSGIRestrictProcess", Syntax: "[name ...]", Args: Words, Places: anySection,
		Default: "no restriction", Since: "1.x", Merge: InnermostList, Effect: Now,
		Help: "The only process groups that requests may use",
		Doc: "Once set, every WSGI request in its scope is checked, embedded ones too: list `%{GLOBAL}` to allow them. Names compare without regard to case. " +
			"It bounds what `%{ENV:...}` and dispatch scripts can choose.",
		read: readRestrictProcess,
	},
	{
		Name: "WSGIDispatchScript", Syntax: "path [application-group=name]", Args: Options, Places: anySection,
		Default: "none", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "A script that chooses process group, application group and callable",
		Doc: "Its functions `process_group(environ)`, `application_group(environ)` and `callable_object(environ)`, those of them that it defines, are called for every request, in Apache's child. Each returns " +
			"`None` (as configured) or a name, which is expanded as the directive's would be. `WSGIRestrictProcess` bounds what it can choose. Whatever else happens is 500 and an error in the log.",
		read: readScript(func(s *scope) **Script { return &s.dispatchScript }),
	},
	{
		Name: "WSGICaseSensitivity", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "On", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Whether the file system tells upper from lower case",
		Doc:  "`Off` folds script paths to lower case where they name a loaded script or become part of `%{RESOURCE}`.",
		read: readSwitch(func(p *ProcessSettings) *bool { return &p.CaseSensitivity }),
	},
}
