package gatewaytest

import "testing"

// asking makes the kind one of asking a script; its functions stand before.
func asking(functions ...string) func(testing.TB, *Request) {
	return func(_ testing.TB, r *Request) {
		for _, function := range functions {
			r.Questions = append(r.Questions, forms[function])
		}
		r.Environ, r.Native = []string{"HTTP_COOKIE=x", "REMOTE_ADDR=1.2.3.4"}, true
	}
}

// leakQuestions are kinds of answers, and failures, of scripts that decide about requests.
var leakQuestions = []leakKind{
	{name: "access", before: "def allow_access(environ, host): return True", code: "pass", result: Yes, change: asking("allow_access")},
	{name: "access of a number", before: "def allow_access(environ, host): return 12345678", code: "pass", result: Failed, change: asking("allow_access")},
	{name: "access that raises", before: "def allow_access(environ, host): raise KeyError(host)", code: "pass", result: Failed, change: asking("allow_access")},
	{name: "access, TLS", before: `kept = None
def allow_access(environ, host):
    global kept
    if kept:
        fails(RuntimeError, kept[0]), fails(RuntimeError, kept[1], "A"), fails(RuntimeError, kept[2].buffer.write, b"x")
    kept = [environ[key] for key in ("mod_ssl.is_https", "mod_ssl.var_lookup", "wsgi.errors")]
    fails(TypeError, kept[1], 1), fails(TypeError, kept[1], "\u4e2d")
    print(kept[0](), kept[1]("A" * 100), kept[1](b"B"), kept[1]("NONE"), file=kept[2])`, code: "pass", result: Nothing, change: asking("allow_access")},
	{name: "no such function", code: "pass", result: Failed, change: asking("allow_access")},
	{name: "function that is none", before: "allow_access = 7", code: "pass", result: Failed, change: asking("allow_access")},
	{name: "password", before: "def check_password(environ, user, password): return None", code: "pass", result: Nothing, change: asking("check_password")},
	{name: "password and a name", before: "def check_password(environ, user, password): return user + 'x' * 100", code: "pass", result: Text, change: asking("check_password")},
	{name: "password and an empty name", before: "def check_password(environ, user, password): return ''", code: "pass", result: Failed, change: asking("check_password")},
	{name: "password and NUL", before: "def check_password(environ, user, password): return user + '\\0'", code: "pass", result: Failed, change: asking("check_password")},
	{name: "realm hash", before: "def get_realm_hash(environ, user, realm): return user + realm", code: "pass", result: Text, change: asking("get_realm_hash")},
	{name: "realm hash, not latin-1", before: "def get_realm_hash(environ, user, realm): return user + '\u4e2d'", code: "pass", result: Failed, change: asking("get_realm_hash")},
	{name: "groups", before: "def groups_for_user(environ, user): return [user * 100, b'b', 'c']", code: "pass", result: Text, change: asking("groups_for_user")},
	{name: "no groups", before: "def groups_for_user(environ, user): return []", code: "pass", result: Text, change: asking("groups_for_user")},
	{name: "groups that raise", before: "def groups_for_user(environ, user): return generator(user, KeyError('x'))", code: "pass", result: Failed, change: asking("groups_for_user")},
	{name: "groups that are none", before: "def groups_for_user(environ, user): return Contrary()", code: "pass", result: Failed, change: asking("groups_for_user")},
	{name: "groups and numbers", before: "def groups_for_user(environ, user): return [user, 12345678]", code: "pass", result: Failed, change: asking("groups_for_user")},
	{name: "groups, not latin-1", before: "def groups_for_user(environ, user): return [user, '\u4e2d']", code: "pass", result: Failed, change: asking("groups_for_user")},
	{name: "dispatch", before: "def process_group(environ): return 'g' * 100\ndef callable_object(environ): return b'c'", code: "pass", result: Text,
		change: asking("process_group", "application_group", "callable_object")},
	{name: "dispatch that fails", before: "def process_group(environ): return 'g' * 100\ndef application_group(environ): return []", code: "pass", result: Failed,
		change: asking("process_group", "application_group", "callable_object")},
	{name: "asking what raises when it is loaded", before: "raise KeyError('loading')", code: "pass", result: Failed, change: asking("allow_access")},
}
