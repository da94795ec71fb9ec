package directives

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ProxyCategory says which value of the environ a trusted header replaces.
type ProxyCategory int

const (
	ProxyForwardedFor ProxyCategory = iota // REMOTE_ADDR, from a list
	ProxyClient                            // REMOTE_ADDR, verbatim
	ProxyHost                              // HTTP_HOST
	ProxyServer                            // SERVER_NAME
	ProxyPort                              // SERVER_PORT
	ProxyScriptName                        // SCRIPT_NAME and mod_wsgi.mount_point
	ProxyScheme                            // a scheme by name
	ProxySecure                            // a scheme by On, true, 1, Off, false, 0
)

// Group is the category as far as "the last header applied wins, the others are removed" is concerned.
func (c ProxyCategory) Group() ProxyCategory {
	switch c {
	case ProxyForwardedFor:
		return ProxyClient
	case ProxySecure:
		return ProxyScheme
	}
	return c
}

// A ProxyHeader is a header of WSGITrustedProxyHeaders that means something.
type ProxyHeader struct {
	EnvKey   string // HTTP_X_FORWARDED_FOR
	Category ProxyCategory
}

// proxyHeaders are all headers that mean something, as people write them.
var proxyHeaders = []struct {
	name     string
	category ProxyCategory
}{
	{"X-Forwarded-For", ProxyForwardedFor},
	{"X-Client-IP", ProxyClient},
	{"X-Real-IP", ProxyClient},
	{"X-Forwarded-Host", ProxyHost},
	{"X-Host", ProxyHost},
	{"X-Forwarded-Server", ProxyServer},
	{"X-Forwarded-Port", ProxyPort},
	{"X-Script-Name", ProxyScriptName},
	{"X-Forwarded-Script-Name", ProxyScriptName},
	{"X-Forwarded-Proto", ProxyScheme},
	{"X-Forwarded-Scheme", ProxyScheme},
	{"X-Scheme", ProxyScheme},
	{"X-Forwarded-HTTPS", ProxySecure},
	{"X-Forwarded-SSL", ProxySecure},
	{"X-HTTPS", ProxySecure},
}

// ProxyHeaders returns every header that WSGITrustedProxyHeaders knows: a request's category is cleared of all of them.
func ProxyHeaders() []ProxyHeader {
	all := make([]ProxyHeader, len(proxyHeaders))
	for i, h := range proxyHeaders {
		all[i] = ProxyHeader{EnvKey: envKey(h.name), Category: h.category}
	}
	return all
}

func envKey(header string) string {
	return "HTTP_" + strings.ReplaceAll(strings.ToUpper(header), "-", "_")
}

func readTrustedProxyHeaders(a *arguments, t *target) {
	if !a.more() {
		a.warnf(0, "without a header it does nothing")
		return
	}
	if t.scope.trustedProxyHeaders == nil {
		t.scope.trustedProxyHeaders = &[]ProxyHeader{}
		a.builder.proxyHeaders = append(a.builder.proxyHeaders, headerUse{place: a.place, server: a.record.Server, scope: t.scope})
	}
	for a.more() {
		a.readProxyHeader(a.next(), t)
	}
}

func (a *arguments) readProxyHeader(word string, t *target) {
	if word == "" || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		a.errorf(0, "%q is no header name; accepted are letters, digits and '-'", word)
		return
	}
	names := make([]string, len(proxyHeaders))
	for i, h := range proxyHeaders {
		names[i] = h.name
		if strings.EqualFold(h.name, word) {
			*t.scope.trustedProxyHeaders = append(*t.scope.trustedProxyHeaders, ProxyHeader{EnvKey: envKey(h.name), Category: h.category})
			return
		}
	}
	a.warnf(0, "the header %q means nothing here and is ignored%s", word, suggestion(word, names))
}

func readTrustedProxies(a *arguments, t *target) {
	if !a.more() {
		a.warnf(0, "without an address it does nothing: every peer is trusted")
	}
	for a.more() {
		word := a.next()
		prefix, err := parseProxy(word)
		if err != nil {
			a.errorf(0, "%q: %v; accepted are IPv4 addresses (10.1.2.3, 10.1, 10.0.0.0/8, 10.0.0.0/255.0.0.0) and IPv6 addresses in lower case (fd00::1, fd00::/8)", word, err)
			continue
		}
		if t.scope.trustedProxies == nil {
			t.scope.trustedProxies = &[]netip.Prefix{}
		}
		*t.scope.trustedProxies = append(*t.scope.trustedProxies, prefix)
	}
}

// parseProxy reads an address or network as APR does (apr_ipsubnet_create), which also accepts the first octets of an
// IPv4 address as a network.
func parseProxy(word string) (netip.Prefix, error) {
	address, mask, masked := strings.Cut(word, "/")
	if strings.Contains(address, ":") {
		return parseIPv6Proxy(word, address, mask, masked)
	}
	if strings.Trim(word, "0123456789./") != "" || address == "" {
		return netip.Prefix{}, fmt.Errorf("it is no IP address")
	}
	ip, bits, err := parsePartialIPv4(address)
	if err != nil {
		return netip.Prefix{}, err
	}
	if masked {
		if bits, err = parseMask(mask, 32); err != nil {
			return netip.Prefix{}, err
		}
	}
	return netip.PrefixFrom(ip, bits).Masked(), nil
}

func parseIPv6Proxy(word, address, mask string, masked bool) (netip.Prefix, error) {
	ip, err := netip.ParseAddr(address)
	if strings.Trim(word, "0123456789abcdef:/") != "" || err != nil {
		return netip.Prefix{}, fmt.Errorf("it is no IPv6 address")
	}
	if ip.Is4In6() {
		return netip.Prefix{}, fmt.Errorf("it is an IPv4 address in IPv6 form, write it as IPv4")
	}
	bits := 128
	if masked {
		if bits, err = parseMask(mask, 128); err != nil {
			return netip.Prefix{}, err
		}
	}
	return netip.PrefixFrom(ip, bits).Masked(), nil
}

// parsePartialIPv4 reads one to four octets, a dot after the last one allowed.
func parsePartialIPv4(text string) (netip.Addr, int, error) {
	octets := strings.Split(strings.TrimSuffix(text, "."), ".")
	if len(octets) > 4 {
		return netip.Addr{}, 0, fmt.Errorf("an IPv4 address has four numbers")
	}
	var ip [4]byte
	for i, octet := range octets {
		n, err := strconv.ParseUint(octet, 10, 8)
		if err != nil {
			return netip.Addr{}, 0, fmt.Errorf("each number of an IPv4 address is 0 to 255")
		}
		ip[i] = byte(n)
	}
	return netip.AddrFrom4(ip), 8 * len(octets), nil
}

// parseMask reads what follows the slash: a number of bits, or for IPv4 a mask.
func parseMask(text string, longest int) (int, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= longest {
		return n, nil
	}
	if longest == 32 && strings.Contains(text, ".") {
		mask, bits, err := parsePartialIPv4(text)
		if err == nil && bits == 32 {
			if n, ok := contiguous(mask.As4()); ok {
				return n, nil
			}
		}
		return 0, fmt.Errorf("%q is no network mask", text)
	}
	return 0, fmt.Errorf("the number of bits after '/' is 1 to %d", longest)
}

// contiguous counts the leading ones of a mask that has nothing but zeros after them.
func contiguous(mask [4]byte) (int, bool) {
	value := uint32(mask[0])<<24 | uint32(mask[1])<<16 | uint32(mask[2])<<8 | uint32(mask[3])
	for bits := 0; bits <= 32; bits++ {
		if value == ^uint32(0)<<(32-bits) {
			return bits, true
		}
	}
	return 0, false
}
