package directives

// telemetryDirectives concern diagnostics.
var telemetryDirectives = []Directive{
	{
		Name: "WSGITelemetryService", Syntax: "unix:path [interval=seconds]", Args: OneOrTwoWords, Places: mainServer,
		Default: "off", Since: "6.0.0", Merge: NotMerged, Effect: Now,
		Help: "A socket to report telemetry to",
		Doc:  "A datagram socket; the interval is 0.5 seconds or more, 1 by default.",
		read: readTelemetryService,
	},
	{
		Name: "WSGITelemetryOptions", Syntax: "[+|-]CaptureUserAgent | None | All ...", Args: Words, Places: mainServer,
		Default: "None", Since: "6.0.0", Merge: NotMerged, Effect: Now,
		Help: "What telemetry reports",
		Doc:  "Words with `+` and `-` change the present set; words without replace it.",
		read: readTelemetryOptions,
	},
	{
		Name: "WSGISlowRequests", Syntax: "seconds", Places: mainServer,
		Default: "0 (off)", Since: "6.0.0", Merge: NotMerged, Effect: Now,
		Help: "Requests that take that long are reported",
		Doc:  "A number of seconds, fractions allowed; 0 switches it off. While such a request runs the error log says what it is and where it is (WSGI0305), and how long it took when it is over (WSGI0306). With `WSGITelemetryService` the collector is told as well.",
		read: readSlowRequests,
	},
	{
		Name: "WSGIVerboseDebugging", Syntax: "On|Off", Args: OnOff, Places: mainServer,
		Default: "Off", Since: "3.0", Merge: NotMerged, Effect: Never,
		Help:      "Accepted, has no effect",
		Meanwhile: "`LogLevel wsgi:debug` has more in the log",
		read:      ignoreFlagQuietly,
	},
}
