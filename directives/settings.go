package directives

import (
	"fmt"
	"net/netip"
)

// Settings are everything that a request needs to know from its configuration: fully merged, defaults applied. The
// options of the alias that mapped the request, or of its handler script, override them.
type Settings struct {
	// ProcessGroup and ApplicationGroup are %{GLOBAL} and %{RESOURCE} by default. CallableObject is a literal or NameEnv.
	ProcessGroup, ApplicationGroup, CallableObject Name

	ScriptReloading, ChunkedRequest, PassAuthorization, EnableSendfile bool
	ErrorOverride, IgnoreActivity, PassApacheRequest                   bool

	MapHEADToGET HEADMapping // never HEADUnset

	// TrustedProxiesSet false: any peer is trusted.
	TrustedProxies      []netip.Prefix
	TrustedProxiesSet   bool
	TrustedProxyHeaders []ProxyHeader // in the order to apply them

	// RestrictProcessSet false: every group may be used. "" in the list is the embedded mode. Names compare
	// case-insensitively.
	RestrictProcess    []string
	RestrictProcessSet bool

	HandlerScripts []HandlerScript

	AccessScript, AuthUserScript, AuthGroupScript, DispatchScript *Script // nil: none
}

// HEADMapping says what an application sees of a HEAD request.
type HEADMapping int8

const (
	HEADUnset HEADMapping = iota
	HEADAuto              // GET if an output filter needs the body
	HEADOn                // always GET
	HEADOff               // always HEAD
)

func (m HEADMapping) String() string {
	return [...]string{"", "Auto", "On", "Off"}[m]
}

// Settings merges what applies to a request: the main server, its virtual host, then the directory-type sections in
// Apache's merge order, then what .htaccess files say. A local record whose Leaf is among leaves takes that leaf's place
// in the order; the others come last, one scope for each file.
func (c *Config) Settings(server int, leaves []uint32, local []Record) (Settings, error) {
	if server < 0 || server >= len(c.Servers) {
		return Settings{}, fmt.Errorf("no server %d in this configuration", server)
	}
	var merged scope
	merged.merge(&c.Servers[c.main].scope)
	if server != c.main {
		merged.merge(&c.Servers[server].scope)
	}
	placed := map[uint32]bool{}
	for _, leaf := range leaves {
		if section, ok := c.sections[leaf]; ok {
			merged.merge(section)
			continue
		}
		mine := recordsOf(local, func(r *Record) bool { return r.Leaf == leaf && leaf != 0 })
		if err := mergeLocal(&merged, mine); err != nil {
			return Settings{}, err
		}
		placed[leaf] = len(mine) > 0
	}
	rest := recordsOf(local, func(r *Record) bool { return !placed[r.Leaf] })
	if err := mergeLocal(&merged, rest); err != nil {
		return Settings{}, err
	}
	return merged.settings(), nil
}

func recordsOf(records []Record, belongs func(*Record) bool) []Record {
	var mine []Record
	for i := range records {
		if belongs(&records[i]) {
			mine = append(mine, records[i])
		}
	}
	return mine
}

// mergeLocal merges the records of .htaccess files, each file as a scope of its own.
func mergeLocal(merged *scope, records []Record) error {
	for i := 0; i < len(records); {
		var one scope
		for file := records[i].File; i < len(records) && records[i].File == file; i++ {
			if err := readLocal(records[i], &one); err != nil {
				return err
			}
		}
		merged.merge(&one)
	}
	return nil
}

// settings applies the defaults.
func (s *scope) settings() Settings {
	set := Settings{
		ProcessGroup:      s.processGroup,
		ApplicationGroup:  s.applicationGroup,
		CallableObject:    s.callableObject,
		ScriptReloading:   s.scriptReloading.Or(true),
		ChunkedRequest:    s.chunkedRequest.Or(false),
		PassAuthorization: s.passAuthorization.Or(false),
		EnableSendfile:    s.enableSendfile.Or(false),
		ErrorOverride:     s.errorOverride.Or(false),
		IgnoreActivity:    s.ignoreActivity.Or(false),
		PassApacheRequest: s.passApacheRequest.Or(false),
		MapHEADToGET:      s.mapHEADToGET,
		HandlerScripts:    s.handlerScripts,
		AccessScript:      s.accessScript,
		AuthUserScript:    s.authUserScript,
		AuthGroupScript:   s.authGroupScript,
		DispatchScript:    s.dispatchScript,
	}
	if set.ProcessGroup.Kind == NameUnset {
		set.ProcessGroup.Kind = NameGlobal
	}
	if set.ApplicationGroup.Kind == NameUnset {
		set.ApplicationGroup.Kind = NameResource
	}
	if set.CallableObject.Kind == NameUnset {
		set.CallableObject = Name{Kind: NameLiteral, Text: defaultCallable}
	}
	if set.MapHEADToGET == HEADUnset {
		set.MapHEADToGET = HEADAuto
	}
	if s.trustedProxies != nil {
		set.TrustedProxies, set.TrustedProxiesSet = *s.trustedProxies, true
	}
	if s.trustedProxyHeaders != nil {
		set.TrustedProxyHeaders = *s.trustedProxyHeaders
	}
	if s.restrictProcess != nil {
		set.RestrictProcess, set.RestrictProcessSet = *s.restrictProcess, true
	}
	return set
}
