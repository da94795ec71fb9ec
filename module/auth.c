/* The provider "wsgi" of AuthBasicProvider and AuthDigestProvider: WSGIAuthUserScript. In C because it is on the path of every request that
 * is guarded by it. */
#include "edge.h"

#include <mod_auth.h>

/* What the script says of the user; MW_FAILED after having logged why. no_script: the WSGI#### of a configuration without one. */
static mw_answer ask(request_rec *r, mw_question *question, int no_script)
{
    const mw_plan *plan = mw_this_child.config ? mw_plan_for(r) : NULL;
    if (!plan)
        return MW_FAILED;
    if (!plan->user_script.path) {
        mw_refuse(r, no_script, NULL);
        return MW_FAILED;
    }
    return mw_ask_about(r, plan, &plan->user_script, question);
}

static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    mw_question question = {.subject = MW_ASK_PASSWORD, .texts = {user, password}};
    switch (ask(r, &question, 41)) {
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
    switch (ask(r, &question, 44)) {
    case MW_TEXT:
        *hash = question.text;
        return AUTH_USER_FOUND;
    case MW_NOTHING:
        return AUTH_USER_NOT_FOUND;
    default:
        return AUTH_GENERAL_ERROR;
    }
}

static const authn_provider provider = {check_password, get_realm_hash};

void mw_register_auth(apr_pool_t *pool)
{
    /* Per URI: what the script says may depend on it. */
    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "wsgi", AUTHN_PROVIDER_VERSION, &provider, AP_AUTH_INTERNAL_PER_URI);
}
