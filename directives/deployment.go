package directives

// deploymentOptions say what becomes of scripts that have changed, and are ours only.
var deploymentOptions = []option[DaemonGroup]{
	{Name: "keep-old-code", Value: "On or Off", Default: "On", Since: "ours only",
		Doc: "Whether processes go on with the code that they have when a script was changed and can't be loaded any more. `Off` answers 500 then, as the classic module does.",
		set: func(o *optionValue, g *DaemonGroup) {
			value := On
			flagOption(func(*DaemonGroup) *Tristate { return &value })(o, g)
			g.KeepOldCode = value != Off
		}},
}
