/* WSGIAccessScript: who may have a request at all. In C because it is on the path of every request that is guarded by it. */
#include "edge.h"

/* The client may still be let in by name: its refusal here is no news. */
static bool another_way(request_rec *r)
{
    return ap_satisfies(r) == SATISFY_ANY && ap_some_auth_required(r);
}

int mw_check_access(request_rec *r)
{
    const mw_config *config = mw_this_child.config;
    if (!config)
        return mw_this_child.failed ? HTTP_INTERNAL_SERVER_ERROR : DECLINED;
    if (!config->any_access_scripts && !mw_has_local_directives(r))
        return DECLINED;
    const mw_plan *plan = mw_plan_for(r);
    if (!plan)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (!plan->access_script.path)
        return DECLINED;
    mw_question question = {.subject = MW_ASK_ACCESS, .texts = {mw_client_of(r)}};
    switch (mw_ask_about(r, plan, &plan->access_script, &question)) {
    case MW_YES:
        return OK;
    case MW_NOTHING:
        return DECLINED;
    case MW_NO:
        if (!another_way(r))
            mw_refuse(r, 57, question.texts[0]);
        return HTTP_FORBIDDEN;
    default:
        return HTTP_FORBIDDEN;
    }
}
