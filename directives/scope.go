package directives

import "net/netip"

// A scope is what one scope (a server, a virtual host, a directory-type section, an .htaccess file) sets itself. What
// it leaves unset comes from the scope around it.
type scope struct {
	processGroup, applicationGroup, callableObject Name

	scriptReloading, chunkedRequest, passAuthorization, enableSendfile Tristate
	errorOverride, ignoreActivity, passApacheRequest                   Tristate

	mapHEADToGET HEADMapping

	trustedProxies      *[]netip.Prefix
	trustedProxyHeaders *[]ProxyHeader
	restrictProcess     *[]string
	handlerScripts      []HandlerScript

	accessScript, authUserScript, authGroupScript, dispatchScript *Script
}

// merge lays an inner scope over s.
func (s *scope) merge(inner *scope) {
	for _, name := range []struct{ outer, inner *Name }{
		{&s.processGroup, &inner.processGroup},
		{&s.applicationGroup, &inner.applicationGroup},
		{&s.callableObject, &inner.callableObject},
	} {
		if name.inner.Kind != NameUnset {
			*name.outer = *name.inner
		}
	}
	override(&s.scriptReloading, inner.scriptReloading)
	override(&s.chunkedRequest, inner.chunkedRequest)
	override(&s.passAuthorization, inner.passAuthorization)
	override(&s.enableSendfile, inner.enableSendfile)
	override(&s.errorOverride, inner.errorOverride)
	override(&s.ignoreActivity, inner.ignoreActivity)
	override(&s.passApacheRequest, inner.passApacheRequest)
	override(&s.mapHEADToGET, inner.mapHEADToGET)
	override(&s.trustedProxies, inner.trustedProxies)
	override(&s.trustedProxyHeaders, inner.trustedProxyHeaders)
	override(&s.restrictProcess, inner.restrictProcess)
	override(&s.accessScript, inner.accessScript)
	override(&s.authUserScript, inner.authUserScript)
	override(&s.authGroupScript, inner.authGroupScript)
	override(&s.dispatchScript, inner.dispatchScript)
	s.handlerScripts = unionByName(s.handlerScripts, inner.handlerScripts)
}

// override replaces the outer value if the inner one is set, which means: is not the zero value.
func override[T comparable](outer *T, inner T) {
	var unset T
	if inner != unset {
		*outer = inner
	}
}

// unionByName never changes either list: scopes are shared by all requests.
func unionByName(outer, inner []HandlerScript) []HandlerScript {
	if len(inner) == 0 {
		return outer
	}
	union := append([]HandlerScript(nil), inner...)
	for _, h := range outer {
		if findHandler(inner, h.Name) < 0 {
			union = append(union, h)
		}
	}
	return union
}

func findHandler(list []HandlerScript, name string) int {
	for i := range list {
		if list[i].Name == name {
			return i
		}
	}
	return -1
}
