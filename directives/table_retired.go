package directives

// retiredDirectives are names of older releases that configurations still hold. Meanwhile says what happened to each. The
// default of a flag is what this module always does.
var retiredDirectives = []Directive{
	{
		Name: "WSGILazyInitialization", Syntax: "On|Off", Args: OnOff, Places: mainServer, Default: "On", Since: "3.0", Effect: Never,
		Meanwhile: "it does nothing and may be removed: Python always starts in Apache's children, never in its parent",
		Help:      "Accepted from older configurations, has no effect", read: ignoreFlag,
	},
	{
		Name: "WSGIPy3kWarningFlag", Syntax: "On|Off", Args: OnOff, Places: mainServer, Default: "Off", Since: "3.0", Effect: Never,
		Meanwhile: "it does nothing and may be removed: it was a switch of Python 2",
		Help:      "Accepted from older configurations, has no effect", read: ignoreFlag,
	},
	{
		Name: "WSGINewRelicConfigFile", Syntax: "path", Places: mainServer, Since: "4.1.0", Effect: Never,
		Meanwhile: "the New Relic agent is no longer started by the module; start it in the application",
		Help:      "Accepted from older configurations, has no effect", read: ignore,
	},
	{
		Name: "WSGINewRelicEnvironment", Syntax: "name", Places: mainServer, Since: "4.1.0", Effect: Never,
		Meanwhile: "the New Relic agent is no longer started by the module; start it in the application",
		Help:      "Accepted from older configurations, has no effect", read: ignore,
	},
	{
		Name: "WSGIUserAuthoritative", Syntax: "On|Off", Args: OnOff, Places: directoriesAuthConfig, Default: "On", Since: "2.0", Effect: Never,
		Meanwhile: "it does nothing: list several providers in AuthBasicProvider to pass unknown users on",
		Help:      "Accepted from older configurations, has no effect", read: ignoreFlag,
	},
	{
		Name: "WSGIApacheExtensions", Syntax: "On|Off", Args: OnOff, Places: anySection, Default: "Off", Since: "2.0", Merge: InnermostSet, Effect: Now,
		Help: "Old name of WSGIPassApacheRequest", read: readApacheExtensions,
	},
	{
		Name: "WSGIReloadMechanism", Syntax: "Module|Process", Places: everywhere, Since: "1.0", Effect: Never,
		Meanwhile: "it does nothing and may be removed: a changed script is loaded again in the embedded mode and gets a new process in daemon mode",
		Help:      "Accepted from older configurations, has no effect", read: ignore,
	},
	{
		Name: "WSGIOutputBuffering", Syntax: "On|Off", Args: OnOff, Places: everywhere, Default: "Off", Since: "1.0", Effect: Never,
		Meanwhile: "it does nothing and may be removed: responses are never buffered as a whole",
		Help:      "Accepted from older configurations, has no effect", read: ignoreFlag,
	},
	{
		Name: "WSGIPythonExecutable", Syntax: "path", Places: mainServer, Since: "1.0", Effect: Never,
		Meanwhile: "it does nothing: WSGIPythonHome chooses the Python installation or virtual environment",
		Help:      "Accepted from older configurations, has no effect", read: ignore,
	},
}
