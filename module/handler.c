/* The handler: whether a request may run, what it runs, and how its answer ends. In C because it is the steady path. The order of the
 * checks is the reference's. */
#include "edge.h"

#include <stdlib.h>
#include <string.h>

int mw_refuse(request_rec *r, int code, const char *detail)
{
    int status = HTTP_INTERNAL_SERVER_ERROR;
    char *text = goMwFault(code, r->filename, detail, &status);
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s (%s %.1024s)", text, r->method, r->unparsed_uri);
    free(text);
    return status;
}

static bool is_ours(const char *handler)
{
    return strcmp(handler, "wsgi-script") == 0 || strcmp(handler, "application/x-httpd-wsgi") == 0;
}

static const mw_handler_script *handler_script(const mw_plan *plan, const char *handler)
{
    for (size_t i = 0; i < plan->n_handler_scripts; i++)
        if (strcmp(plan->handler_scripts[i].name, handler) == 0)
            return &plan->handler_scripts[i];
    return NULL;
}

/* The script must exist, be a file, and be allowed to run. */
static int check_script(request_rec *r)
{
    const char *forced = apr_table_get(r->notes, "alias-forced-type");
    if (!(ap_allow_options(r) & OPT_EXECCGI) && !(forced && strcmp(forced, "wsgi-script") == 0))
        return mw_refuse(r, 134, NULL);
    if (r->finfo.filetype == APR_NOFILE)
        return mw_refuse(r, 135, NULL);
    if (r->finfo.filetype == APR_DIR)
        return mw_refuse(r, 136, NULL);
    return OK;
}

static int check_body(request_rec *r, const mw_plan *plan, int64_t *length)
{
    const char *coding = apr_table_get(r->headers_in, "Transfer-Encoding");
    const char *announced = apr_table_get(r->headers_in, "Content-Length");
    *length = -1;
    if (coding) {
        if (strcasecmp(coding, "chunked") != 0)
            return mw_refuse(r, 138, coding);
        if (!plan->chunked)
            return mw_refuse(r, 139, NULL);
        return announced ? mw_refuse(r, 140, announced) : OK;
    }
    if (!announced) {
        *length = 0;
        return OK;
    }
    apr_off_t n;
    char *end;
    if (apr_strtoff(&n, announced, &end, 10) != APR_SUCCESS || end == announced || *end || n < 0)
        return mw_refuse(r, 141, announced);
    apr_off_t limit = ap_get_limit_req_body(r);
    if (limit > 0 && n > limit) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "request body of %s bytes is over LimitRequestBody %" APR_OFF_T_FMT, announced, limit);
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    *length = n;
    return OK;
}

static int check_path_info(request_rec *r)
{
    if (r->used_path_info == AP_REQ_REJECT_PATH_INFO && r->path_info && *r->path_info)
        return mw_refuse(r, 137, r->path_info);
    return OK;
}

static mw_target target_of(request_rec *r, const mw_plan *plan, const mw_handler_script *handler)
{
    const mw_alias *alias = handler ? NULL : mw_alias_of(r);
    const mw_name *process = &plan->process_group, *group = &plan->application_group, *callable = &plan->callable;
    int pass = MW_UNSET;
    mw_target t = {.script = r->filename, .handler_script = ""};
    if (handler) {
        t.script = t.handler_script = handler->path;
        if (handler->process_group.kind != MW_NAME_UNSET)
            process = &handler->process_group;
        if (handler->application_group.kind != MW_NAME_UNSET)
            group = &handler->application_group;
        pass = handler->pass_authorization;
    } else if (alias) {
        if (alias->process_group.kind != MW_NAME_UNSET)
            process = &alias->process_group;
        if (alias->application_group.kind != MW_NAME_UNSET)
            group = &alias->application_group;
        if (alias->callable.kind != MW_NAME_UNSET)
            callable = &alias->callable;
        pass = alias->pass_authorization;
    }
    t.process_group = mw_expand(r, process);
    t.application_group = mw_expand(r, group);
    t.callable = handler ? "handle_request" : mw_expand_callable(r, callable);
    t.pass_authorization = pass == MW_UNSET ? plan->pass_authorization : pass;
    return t;
}

static void add_configuration(mw_variables *v, request_rec *r, const mw_target *t)
{
    conn_rec *c = r->connection;
    mw_set_variable(v, "mod_wsgi.request_handler", r->handler);
    mw_set_variable(v, "mod_wsgi.handler_script", t->handler_script);
    mw_set_variable(v, "mod_wsgi.listener_host", c->local_addr->hostname ? c->local_addr->hostname : "");
    mw_set_variable(v, "mod_wsgi.listener_port", apr_itoa(r->pool, c->local_addr->port));
    mw_set_variable(v, "mod_wsgi.server_pid", mw_this_child.pid);
    if (!r->log_id)
        ap_run_generate_log_id(c, r, &r->log_id);
    if (r->log_id)
        mw_set_variable(v, "mod_wsgi.request_id", r->log_id);
    if (c->log_id)
        mw_set_variable(v, "mod_wsgi.connection_id", c->log_id);
}

static void add_names(mw_variables *v, const mw_target *t)
{
    mw_set_variable(v, "mod_wsgi.process_group", t->process_group);
    mw_set_variable(v, "mod_wsgi.application_group", t->application_group);
    mw_set_variable(v, "mod_wsgi.callable_object", t->callable);
}

int mw_end(mw_exchange *exchange, int outcome)
{
    request_rec *r = exchange->r;
    bool bodyless = r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status);
    if (outcome == MW_CUT && !exchange->begun)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (outcome == MW_CUT || (outcome == MW_SHORT && !bodyless))
        mw_cut(exchange);
    else if (outcome <= 0)
        mw_finish(exchange);
    if (outcome > 0)
        return exchange->body_status ? exchange->body_status : outcome;
    return OK;
}

static int run(request_rec *r, const mw_plan *plan, const mw_handler_script *handler, int64_t length)
{
    mw_target t = target_of(r, plan, handler);
    mw_variables v = mw_build_variables(r, plan, t.pass_authorization);
    add_configuration(&v, r, &t);
    int status = plan->dispatch_script.path ? mw_dispatch(r, plan, &v, &t) : OK;
    if (status != OK)
        return status;
    const mw_process_group *group;
    status = mw_route(r, plan, t.process_group, &group);
    if (status != OK)
        return status;
    add_names(&v, &t);
    mw_exchange exchange = {.r = r, .sendfile = plan->sendfile};
    mw_call call = {
        .ops = &mw_apache_ops,
        .transport = &exchange,
        .application_group = t.application_group,
        .script = t.script,
        .callable = t.callable,
        .resource = r->filename,
        .script_mtime = handler ? MW_MTIME_UNKNOWN : r->finfo.mtime,
        .content_length = length,
        .flags = (plan->reloading ? MW_CALL_RELOADING : 0) | (plan->ignore_activity ? MW_CALL_UNNOTICED : 0) | (v.https ? MW_CALL_HTTPS : 0) |
            (mw_this_child.multithread ? MW_CALL_MULTITHREAD : 0) | (mw_this_child.multiprocess ? MW_CALL_MULTIPROCESS : 0),
        .environ = (const mw_pair *)v.pairs->elts,
        .n_environ = v.pairs->nelts,
        .native_request = plan->pass_request ? r : NULL,
        .request_start = r->request_time / 1e6,
    };
    return group ? mw_relay(r, plan, group, &call) : mw_end(&exchange, mw_run(&call));
}

int mw_handler(request_rec *r)
{
    const mw_config *config = mw_this_child.config;
    if (!r->handler)
        return DECLINED;
    bool ours = is_ours(r->handler);
    if (!config) {
        if (!ours)
            return DECLINED;
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "WSGI0210: cannot run %s: mod_wsgi did not start in this process, see the error log where it began", r->filename);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!ours && !config->any_handler_scripts)
        return DECLINED;
    const mw_plan *plan = mw_plan_for(r);
    if (!plan)
        return ours ? HTTP_INTERNAL_SERVER_ERROR : DECLINED;
    const mw_handler_script *handler = ours ? NULL : handler_script(plan, r->handler);
    if (!ours && !handler)
        return DECLINED;
    int64_t length;
    int status = ours ? check_script(r) : OK;
    if (status == OK)
        status = check_path_info(r);
    if (status == OK)
        status = check_body(r, plan, &length);
    return status == OK ? run(r, plan, handler, length) : status;
}
