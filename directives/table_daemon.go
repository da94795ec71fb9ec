package directives

// daemonDirectives declare daemon process groups.
var daemonDirectives = []Directive{
	{
		Name: "WSGIDaemonProcess", Syntax: "name [option=value ...]", Args: Options, Places: anyServer,
		Since: "1.x", Merge: Collected, Effect: Now,
		Help: "Declare a group of daemon processes",
		Doc: "The name is unique in the whole configuration. A group declared in a virtual host serves that virtual host and others with the same `ServerName`. " +
			"Nothing is routed to a group until `WSGIProcessGroup` or an option `process-group=` names it.",
		read: readDaemonProcess,
	},
	{
		Name: "WSGISocketPrefix", Syntax: "path-prefix", Places: mainServer,
		Default: "Apache's runtime directory and /wsgi", Since: "1.x", Merge: NotMerged, Effect: Now,
		Help: "Beginning of the names of daemon sockets",
		Doc:  "Relative to ServerRoot. The directory has to exist, and Apache's children have to be able to enter it.",
		read: readSocketPrefix,
	},
	{
		Name: "WSGISocketRotation", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "On", Since: "4.6.0", Merge: NotMerged, Effect: Never,
		Meanwhile: "every start takes new socket names, and after a graceful restart old children still reach the daemon processes of their own configuration",
		Help:      "Accepted; every start takes new socket names",
		read:      ignoreQuietly(readSwitch(func(p *ProcessSettings) *bool { return &p.SocketRotation })),
		Doc:       "Names that stay are not needed: after a graceful restart old children are served by the processes that they know.",
	},
	{
		Name: "WSGIAcceptMutex", Syntax: "default|flock|fcntl|sysvsem|posixsem|pthread", Places: mainServer,
		Default: "fcntl", Since: "1.x", Merge: NotMerged, Effect: Never,
		Meanwhile: "there is no lock between the processes of a group",
		Help:      "Accepted; the processes of a group need no lock",
		Doc:       "Each process has a socket of its own.",
		read:      ignoreQuietly(readAcceptMutex),
	},
	{
		Name: "WSGIServerMetrics", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "Off", Since: "4.2.0", Merge: NotMerged,
		Help: "Whether embedded applications may read Apache's scoreboard",
		Doc:  "`On` lets `mod_wsgi.server_metrics()` return data; daemon process groups have the option `server-metrics=`.",
		read: readSwitch(func(p *ProcessSettings) *bool { return &p.ServerMetrics }),
	},
}
