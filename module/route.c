/* Which process group a request goes to, and whether it may. In C because it is the steady path. The order of the checks is the
 * reference's. */
#include "edge.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare_name(const void *name, const void *group)
{
    return strcmp(name, ((const mw_process_group *)group)->way.name);
}

static const mw_process_group *find_group(const mw_config *config, const char *name)
{
    return config->n_groups == 0 ? NULL : bsearch(name, config->groups, config->n_groups, sizeof *config->groups, compare_name);
}

static bool allowed(const mw_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->n_allowed_groups; i++)
        if (strcasecmp(plan->allowed_groups[i], name) == 0)
            return true;
    return !plan->restricted;
}

/* A group of a virtual host is for hosts of the same ServerName. */
static bool usable(request_rec *r, const mw_process_group *group)
{
    const mw_server *server = ap_get_module_config(r->server->module_config, &wsgi_module);
    return group->everywhere || mw_this_child.config->servers[server->number].name == group->server_name;
}

/* ---- Who has to own scripts: script-user=, script-group= ---- */

static int check_user(const apr_finfo_t *file, const apr_finfo_t *folder, uint32_t owner)
{
    if (!(file->valid & APR_FINFO_USER))
        return 162;
    if (file->user != owner)
        return 164;
    if (file->protection & APR_FPROT_GWRITE)
        return 166;
    if (file->protection & APR_FPROT_WWRITE)
        return 168;
    if (!(folder->valid & APR_FINFO_USER))
        return 169;
    if (folder->user != owner)
        return 171;
    if (folder->protection & APR_FPROT_WWRITE)
        return 172;
    return folder->protection & APR_FPROT_GWRITE ? 173 : 0;
}

static int check_group(const apr_finfo_t *file, const apr_finfo_t *folder, uint32_t owner)
{
    if (!(file->valid & APR_FINFO_GROUP))
        return 153;
    if (file->group != owner)
        return 155;
    if (file->protection & APR_FPROT_WWRITE)
        return 157;
    if (!(folder->valid & APR_FINFO_GROUP))
        return 158;
    if (folder->group != owner)
        return 160;
    return folder->protection & APR_FPROT_WWRITE ? 161 : 0;
}

static int check_owner(request_rec *r, const mw_process_group *group)
{
    apr_finfo_t folder = {.valid = 0};
    const char *slash = strrchr(r->filename, '/');
    const char *path = slash ? apr_pstrndup(r->pool, r->filename, slash == r->filename ? 1 : slash - r->filename) : ".";
    if (apr_stat(&folder, path, APR_FINFO_OWNER | APR_FINFO_PROT, r->pool) != APR_SUCCESS)
        folder.valid = 0;
    int code = group->owner_kind == MW_OWNER_USER ? check_user(&r->finfo, &folder, group->owner) : check_group(&r->finfo, &folder, group->owner);
    return code ? mw_refuse(r, code, apr_pstrcat(r->pool, group->way.name, "\n", path, NULL)) : OK;
}

int mw_route(request_rec *r, const mw_plan *plan, const char *name, const mw_process_group **group)
{
    const mw_config *config = mw_this_child.config;
    *group = NULL;
    if (!allowed(plan, name))
        return mw_refuse(r, 149, name);
    if (!*name)
        return config->restrict_embedded ? mw_refuse(r, 143, NULL) : OK;
    *group = find_group(config, name);
    if (!*group)
        return mw_refuse(r, config->n_groups == 0 ? 150 : 151, name);
    if (!usable(r, *group))
        return mw_refuse(r, 152, name);
    return (*group)->owner_kind == MW_OWNER_ANY ? OK : check_owner(r, *group);
}
