/* Asking a script of the configuration about a request: what access control and dispatch have in common. In C because every request that is
 * guarded or dispatched passes here. */
#include "edge.h"

#include <util_script.h>

#include <stdlib.h>

/* What a script may know of a request that is not authorized yet: its headers without credentials, and who speaks to whom. It is smaller
 * than an application's environ. */
static mw_variables variables_of(request_rec *r)
{
    mw_variables v = {apr_array_make(r->pool, 48, sizeof(mw_pair)), false};
    const char *host = ap_get_useragent_host(r, REMOTE_HOST, NULL);
    mw_add_headers(&v, r);
    mw_set_variable(&v, "SERVER_SIGNATURE", ap_psignature("", r));
    mw_add_connection(&v, r);
    if (host)
        mw_set_variable(&v, "REMOTE_HOST", host);
    mw_set_variable(&v, "REQUEST_METHOD", r->method);
    size_t end = r->path_info && *r->path_info ? (size_t)ap_find_path_info(r->uri, r->path_info) : strlen(r->uri);
    mw_set_variable(&v, "SCRIPT_NAME", apr_pstrndup(r->pool, r->uri, end));
    mw_set_variable(&v, "PATH_INFO", r->path_info ? r->path_info : "");
    return v;
}

const char *mw_client_of(request_rec *r)
{
    const char *host = ap_get_useragent_host(r, REMOTE_HOST, NULL);
    return host ? host : r->useragent_ip;
}

/* The answers' texts become the request's. */
static void adopt(request_rec *r, mw_question *question)
{
    char *text = question->text;
    size_t n = 0;
    for (size_t i = 0; i < question->n_texts; i++)
        n += strlen(text + n) + 1;
    question->text = apr_pmemdup(r->pool, text ? text : "", n > 0 ? n : 1);
    free(text);
}

void mw_ask_with(request_rec *r, const mw_plan *plan, const mw_script_to_ask *script, mw_variables *v, mw_question *questions, size_t n)
{
    mw_exchange exchange = {.r = r};
    const char *group = mw_expand(r, &script->application_group);
    if (!r->log_id) /* now: while the script runs, other threads may log for the request */
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    mw_set_variable(v, "mod_wsgi.process_group", "");
    mw_set_variable(v, "mod_wsgi.application_group", group);
    mw_call call = {
        .ops = &mw_apache_ops,
        .transport = &exchange,
        .application_group = group,
        .script = script->path,
        .script_mtime = MW_MTIME_UNKNOWN,
        .flags = plan->reloading ? MW_CALL_RELOADING : 0,
        .environ = (const mw_pair *)v->pairs->elts,
        .n_environ = v->pairs->nelts,
        .native_request = plan->pass_request ? r : NULL,
    };
    mw_ask(&call, questions, n);
    for (size_t i = 0; i < n; i++)
        adopt(r, &questions[i]);
}

mw_answer mw_ask_about(request_rec *r, const mw_plan *plan, const mw_script_to_ask *script, mw_question *question)
{
    mw_variables v = variables_of(r);
    mw_ask_with(r, plan, script, &v, question, 1);
    return question->answer;
}
