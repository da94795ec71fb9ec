package module

/*
#include <stdlib.h>
#include "edge.h"
*/
import "C"

import (
	"fmt"
	"net/netip"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/directives"
)

// compileConfig makes the C structs that the steady path reads. They are immutable and live as long as the process.
func compileConfig(config *directives.Config, facts *C.mw_facts) (*C.mw_config, error) {
	c := allocate[C.mw_config](1)
	c.fold_case = truth(!config.Process.CaseSensitivity)
	c.restrict_embedded = truth(config.Process.RestrictEmbedded == directives.On)
	c.destroy_interpreter = truth(config.Process.DestroyInterpreter)
	known := directives.ProxyHeaders()
	c.proxy_headers, c.n_proxy_headers = compileProxyHeaders(known)

	numbers := map[*directives.Alias]C.uint32_t{} // virtual hosts share the main server's
	var aliases []*directives.Alias
	for i := range config.Servers {
		for _, alias := range config.Servers[i].Aliases {
			if _, ok := numbers[alias]; !ok {
				numbers[alias] = C.uint32_t(len(aliases))
				aliases = append(aliases, alias)
			}
		}
	}
	compiled := allocateSlice[C.mw_alias](len(aliases))
	for i, alias := range aliases {
		compileAlias(&compiled[i], i, alias)
	}
	c.aliases, c.n_aliases = unsafe.SliceData(compiled), C.size_t(len(aliases))

	serverNames := numberServerNames(config.Servers)
	if size := daemon.BoardSize(daemon.Slots(config.Process.Groups)); size > C.MW_MOST_BOARD {
		return nil, fmt.Errorf("there are too many process groups: they need %d MB of shared address space, %d are the limit", size>>20, C.MW_MOST_BOARD>>20)
	}
	c.board, c.former_board = facts.board, facts.former_board
	c.groups, c.n_groups = compileGroups(config, serverNames, facts)
	servers := allocateSlice[C.mw_server_plan](len(config.Servers))
	for i := range config.Servers {
		settings, err := config.Settings(i, nil, nil)
		if err != nil {
			return nil, err
		}
		compilePlan(&servers[i].plan, settings)
		list := allocateSlice[C.uint32_t](len(config.Servers[i].Aliases))
		for j, alias := range config.Servers[i].Aliases {
			list[j] = numbers[alias]
		}
		servers[i].name = serverNames[i]
		servers[i].aliases, servers[i].n_aliases = unsafe.SliceData(list), C.size_t(len(list))
	}
	c.servers, c.n_servers = unsafe.SliceData(servers), C.size_t(len(servers))
	c.any_handler_scripts = truth(config.UsesHandlerScripts())
	c.any_access_scripts = truth(config.UsesAccessScripts())
	return c, nil
}

func compileAlias(c *C.mw_alias, number int, alias *directives.Alias) {
	tag := fmt.Sprint(number)
	for i := range len(tag) {
		c.tag[i] = C.char(tag[i])
	}
	c.location, c.target = C.CString(alias.Location), C.CString(alias.Target)
	c.is_regex = truth(alias.Regex)
	c.process_group, c.application_group = compileName(alias.ProcessGroup), compileName(alias.ApplicationGroup)
	c.callable = compileName(directives.Name{})
	if alias.CallableObject != "" {
		c.callable = compileName(directives.Name{Kind: directives.NameLiteral, Text: alias.CallableObject})
	}
	c.pass_authorization = compileTristate(alias.PassAuthorization)
}

func compilePlan(c *C.mw_plan, s directives.Settings) {
	c.process_group, c.application_group = compileName(s.ProcessGroup), compileName(s.ApplicationGroup)
	c.callable = compileName(s.CallableObject)
	c.restricted = truth(s.RestrictProcessSet)
	allowed := allocateSlice[*C.char](len(s.RestrictProcess))
	for i, name := range s.RestrictProcess {
		allowed[i] = C.CString(name)
	}
	c.allowed_groups, c.n_allowed_groups = unsafe.SliceData(allowed), C.size_t(len(allowed))
	c.reloading, c.chunked = truth(s.ScriptReloading), truth(s.ChunkedRequest)
	c.pass_authorization, c.sendfile = truth(s.PassAuthorization), truth(s.EnableSendfile)
	c.pass_request, c.error_override = truth(s.PassApacheRequest), truth(s.ErrorOverride)
	c.ignore_activity = truth(s.IgnoreActivity)
	switch s.MapHEADToGET {
	case directives.HEADOn:
		c.head = C.MW_ON
	case directives.HEADOff:
		c.head = C.MW_OFF
	default:
		c.head = C.MW_AUTO
	}
	c.trusted_proxies_set = truth(s.TrustedProxiesSet)
	networks := allocateSlice[C.mw_network](len(s.TrustedProxies))
	for i, prefix := range s.TrustedProxies {
		networks[i] = compileNetwork(prefix)
	}
	c.trusted_proxies, c.n_trusted_proxies = unsafe.SliceData(networks), C.size_t(len(networks))
	c.proxy_headers, c.n_proxy_headers = compileProxyHeaders(s.TrustedProxyHeaders)
	scripts := allocateSlice[C.mw_handler_script](len(s.HandlerScripts))
	for i, script := range s.HandlerScripts {
		scripts[i] = C.mw_handler_script{
			name: C.CString(script.Name), path: C.CString(script.Path),
			process_group: compileName(script.ProcessGroup), application_group: compileName(script.ApplicationGroup),
			pass_authorization: compileTristate(script.PassAuthorization),
		}
	}
	c.handler_scripts, c.n_handler_scripts = unsafe.SliceData(scripts), C.size_t(len(scripts))
	c.access_script, c.user_script = compileScript(s.AccessScript), compileScript(s.AuthUserScript)
	c.group_script, c.dispatch_script = compileScript(s.AuthGroupScript), compileScript(s.DispatchScript)
}

func compileScript(s *directives.Script) C.mw_script_to_ask {
	if s == nil {
		return C.mw_script_to_ask{}
	}
	return C.mw_script_to_ask{path: C.CString(s.Path), application_group: compileName(s.ApplicationGroup)}
}

func compileName(n directives.Name) C.mw_name {
	kinds := map[directives.NameKind]C.int{
		directives.NameUnset:    C.MW_NAME_UNSET,
		directives.NameLiteral:  C.MW_NAME_LITERAL,
		directives.NameGlobal:   C.MW_NAME_LITERAL, // of the empty name
		directives.NameResource: C.MW_NAME_RESOURCE,
		directives.NameServer:   C.MW_NAME_SERVER,
		directives.NameHost:     C.MW_NAME_HOST,
		directives.NameEnv:      C.MW_NAME_ENV,
	}
	return C.mw_name{kind: kinds[n.Kind], text: C.CString(n.Text)}
}

func compileNetwork(prefix netip.Prefix) C.mw_network {
	network := C.mw_network{bits: C.uint8_t(prefix.Bits())}
	address := prefix.Addr().AsSlice()
	network.bytes = C.uint8_t(len(address))
	for i, b := range address {
		network.address[i] = C.uint8_t(b)
	}
	return network
}

func compileProxyHeaders(headers []directives.ProxyHeader) (*C.mw_proxy_header, C.size_t) {
	categories := map[directives.ProxyCategory]C.int{
		directives.ProxyClient:     C.MW_PROXY_CLIENT,
		directives.ProxyScheme:     C.MW_PROXY_SCHEME,
		directives.ProxyHost:       C.MW_PROXY_HOST,
		directives.ProxyServer:     C.MW_PROXY_SERVER,
		directives.ProxyPort:       C.MW_PROXY_PORT,
		directives.ProxyScriptName: C.MW_PROXY_SCRIPT_NAME,
	}
	treatments := map[directives.ProxyCategory]C.int{
		directives.ProxyForwardedFor: C.MW_PROXY_LIST,
		directives.ProxySecure:       C.MW_PROXY_SCHEME_FLAG,
	}
	compiled := allocateSlice[C.mw_proxy_header](len(headers))
	for i, h := range headers {
		compiled[i] = C.mw_proxy_header{
			key: C.CString(h.EnvKey), category: categories[h.Category.Group()], treatment: treatments[h.Category],
		}
	}
	return unsafe.SliceData(compiled), C.size_t(len(compiled))
}

func compileTristate(t directives.Tristate) C.int {
	switch t {
	case directives.On:
		return C.MW_ON
	case directives.Off:
		return C.MW_OFF
	}
	return C.MW_UNSET
}

func truth(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// allocate returns zeroed C memory for n values; nil when there are none.
func allocate[T any](n int) *T {
	if n == 0 {
		return nil
	}
	return (*T)(C.calloc(C.size_t(n), C.size_t(unsafe.Sizeof(*new(T)))))
}

func allocateSlice[T any](n int) []T {
	return unsafe.Slice(allocate[T](n), n)
}
