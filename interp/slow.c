/* Looking at single requests from outside: those that take long. In C because a request is C's structs, may end at any time, and its stack is
 * CPython's to tell. Which request is slow, and what is said of it, Go decides. */
#include "meter.h"

#include <stdlib.h>
#include <string.h>

_Atomic double mw_slow_limit;

void mw_slow_watch(double limit)
{
    mw_slow_limit = limit;
    atomic_fetch_or(&mw_metering, MW_METER_SLOW);
}

/* Seconds since Apache received the request; the meter's lock is held. */
static double elapsed(const mw_meter *m)
{
    return m->waited + mw_seconds(mw_nanoseconds() - m->began);
}

size_t mw_running_requests(mw_running *list, size_t room)
{
    size_t n = 0;
    pthread_mutex_lock(&mw_all_meters.lock);
    for (mw_meter *m = mw_all_meters.first; m; m = m->next) {
        pthread_mutex_lock(&m->lock);
        if (m->request && n++ < room)
            list[n - 1] = (mw_running){m, atomic_load(&m->number), elapsed(m)};
        pthread_mutex_unlock(&m->lock);
    }
    pthread_mutex_unlock(&mw_all_meters.lock);
    return n;
}

/* ---- What a request says of itself ---- */

static void copy(char *to, size_t size, const char *from)
{
    size_t n = from ? strnlen(from, size) : 0;
    if (n < size) {
        memcpy(to, from ? from : "", n);
        to[n] = '\0';
    } else {
        memcpy(to, from, size - 4);
        memcpy(to + size - 4, "...", 4);
    }
}

/* What does not change while the request runs. */
static void describe(const mw_meter *m, const mw_request *request, mw_glimpse *g)
{
    const mw_call *c = request->call;
    const struct {
        char *to;
        size_t size;
        const char *variable;
    } texts[] = {
        {g->uri, sizeof g->uri, "REQUEST_URI"}, {g->log_id, sizeof g->log_id, "mod_wsgi.request_id"}, {g->method, sizeof g->method, "REQUEST_METHOD"},
        {g->script_name, sizeof g->script_name, "SCRIPT_NAME"}, {g->path_info, sizeof g->path_info, "PATH_INFO"},
        {g->protocol, sizeof g->protocol, "SERVER_PROTOCOL"}, {g->peer, sizeof g->peer, "REMOTE_ADDR"},
        {g->user_agent, sizeof g->user_agent, "HTTP_USER_AGENT"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        copy(texts[i].to, texts[i].size, mw_request_variable(request, texts[i].variable));
    const char *host = mw_request_variable(request, "HTTP_HOST"), *pid = mw_request_variable(request, "mod_wsgi.server_pid");
    copy(g->host, sizeof g->host, host ? host : mw_request_variable(request, "SERVER_NAME"));
    copy(g->scheme, sizeof g->scheme, c->flags & MW_CALL_HTTPS ? "https" : "http");
    copy(g->application_group, sizeof g->application_group, c->application_group);
    copy(g->script, sizeof g->script, c->script);
    g->server_pid = pid ? strtol(pid, NULL, 10) : 0;
    g->thread_id = m->thread_id;
    g->python_id = m->python_id;
    g->active_at_start = m->active;
    g->request_start = c->request_start;
    g->queue_start = c->queue_start;
    g->daemon_start = c->daemon_start;
    g->application_start = m->application_start;
}

bool mw_glimpse_of(mw_meter *m, uint64_t number, mw_glimpse *g)
{
    memset(g, 0, sizeof *g);
    g->meter = m;
    g->number = number;
    pthread_mutex_lock(&m->lock);
    bool runs = m->request && atomic_load(&m->number) == number;
    if (runs) {
        describe(m, m->request, g);
        g->elapsed = elapsed(m);
    }
    pthread_mutex_unlock(&m->lock);
    return runs;
}

char *mw_glimpse_stack(const mw_glimpse *g)
{
    mw_thread *thread = mw_thread_self();
    mw_interp *interp = mw_interp_known(g->application_group);
    if (!thread || !interp || !mw_enter(interp, thread))
        return NULL;
    char *stack = NULL; /* asked twice: looking lets go of the GIL now and then */
    if (atomic_load(&g->meter->number) == g->number && (stack = mw_stack_of(g->python_id)) && atomic_load(&g->meter->number) != g->number) {
        free(stack);
        stack = NULL;
    }
    mw_leave();
    return stack;
}

bool mw_glimpse_log(const mw_glimpse *g, int level, const char *text, size_t n)
{
    mw_meter *m = g->meter;
    pthread_mutex_lock(&m->lock);
    bool runs = m->request && atomic_load(&m->number) == g->number;
    const mw_call *call = runs ? m->request->call : NULL;
    m->pins += runs;
    pthread_mutex_unlock(&m->lock);
    if (!runs)
        return false;
    if (!call->ops->log_aside || !call->ops->log_aside(call->transport, level, text, n))
        mw_this.ops->log(NULL, level, NULL, text, n);
    pthread_mutex_lock(&m->lock);
    m->pins--;
    pthread_cond_signal(&m->unpinned);
    pthread_mutex_unlock(&m->lock);
    return true;
}

/* ---- At its end ---- */

static void measure(const mw_meter *m, const mw_request *request, mw_glimpse *g)
{
    const mw_measures *did = &request->measures;
    mw_cpu used;
    g->status = request->final_status;
    g->application_finish = request->application_finish;
    g->gil_wait = mw_seconds(did->gil_wait);
    g->gil_waits = did->gil_waits;
    g->input_time = mw_seconds(did->input_time);
    g->input_bytes = request->input_returned;
    g->input_reads = did->input_reads;
    g->output_time = mw_seconds(did->output_time);
    g->output_bytes = did->output_bytes;
    g->output_writes = did->output_writes;
    uint64_t finished = atomic_load(&mw_all_meters.finished);
    g->active_at_end = atomic_load(&mw_all_meters.started) - finished;
    if (m->cpu_known && mw_cpu_now(&used)) {
        g->cpu_user = used.user - m->cpu.user;
        g->cpu_system = used.system - m->cpu.system;
    }
}

void mw_slow_finished(mw_meter *m, const mw_request *request, double elapsed)
{
    mw_glimpse *g = calloc(1, sizeof *g);
    if (!g)
        return;
    describe(m, request, g);
    measure(m, request, g);
    g->elapsed = elapsed;
    char *text = goMwSlowRequest(g);
    if (text)
        request->call->ops->log(request->call->transport, MW_LOG_WARNING, NULL, text, strlen(text));
    free(text);
    free(g);
}
