package directives

import (
	"reflect"
	"strings"
	"testing"
)

func TestDefaultSettings(t *testing.T) {
	got, err := compiled(t, "").Settings(0, nil, nil)
	want := Settings{ProcessGroup: Name{Kind: NameGlobal}, ApplicationGroup: Name{Kind: NameResource}, CallableObject: Name{NameLiteral, "application"},
		ScriptReloading: true, MapHEADToGET: HEADAuto}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
}

func TestDefaultsAreThoseOfTheTable(t *testing.T) {
	s, err := compiled(t, "").Settings(0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for name, c := range mergeCases {
		switch want := Table[Find(name)].Default; want {
		case "On", "Off", "Auto", defaultCallable, "%{RESOURCE}", "%{GLOBAL}":
			compared++
			if got := c.show(s); got != want {
				t.Errorf("%s is %q by default, the table says %q", name, got, want)
			}
		}
	}
	if compared < 12 {
		t.Errorf("only %d defaults were compared", compared)
	}
}

// mergeCases give each directive of request scope two values and a way to show the merged one.
var mergeCases = map[string]struct {
	outer, inner string
	show         func(Settings) string
	outerText    string
	innerText    string
}{
	"WSGIProcessGroup":      {"o", "i", func(s Settings) string { return s.ProcessGroup.String() }, "o", "i"},
	"WSGIApplicationGroup":  {"o", "%{GLOBAL}", func(s Settings) string { return s.ApplicationGroup.String() }, "o", "%{GLOBAL}"},
	"WSGICallableObject":    {"o", "i", func(s Settings) string { return s.CallableObject.String() }, "o", "i"},
	"WSGIScriptReloading":   {"Off", "On", func(s Settings) string { return onOff(s.ScriptReloading) }, "Off", "On"},
	"WSGIChunkedRequest":    {"On", "Off", func(s Settings) string { return onOff(s.ChunkedRequest) }, "On", "Off"},
	"WSGIPassAuthorization": {"On", "Off", func(s Settings) string { return onOff(s.PassAuthorization) }, "On", "Off"},
	"WSGIEnableSendfile":    {"On", "Off", func(s Settings) string { return onOff(s.EnableSendfile) }, "On", "Off"},
	"WSGIErrorOverride":     {"On", "Off", func(s Settings) string { return onOff(s.ErrorOverride) }, "On", "Off"},
	"WSGIIgnoreActivity":    {"On", "Off", func(s Settings) string { return onOff(s.IgnoreActivity) }, "On", "Off"},
	"WSGIPassApacheRequest": {"On", "Off", func(s Settings) string { return onOff(s.PassApacheRequest) }, "On", "Off"},
	"WSGIApacheExtensions":  {"On", "Off", func(s Settings) string { return onOff(s.PassApacheRequest) }, "On", "Off"},
	"WSGIMapHEADToGET":      {"On", "Off", func(s Settings) string { return s.MapHEADToGET.String() }, "On", "Off"},
	"WSGITrustedProxies": {"10.0.0.1", "10.0.0.2", func(s Settings) string {
		var list []string
		for _, p := range s.TrustedProxies {
			list = append(list, p.Addr().String())
		}
		return strings.Join(list, " ")
	}, "10.0.0.1", "10.0.0.2"},
	"WSGITrustedProxyHeaders": {"X-Host", "X-Scheme", func(s Settings) string {
		var list []string
		for _, h := range s.TrustedProxyHeaders {
			list = append(list, h.EnvKey)
		}
		return strings.Join(list, " ")
	}, "HTTP_X_HOST", "HTTP_X_SCHEME"},
	"WSGIRestrictProcess": {"o %{GLOBAL}", "i", func(s Settings) string { return strings.Join(s.RestrictProcess, ",") }, "o,", "i"},
	"WSGIHandlerScript": {"o /outer", "i /inner", func(s Settings) string {
		var list []string
		for _, h := range s.HandlerScripts {
			list = append(list, h.Name+":"+h.Path)
		}
		return strings.Join(list, " ")
	}, "o:/outer", "i:/inner o:/outer"},
	"WSGIDispatchScript":  {"/o", "/i", func(s Settings) string { return scriptText(s.DispatchScript) }, "/o ", "/i "},
	"WSGIAccessScript":    {"/o", "/i", func(s Settings) string { return scriptText(s.AccessScript) }, "/o ", "/i "},
	"WSGIAuthUserScript":  {"/o", "/i", func(s Settings) string { return scriptText(s.AuthUserScript) }, "/o ", "/i "},
	"WSGIAuthGroupScript": {"/o", "/i", func(s Settings) string { return scriptText(s.AuthGroupScript) }, "/o ", "/i "},
}

func onOff(b bool) string {
	if b {
		return "On"
	}
	return "Off"
}

func scriptText(s *Script) string {
	return s.Path + strings.TrimSuffix(" "+s.ApplicationGroup.String(), "%{GLOBAL}")
}

func TestInnerScopesOverrideOuterOnes(t *testing.T) {
	for i := range Table {
		d := &Table[i]
		c, ok := mergeCases[d.Name]
		if !ok {
			if d.Effect != Never && (d.Merge == InnermostSet || d.Merge == InnermostList || d.Merge == UnionByName) {
				t.Errorf("no case for %s", d.Name)
			}
			continue
		}
		outer, inner := d.Name+" "+c.outer+"\n", d.Name+" "+c.inner+"\n"
		expect := func(what, config string, leaves []uint32, local []Record, server int, want string) {
			t.Helper()
			s, err := compiled(t, config).Settings(server, leaves, local)
			if err != nil {
				t.Errorf("%s, %s: %v", d.Name, what, err)
			} else if got := c.show(s); got != want {
				t.Errorf("%s, %s: %q, want %q", d.Name, what, got, want)
			}
		}
		in := func(section, text string) string { return "<" + section + " x>\n" + text + "</" + section + ">\n" }
		vhost := "<VirtualHost x>\n</VirtualHost>\n"
		if d.Places&AtServer != 0 {
			expect("main server only", outer+vhost, nil, nil, 1, c.outerText)
			expect("virtual host over main server", outer+in("VirtualHost", inner), nil, nil, 1, c.innerText)
			expect("section over main server", outer+vhost+in("Directory", inner), []uint32{1}, nil, 1, c.innerText)
			expect("main server where the section does not apply", outer+vhost+in("Directory", inner), nil, nil, 1, c.outerText)
			expect("section over virtual host", in("VirtualHost", outer)+in("Directory", inner), []uint32{1}, nil, 1, c.innerText)
		}
		expect("section alone", in("Directory", outer), []uint32{1}, nil, 0, c.outerText)
		expect("later section over earlier one", in("Directory", outer)+in("Location", inner), []uint32{1, 2}, nil, 0, c.innerText)
		expect("in the order of the leaves", in("Location", inner)+in("Directory", outer), []uint32{2, 1}, nil, 0, c.innerText)
		if d.Places&(AtHtaccessFileInfo|AtHtaccessAuthConfig) != 0 {
			local := []Record{{Directive: i, Args: c.inner, File: "/d/.htaccess", Leaf: 9}}
			expect(".htaccess last", in("Directory", outer), []uint32{1}, local, 0, c.innerText)
			expect(".htaccess in its place among the sections", in("Directory", outer)+in("Location", outer), []uint32{1, 9}, local, 0, c.innerText)
			swapped := []Record{{Directive: i, Args: c.outer, File: "/d/.htaccess", Leaf: 9}}
			expect("section after .htaccess", in("Location", inner), []uint32{9, 1}, swapped, 0, c.innerText)
			two := []Record{{Directive: i, Args: c.outer, File: "/.htaccess"}, {Directive: i, Args: c.inner, File: "/d/.htaccess"}}
			expect("inner .htaccess over outer one", "", nil, two, 0, c.innerText)
		}
	}
}

func TestListsAccumulateWithinOneScopeOnly(t *testing.T) {
	c := compiled(t, `WSGITrustedProxies 10.0.0.1
WSGITrustedProxies 10.0.0.2
WSGIRestrictProcess a
WSGIRestrictProcess b
WSGIHandlerScript h /1
WSGIHandlerScript h /2
<Directory x>
WSGITrustedProxies 10.0.0.3
</Directory>
<Directory y>
WSGITrustedProxies 10.0.0.4
</Directory>`)
	s, err := c.Settings(0, nil, nil)
	if err != nil || len(s.TrustedProxies) != 2 || !reflect.DeepEqual(s.RestrictProcess, []string{"b"}) || len(s.HandlerScripts) != 1 || s.HandlerScripts[0].Path != "/2" {
		t.Errorf("server: %+v, %v", s, err)
	}
	s, err = c.Settings(0, []uint32{1, 2, 77}, []Record{
		{Directive: Find("WSGITrustedProxies"), Args: "10.0.0.5", File: "f"},
		{Directive: Find("WSGITrustedProxies"), Args: "10.0.0.6", File: "f"},
	})
	if err != nil || len(s.TrustedProxies) != 2 || s.TrustedProxies[0].Addr().String() != "10.0.0.5" {
		t.Errorf(".htaccess: %+v, %v", s, err)
	}
	// The compiled configuration itself must not have changed.
	if s, _ = c.Settings(0, []uint32{1}, nil); len(s.TrustedProxies) != 1 {
		t.Errorf("section: %+v", s)
	}
}

func TestInnerHandlerScriptReplacesTheOuterOneOfItsName(t *testing.T) {
	c := compiled(t, "WSGIHandlerScript h /1\nWSGIHandlerScript k /2\n<Directory x>\nWSGIHandlerScript h /3\n</Directory>")
	s, err := c.Settings(0, []uint32{1}, nil)
	want := []HandlerScript{{Name: "h", Path: "/3"}, {Name: "k", Path: "/2"}}
	if err != nil || !reflect.DeepEqual(s.HandlerScripts, want) {
		t.Errorf("%+v, %v, want %+v", s.HandlerScripts, err, want)
	}
}

func TestUseOfHandlerScriptsIsKnownWhereverTheyStand(t *testing.T) {
	for config, want := range map[string]bool{
		"":                       false,
		"WSGIHandlerScript h /1": true,
		"<VirtualHost a>\nWSGIHandlerScript h /1\n</VirtualHost>":                         true,
		"<Directory x>\nWSGIHandlerScript h /1\n</Directory>":                             true,
		"<Directory x>\nWSGIScriptReloading Off\n</Directory>\nWSGIScriptAlias / /a.wsgi": false,
	} {
		if got := compiled(t, config).UsesHandlerScripts(); got != want {
			t.Errorf("%q: %v, want %v", config, got, want)
		}
	}
}

func TestEmptyRestrictionIsARestriction(t *testing.T) {
	s, err := compiled(t, "WSGIRestrictProcess").Settings(0, nil, nil)
	if err != nil || !s.RestrictProcessSet || len(s.RestrictProcess) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestUnknownServerIsAnError(t *testing.T) {
	for _, server := range []int{-1, 1} {
		if _, err := compiled(t, "").Settings(server, nil, nil); err == nil {
			t.Errorf("server %d is accepted", server)
		}
	}
}

func TestHtaccessDirectives(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"WSGIScriptReloading", "Off", ""},
		{"WSGIAccessScript", "/a application-group=x", ""},
		{"WSGIScriptReloading", "maybe", `WSGIScriptReloading: "maybe" is not accepted; write On or Off`},
		{"WSGITrustedProxies", "x", `WSGITrustedProxies: "x": it is no IP address`},
		{"WSGIApplicationGroup", "x", "WSGIApplicationGroup: not allowed in .htaccess files"},
		{"WSGIScriptAlias", "/ /x", "WSGIScriptAlias: not allowed in .htaccess files"},
	} {
		rec := Record{Directive: Find(c.name), Args: c.args, Context: InDirectory | InHtaccess, File: "/x/.htaccess", Line: 1}
		err := ParseLocal(rec)
		if (err != nil) != (c.want != "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.name, c.args, err, c.want)
		}
		if _, settingsErr := compiled(t, "").Settings(0, nil, []Record{rec}); (settingsErr == nil) != (err == nil) {
			t.Errorf("%s %s: ParseLocal says %v, Settings %v", c.name, c.args, err, settingsErr)
		}
	}
	if err := ParseLocal(Record{Directive: len(Table)}); err == nil {
		t.Error("a directive that does not exist is accepted")
	}
}

// FuzzArguments tries any arguments on any directive: nothing panics, and the three ways to read a directive agree.
func FuzzArguments(f *testing.F) {
	for _, d := range Table {
		for _, form := range forms[d.label()] {
			f.Add(uint8(Find(d.Name)), form.args)
		}
	}
	for name, list := range optionForms {
		for _, form := range list {
			f.Add(uint8(Find("WSGIDaemonProcess")), "a "+name+"="+form.args)
		}
	}
	f.Fuzz(func(t *testing.T, number uint8, args string) {
		d := &Table[int(number)%len(Table)]
		rec := Record{Directive: Find(d.Name), Args: args, File: "f", Line: 1}
		if d.Places&AtServer == 0 {
			rec.Leaf, rec.Context = 1, InDirectory
		}
		r := &Recording{Servers: []Server{{}}, Records: []Record{rec}}
		if d.IsSection() {
			r.Records = append(r.Records, Record{Directive: rec.Directive, Context: EndOfSection})
		}
		problems := Check(r).Problems
		errors := 0
		for _, p := range problems {
			if p.Severity == Error {
				errors++
			}
			if !strings.HasPrefix(p.Reason, d.label()+": ") || p.Line != 1 {
				t.Fatalf("%s %q: %+v", d.Name, args, p)
			}
		}
		c, err := Compile(r)
		if err != nil && errors == 0 || err == nil && c == nil {
			t.Fatalf("%s %q: Check finds nothing, Compile says %v", d.Name, args, err)
		}
		if err == nil {
			if _, err := c.Settings(0, []uint32{1}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if d.Places&(AtHtaccessFileInfo|AtHtaccessAuthConfig) != 0 {
			if local := ParseLocal(rec); (local == nil) != (err == nil) {
				t.Fatalf("%s %q: Compile says %v, ParseLocal %v", d.Name, args, err, local)
			}
		}
	})
}
