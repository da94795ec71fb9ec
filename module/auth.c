/* Who somebody is and what he may: the provider "wsgi" of AuthBasicProvider and AuthDigestProvider (WSGIAuthUserScript), and "Require
 * wsgi-group" (WSGIAuthGroupScript). In C because both are on the path of every request that they guard. */
#include "edge.h"

#include <mod_auth.h>

/* Has the script answer the question: MW_FAILED after having logged why. no_script: the WSGI#### of a configuration without one. */
static mw_answer ask(request_rec *r, const mw_plan *plan, const mw_script_to_ask *script, mw_question *question, int no_script)
{
    if (script->path)
        return mw_ask_about(r, plan, script, question);
    mw_refuse(r, no_script, NULL);
    return MW_FAILED;
}

static const mw_plan *plan_for(request_rec *r)
{
    return mw_this_child.config ? mw_plan_for(r) : NULL;
}

/* ---- Users ---- */

static mw_answer ask_of_user(request_rec *r, mw_question *question, int no_script)
{
    const mw_plan *plan = plan_for(r);
    return plan ? ask(r, plan, &plan->user_script, question, no_script) : MW_FAILED;
}

static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    mw_question question = {.subject = MW_ASK_PASSWORD, .texts = {user, password}};
    switch (ask_of_user(r, &question, 41)) {
    case MW_YES:
        return AUTH_GRANTED;
    case MW_TEXT:
        r->user = question.text;
        return AUTH_GRANTED;
    case MW_NO:
        return AUTH_DENIED;
    case MW_NOTHING:
        return AUTH_USER_NOT_FOUND;
    case MW_FAILED:
        break;
    }
    return AUTH_GENERAL_ERROR;
}

static authn_status get_realm_hash(request_rec *r, const char *user, const char *realm, char **hash)
{
    mw_question question = {.subject = MW_ASK_REALM_HASH, .texts = {user, realm}};
    switch (ask_of_user(r, &question, 44)) {
    case MW_TEXT:
        *hash = question.text;
        return AUTH_USER_FOUND;
    case MW_NOTHING:
        return AUTH_USER_NOT_FOUND;
    default:
        return AUTH_GENERAL_ERROR;
    }
}

/* ---- Groups ---- */

/* One "Require wsgi-group", as it was configured. */
typedef struct requirement {
    apr_array_header_t *groups; /* const char *, any of them will do */
    bool reversed;              /* who is in the group is kept out: "Require not", <RequireNone>; or that can't be known */
} requirement;

static bool is_reversed(cmd_parms *cmd)
{
    const ap_directive_t *directive = cmd->directive;
    const char *args = directive->args;
    if (strcasecmp(directive->directive, "<AuthzProviderAlias") == 0) /* what the alias is required for stands elsewhere */
        return true;
    if (strcasecmp(ap_getword_conf(cmd->temp_pool, &args), "not") == 0)
        return true;
    while ((directive = directive->parent))
        if (strcasecmp(directive->directive, "<RequireNone") == 0)
            return true;
    return false;
}

static const char *parse_require(cmd_parms *cmd, const char *line, const void **parsed)
{
    requirement *required = apr_pcalloc(cmd->pool, sizeof *required);
    required->groups = apr_array_make(cmd->pool, 4, sizeof(const char *));
    required->reversed = is_reversed(cmd);
    for (const char *name; *(name = ap_getword_conf(cmd->pool, &line));)
        APR_ARRAY_PUSH(required->groups, const char *) = name;
    *parsed = required;
    return NULL;
}

static bool in_any(const mw_question *question, const apr_array_header_t *groups)
{
    const char *name = question->text;
    for (size_t i = 0; i < question->n_texts; i++, name += strlen(name) + 1)
        for (int j = 0; j < groups->nelts; j++)
            if (strcasecmp(name, APR_ARRAY_IDX(groups, j, const char *)) == 0)
                return true;
    return false;
}

/* AUTHZ_DENIED denies nothing where a requirement is reversed: not to know the user's groups must be an error there. */
static authz_status check_groups(request_rec *r, const char *line, const void *parsed)
{
    const requirement *required = parsed;
    if (!r->user)
        return AUTHZ_DENIED_NO_USER;
    const mw_plan *plan = plan_for(r);
    mw_question question = {.subject = MW_ASK_GROUPS, .texts = {r->user}};
    if (!plan || ask(r, plan, &plan->group_script, &question, 58) != MW_TEXT)
        return required->reversed ? AUTHZ_GENERAL_ERROR : AUTHZ_DENIED;
    if (in_any(&question, required->groups))
        return AUTHZ_GRANTED;
    if (!required->reversed)
        mw_refuse(r, question.n_texts == 0 ? 59 : 60, apr_pstrcat(r->pool, r->user, "\n", line, NULL));
    return AUTHZ_DENIED;
}

void mw_register_auth(apr_pool_t *pool)
{
    static const authn_provider users = {check_password, get_realm_hash};
    static const authz_provider groups = {check_groups, parse_require};
    /* Per URI: what a script says may depend on it. */
    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "wsgi", AUTHN_PROVIDER_VERSION, &users, AP_AUTH_INTERNAL_PER_URI);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "wsgi-group", AUTHZ_PROVIDER_VERSION, &groups, AP_AUTH_INTERNAL_PER_URI);
}
