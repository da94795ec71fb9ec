/* Mapping URLs to scripts: WSGIScriptAlias and WSGIScriptAliasMatch. In C because every request of the server passes here. */
#include "edge.h"

#include <stdlib.h>
#include <string.h>

static const char tag_note[] = "mod_wsgi.alias";

/* How many characters of the URI a location covers, 0 if it is not in it. A run of slashes in one matches a run in the other; the
 * end of the location must be the end of a segment of the URI. */
static size_t covered(const char *uri, const char *location)
{
    const char *u = uri, *l = location;
    while (*l) {
        if (*l == '/') {
            if (*u != '/')
                return 0;
            while (*l == '/')
                l++;
            while (*u == '/')
                u++;
        } else if (*u++ != *l++) {
            return 0;
        }
    }
    if (l > location && l[-1] != '/' && *u && *u != '/')
        return 0;
    return u - uri;
}

/* The file that an alias means for the URI, or NULL if it does not match. */
static char *target_of(apr_pool_t *pool, const mw_alias *alias, const char *uri)
{
    const char *target = alias->target;
    size_t n;
    if (alias->is_regex) {
        ap_regmatch_t groups[10];
        if (!alias->regex || ap_regexec(alias->regex, uri, 10, groups, 0) != 0)
            return NULL;
        target = ap_pregsub(pool, target, uri, 10, groups);
        n = groups[0].rm_eo;
    } else {
        n = covered(uri, alias->location);
    }
    if (n == 0 || !target)
        return NULL;
    bool root = strcmp(alias->location, "/") == 0;
    return apr_pstrcat(pool, target, root ? uri : uri + n, NULL);
}

int mw_translate_name(request_rec *r)
{
    const mw_config *config = mw_this_child.config;
    if (mw_this_child.failed) { /* which files are scripts is not known: nothing is served rather than their source */
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "WSGI0210: mod_wsgi did not start in this process, see the error log where it began");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!config || (r->uri[0] && r->uri[0] != '/'))
        return DECLINED;
    const mw_server *server = ap_get_module_config(r->server->module_config, &wsgi_module);
    const mw_server_plan *plan = &config->servers[server->number];
    for (size_t i = 0; i < plan->n_aliases; i++) {
        const mw_alias *alias = &config->aliases[plan->aliases[i]];
        char *file = target_of(r->pool, alias, r->uri);
        if (!file)
            continue;
        r->filename = file;
        r->handler = "wsgi-script";
        apr_table_setn(r->notes, "alias-forced-type", r->handler);
        apr_table_setn(r->notes, tag_note, alias->tag); /* notes, since sub-requests and DirectoryIndex carry them over */
        ap_log_rerror(APLOG_MARK, APLOG_TRACE1, 0, r, "%s is mapped to %s by %s", r->uri, file, alias->location);
        return OK;
    }
    return DECLINED;
}

const mw_alias *mw_alias_of(request_rec *r)
{
    const char *tag = apr_table_get(r->notes, tag_note);
    size_t i = tag ? strtoul(tag, NULL, 10) : SIZE_MAX;
    return i < mw_this_child.config->n_aliases ? &mw_this_child.config->aliases[i] : NULL;
}
