/* WSGIDispatchScript: which groups and which callable serve a request. In C because it is on the path of every request that is dispatched. */
#include "edge.h"

int mw_dispatch(request_rec *r, const mw_plan *plan, const mw_variables *v, mw_target *target)
{
    mw_variables own = {apr_array_copy(r->pool, v->pairs), v->https};
    mw_question questions[] = {{.subject = MW_ASK_PROCESS_GROUP}, {.subject = MW_ASK_APPLICATION_GROUP}, {.subject = MW_ASK_CALLABLE}};
    if (own.https)
        mw_set_variable(&own, "HTTPS", "1");
    mw_ask_with(r, plan, &plan->dispatch_script, &own, questions, 3);
    for (size_t i = 0; i < 3; i++) {
        const mw_question *q = &questions[i];
        if (q->answer == MW_FAILED)
            return HTTP_INTERNAL_SERVER_ERROR;
        if (q->answer != MW_TEXT)
            continue;
        if (q->subject == MW_ASK_PROCESS_GROUP)
            target->process_group = mw_expand_text(r, q->text);
        else if (q->subject == MW_ASK_APPLICATION_GROUP)
            target->application_group = mw_expand_text(r, q->text);
        else
            target->callable = mw_expand_callable_text(r, q->text);
    }
    return OK;
}
