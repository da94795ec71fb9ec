/* The CGI variables of a request (RFC 3875 as httpd understands it). In C because it would cross once per item.
 *
 * They go into one array in the order in which later ones win: what other modules set, the request's headers, the CGI's own. */
#include "edge.h"

#include <apr_lib.h>
#include <http_ssl.h>
#include <util_filter.h>
#include <util_script.h>

#include <string.h>

static void add(mw_variables *v, const char *key, const char *value)
{
    mw_pair *pair = apr_array_push(v->pairs);
    pair->key = key;
    pair->value = value;
}

static mw_pair *find(const mw_variables *v, const char *key)
{
    mw_pair *pairs = (mw_pair *)v->pairs->elts;
    for (int i = v->pairs->nelts; i-- > 0;)
        if (strcmp(pairs[i].key, key) == 0)
            return &pairs[i];
    return NULL;
}

const char *mw_variable(const mw_variables *v, const char *key)
{
    const mw_pair *pair = find(v, key);
    return pair ? pair->value : NULL;
}

void mw_set_variable(mw_variables *v, const char *key, const char *value)
{
    add(v, key, value);
}

void mw_remove_variable(mw_variables *v, const char *key)
{
    mw_pair *pairs = (mw_pair *)v->pairs->elts;
    int kept = 0;
    for (int i = 0; i < v->pairs->nelts; i++)
        if (strcmp(pairs[i].key, key) != 0)
            pairs[kept++] = pairs[i];
    v->pairs->nelts = kept;
}

/* ---- What other modules set: SetEnv, RewriteRule [E=], mod_ssl ... ---- */

static bool says_https(const char *value)
{
    return value && (strcasecmp(value, "on") == 0 || strcmp(value, "1") == 0);
}

static void add_subprocess_env(mw_variables *v, request_rec *r)
{
    const apr_array_header_t *entries = apr_table_elts(r->subprocess_env);
    const apr_table_entry_t *e = (const apr_table_entry_t *)entries->elts;
    for (int i = 0; i < entries->nelts; i++) {
        if (!e[i].key || strcmp(e[i].key, "PATH") == 0)
            continue;
        if (strcmp(e[i].key, "HTTPS") == 0)
            v->https = says_https(e[i].val);
        else
            add(v, e[i].key, e[i].val);
    }
}

/* ---- The request's headers ---- */

/* HTTP_ and the name in capitals with underscores; NULL for a name that could pass for another one's (X_Real_IP for X-Real-IP). */
static const char *header_key(apr_pool_t *pool, const char *name)
{
    size_t n = strlen(name);
    char *key = apr_palloc(pool, n + 6), *to = key + 5;
    memcpy(key, "HTTP_", 5);
    for (const char *c = name; *c; c++) {
        if (*c == '-')
            *to++ = '_';
        else if (apr_isalnum(*c))
            *to++ = apr_toupper(*c);
        else
            return NULL;
    }
    *to = '\0';
    return key;
}

static void add_headers(mw_variables *v, request_rec *r, bool authorization, bool proxy_authorization)
{
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    const apr_table_entry_t *h = (const apr_table_entry_t *)headers->elts;
    for (int i = 0; i < headers->nelts; i++) {
        const char *name = h[i].key, *key;
        if (!name)
            continue;
        if (strcasecmp(name, "Content-Type") == 0)
            add(v, "CONTENT_TYPE", h[i].val);
        else if (strcasecmp(name, "Content-Length") == 0)
            add(v, "CONTENT_LENGTH", h[i].val);
        else if (strcasecmp(name, "Proxy") == 0) /* httpoxy: never HTTP_PROXY */
            continue;
        else if (strcasecmp(name, "Authorization") == 0 && !authorization)
            continue;
        else if (strcasecmp(name, "Proxy-Authorization") == 0 && !proxy_authorization)
            continue;
        else if ((key = header_key(r->pool, name)))
            add(v, key, h[i].val);
    }
}

void mw_add_headers(mw_variables *v, request_rec *r)
{
    add_headers(v, r, false, false);
}

/* ---- The CGI's own ---- */

/* The second word of the request line, as the client sent it. */
static const char *original_uri(request_rec *r)
{
    const char *start = r->the_request;
    if (!start)
        return r->uri ? r->uri : "";
    while (*start && !apr_isspace(*start))
        start++;
    while (apr_isspace(*start))
        start++;
    const char *end = start;
    while (*end && !apr_isspace(*end))
        end++;
    return apr_pstrndup(r->pool, start, end - start);
}

static const char *request_uri(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *rule = core->cgi_var_rules ? apr_hash_get(core->cgi_var_rules, "REQUEST_URI", APR_HASH_KEY_STRING) : NULL;
    return rule && strcasecmp(rule, "current-uri") == 0 ? r->uri : original_uri(r);
}

static const char *request_method(request_rec *r, int map_head)
{
    bool content_filter = r->output_filters && r->output_filters->frec->ftype < AP_FTYPE_PROTOCOL;
    if (r->method_number == M_GET && (map_head == MW_ON || (map_head == MW_AUTO && content_filter)))
        return "GET";
    return r->method;
}

static void add_redirect(mw_variables *v, request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    if (!r->prev)
        return;
    if (core->qualify_redirect_url == AP_CORE_CONFIG_ON) {
        const char *uri = r->prev->uri;
        add(v, "REDIRECT_URL", uri ? ap_construct_url(r->pool, uri, r) : "");
    } else {
        add(v, "REDIRECT_URL", r->prev->uri);
    }
    if (r->prev->args)
        add(v, "REDIRECT_QUERY_STRING", r->prev->args);
}

static void add_path(mw_variables *v, request_rec *r)
{
    bool included = strcmp(r->protocol, "INCLUDED") == 0;
    const char *path_info = r->path_info ? mw_collapse_slashes(r->pool, r->path_info) : "";
    const char *script_name = included ? mw_collapse_slashes(r->pool, r->uri) : mw_script_name(r);
    add(v, "SCRIPT_NAME", script_name);
    add(v, "PATH_INFO", path_info);
    add(v, "mod_wsgi.script_name", script_name);
    add(v, "mod_wsgi.path_info", path_info);
}

void mw_add_connection(mw_variables *v, request_rec *r)
{
    conn_rec *c = r->connection;
    add(v, "QUERY_STRING", r->args ? r->args : "");
    add(v, "REQUEST_URI", request_uri(r));
    add(v, "SERVER_NAME", ap_escape_html(r->pool, ap_get_server_name_for_url(r)));
    add(v, "SERVER_PORT", apr_psprintf(r->pool, "%u", ap_get_server_port(r)));
    add(v, "SERVER_ADDR", c->local_ip);
    add(v, "SERVER_PROTOCOL", r->protocol);
    add(v, "SERVER_SOFTWARE", ap_get_server_banner());
    if (r->server->server_admin)
        add(v, "SERVER_ADMIN", r->server->server_admin);
    add(v, "REMOTE_ADDR", r->useragent_ip);
    add(v, "REMOTE_PORT", apr_itoa(r->pool, c->client_addr->port));
    add(v, "DOCUMENT_ROOT", ap_document_root(r));
}

static void add_cgi(mw_variables *v, request_rec *r, const mw_plan *plan)
{
    add(v, "REQUEST_METHOD", request_method(r, plan->head));
    mw_add_connection(v, r);
    add_path(v, r);
    if (r->user)
        add(v, "REMOTE_USER", r->user);
    else if (r->prev && r->prev->user)
        add(v, "REDIRECT_REMOTE_USER", r->prev->user);
    if (r->ap_auth_type)
        add(v, "AUTH_TYPE", r->ap_auth_type);
    add(v, "SCRIPT_FILENAME", r->filename);
    add(v, "REQUEST_SCHEME", ap_http_scheme(r));
    add(v, "CONTEXT_PREFIX", ap_context_prefix(r));
    add(v, "CONTEXT_DOCUMENT_ROOT", ap_context_document_root(r));
    add_redirect(v, r);
}

mw_variables mw_build_variables(request_rec *r, const mw_plan *plan, bool pass_authorization)
{
    mw_variables v = {apr_array_make(r->pool, 64, sizeof(mw_pair)), false};
    add_subprocess_env(&v, r);
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    bool cgi_pass_auth = core->cgi_pass_auth == AP_CGI_PASS_AUTH_ON;
    add_headers(&v, r, cgi_pass_auth || pass_authorization, cgi_pass_auth);
    add_cgi(&v, r, plan);
    bool decided = plan->n_proxy_headers > 0 && mw_apply_trusted_proxies(r, &v, plan);
    if (!decided && ap_ssl_conn_is_ssl(r->connection))
        v.https = true;
    return v;
}
