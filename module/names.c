/* The names that a configuration leaves to the request: %{RESOURCE}, %{SERVER}, %{HOST}, %{ENV:...}. In C because it is on the steady path;
 * which of them a text is, Go decided when it made the plan, except for text that a variable brings. */
#include "edge.h"

#include <stdlib.h>
#include <string.h>

const char *mw_collapse_slashes(apr_pool_t *pool, const char *path)
{
    if (!strstr(path, "//"))
        return path;
    char *copy = apr_pstrdup(pool, path), *to = copy;
    for (const char *from = copy; *from; from++)
        if (*from != '/' || to == copy || to[-1] != '/')
            *to++ = *from;
    *to = '\0';
    return copy;
}

/* Where in the URI the path info begins: both are compared from their ends, a slash in one standing for a run of them in the other. */
static size_t script_length(const char *uri, const char *path_info)
{
    size_t u = strlen(uri), p = strlen(path_info);
    while (u > 0 && p > 0 && uri[u - 1] == path_info[p - 1]) {
        u--;
        p--;
        if (path_info[p] == '/')
            while (u > 0 && uri[u - 1] == '/')
                u--;
    }
    while (uri[u] && uri[u] != '/')
        u++;
    return u;
}

const char *mw_script_name(request_rec *r)
{
    const char *name = r->uri;
    if (r->path_info && *r->path_info)
        name = apr_pstrndup(r->pool, r->uri, script_length(r->uri, r->path_info));
    return mw_collapse_slashes(r->pool, name);
}

static const char *with_port(request_rec *r, const char *host)
{
    apr_port_t port = ap_get_server_port(r);
    return port == 80 || port == 443 ? host : apr_psprintf(r->pool, "%s:%u", host, port);
}

static const char *server_name(request_rec *r)
{
    return r->server->server_hostname ? r->server->server_hostname : "";
}

static const char *resource(request_rec *r)
{
    const char *name = mw_script_name(r);
    if (mw_this_child.config->fold_case) {
        char *folded = apr_pstrdup(r->pool, name);
        ap_str_tolower(folded);
        name = folded;
    }
    return apr_pstrcat(r->pool, with_port(r, server_name(r)), "|", name, NULL);
}

static const char *variable(request_rec *r, const char *name)
{
    const char *value = apr_table_get(r->notes, name);
    if (!value)
        value = apr_table_get(r->subprocess_env, name);
    return value ? value : getenv(name);
}

/* A value of %{ENV:...} may itself be a token, but not another %{ENV:...}. */
static mw_name token_of(const char *value)
{
    if (strcmp(value, "%{GLOBAL}") == 0)
        return (mw_name){MW_NAME_LITERAL, ""};
    if (strcmp(value, "%{RESOURCE}") == 0)
        return (mw_name){MW_NAME_RESOURCE, NULL};
    if (strcmp(value, "%{SERVER}") == 0)
        return (mw_name){MW_NAME_SERVER, NULL};
    if (strcmp(value, "%{HOST}") == 0)
        return (mw_name){MW_NAME_HOST, NULL};
    return (mw_name){MW_NAME_LITERAL, value};
}

const char *mw_expand(request_rec *r, const mw_name *name)
{
    const char *value;
    mw_name token;
    switch (name->kind) {
    case MW_NAME_RESOURCE:
        return resource(r);
    case MW_NAME_SERVER:
        return with_port(r, server_name(r));
    case MW_NAME_HOST:
        return with_port(r, r->hostname && *r->hostname ? r->hostname : server_name(r));
    case MW_NAME_ENV:
        if (!(value = variable(r, name->text)))
            return apr_pstrcat(r->pool, "%{ENV:", name->text, "}", NULL);
        token = token_of(value);
        return mw_expand(r, &token);
    default:
        return name->text ? name->text : "";
    }
}

/* The variable of %{ENV:...}, in the request's pool; NULL if the text is something else. */
static const char *variable_of(request_rec *r, const char *text)
{
    size_t n = strlen(text), prefix = strlen("%{ENV:");
    if (strncmp(text, "%{ENV:", prefix) != 0 || n <= prefix + 1 || text[n - 1] != '}')
        return NULL;
    return apr_pstrndup(r->pool, text + prefix, n - prefix - 1);
}

const char *mw_expand_text(request_rec *r, const char *text)
{
    const char *variable = variable_of(r, text);
    mw_name name = variable ? (mw_name){MW_NAME_ENV, variable} : token_of(text);
    return mw_expand(r, &name);
}

const char *mw_expand_callable_text(request_rec *r, const char *text)
{
    const char *variable = variable_of(r, text);
    mw_name name = variable ? (mw_name){MW_NAME_ENV, variable} : (mw_name){MW_NAME_LITERAL, *text == '%' ? "application" : text};
    return mw_expand_callable(r, &name);
}

const char *mw_expand_callable(request_rec *r, const mw_name *name)
{
    if (name->kind != MW_NAME_ENV)
        return name->text;
    const char *value = variable(r, name->text);
    return value ? value : "application";
}
