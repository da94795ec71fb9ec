/* Running one request of a daemon process. In C because it is the steady path. */
#include "worker.h"

#include <stdio.h>
#include <time.h>

/* What REQUEST says. Everything points into its payload. */
typedef struct request {
    uint64_t start, queued;
    int64_t content_length;
    uint32_t flags, connects, restarts, log_level;
    bool complete;
    const char *application_group, *script, *callable, *resource;
    size_t n_environ;
    const unsigned char *window;
    size_t n_window;
} request;

/* Fills worker->pairs with the environ. False: it is garbage, or there is no memory. */
static bool parse(mwd_worker *w, unsigned char *payload, size_t n, request *r)
{
    mwd_parser p = {payload, payload + n, false};
    r->start = mwd_get64(mwd_take(&p, 8));
    r->queued = mwd_get64(mwd_take(&p, 8));
    r->content_length = (int64_t)mwd_get64(mwd_take(&p, 8));
    r->flags = mwd_get32(mwd_take(&p, 4));
    uint32_t complete = mwd_get32(mwd_take(&p, 4));
    r->complete = complete;
    r->connects = mwd_get32(mwd_take(&p, 4));
    r->restarts = mwd_get32(mwd_take(&p, 4));
    r->log_level = mwd_get32(mwd_take(&p, 4));
    r->application_group = mwd_take_string(&p);
    r->script = mwd_take_string(&p);
    r->callable = mwd_take_string(&p);
    r->resource = mwd_take_string(&p);
    uint32_t count = mwd_get32(mwd_take(&p, 4));
    if (p.failed || complete > 1 || r->content_length < -1 || count > (size_t)(p.end - p.at) / 8)
        return false;
    w->pairs.n = 0;
    mw_pair *pairs = (mw_pair *)mwd_grow(&w->pairs, (count + 1) * sizeof *pairs);
    if (!pairs)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        pairs[i].key = mwd_take_string(&p);
        pairs[i].value = mwd_take_value(&p);
    }
    r->n_environ = count;
    uint32_t window = mwd_get32(mwd_take(&p, 4));
    r->window = p.at;
    r->n_window = window;
    return !p.failed && window <= MWD_FIRST_WINDOW && (size_t)(p.end - p.at) == (size_t)window + 1 && *(p.end - 1) == '\0';
}

static const char *find(const mw_pair *pairs, size_t n, const char *key)
{
    for (size_t i = n; i-- > 0;)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

/* Where a path lies for a process whose root directory was changed; NULL outside of it. */
static const char *below_root(const char *path)
{
    if (!mwd_options.chroot)
        return path;
    size_t n = strlen(mwd_options.chroot);
    while (n > 0 && mwd_options.chroot[n - 1] == '/')
        n--;
    return strncmp(path, mwd_options.chroot, n) == 0 && path[n] == '/' ? path + n : NULL;
}

/* Paths of the environ as this process sees them. */
static size_t strip_root(mw_pair *pairs, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        mw_pair pair = pairs[i];
        if (strcmp(pair.key, "DOCUMENT_ROOT") == 0 || strcmp(pair.key, "SCRIPT_FILENAME") == 0) {
            pair.value = pair.value ? below_root(pair.value) : NULL;
            if (!pair.value)
                continue;
        }
        pairs[kept++] = pair;
    }
    return kept;
}

static void copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);
    memcpy(to, from, n);
    to[n] = '\0';
}

/* Gives the permit back that the request came with. Counted before, so that it is never missed where it is looked for. */
static void give_permit_back(bool unnoticed)
{
    if (!unnoticed)
        atomic_fetch_add_explicit(&mwd_options.slot->served, 1, memory_order_relaxed); /* before its permit is there: who sees an idle process sees it, too */
    atomic_fetch_add(&mwd_this.returned, 1);
    mwd_give_back(&mwd_options.hall, mwd_options.slot, mwd_options.serial, mwd_options.threads);
}

int mwd_permits_under_way(void)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        uint64_t received = atomic_load(&mwd_this.received), returned = atomic_load(&mwd_this.returned), word = atomic_load(&mwd_options.slot->word);
        if (atomic_load(&mwd_this.received) != received || atomic_load(&mwd_this.returned) != returned)
            continue;
        int64_t missing = (int64_t)mwd_options.threads - mwd_permits_of(word) - (int64_t)(received - returned);
        return mwd_serial_of(word) == mwd_options.serial && missing > 0 ? (int)missing : 0;
    }
    return 0;
}

static double seconds(uint64_t microseconds)
{
    return microseconds / 1e6;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

void mwd_note_activity(const mwd_exchange *x, int64_t now)
{
    if (!x->unnoticed)
        atomic_store_explicit(&mwd_this.active, now, memory_order_relaxed);
}

static void begin(mwd_worker *w, const request *r, const mwd_exchange *x)
{
    mwd_watch *watch = w->watch;
    int64_t since = mwd_nanoseconds();
    const char *uri = find((mw_pair *)w->pairs.data, r->n_environ, "REQUEST_URI");
    const char *method = find((mw_pair *)w->pairs.data, r->n_environ, "REQUEST_METHOD");
    copy(watch->group, sizeof watch->group, r->application_group);
    copy(watch->method, sizeof watch->method, method ? method : "");
    copy(watch->uri, sizeof watch->uri, uri ? uri : "");
    atomic_fetch_add(&watch->request, 1);
    atomic_store(&watch->since, since);
    mwd_note_activity(x, since);
    if (atomic_fetch_add(&mwd_this.started, 1) == 0)
        mwd_raise_event(MWD_EVENT_FIRST);
}

static void end(mwd_worker *w)
{
    atomic_store(&w->watch->since, 0);
    uint64_t finished = atomic_fetch_add(&mwd_this.finished, 1) + 1;
    if (mwd_options.maximum_requests && finished == mwd_options.maximum_requests)
        mwd_raise_event(MWD_EVENT_MAXIMUM_REQUESTS);
    if (atomic_load(&mwd_this.report_end))
        mwd_raise_event(MWD_EVENT_FINISHED);
}

bool mwd_serve_request(mwd_worker *w, mwd_connection *connection, unsigned char *payload, size_t n)
{
    request r;
    if (!parse(w, payload, n, &r)) {
        mwd_say(MW_LOG_ERR, "WSGI0080: closed a connection of Apache's: a request that makes no sense");
        return false;
    }
    atomic_fetch_add(&mwd_this.received, 1);
    mw_pair *pairs = (mw_pair *)w->pairs.data;
    const char *script = below_root(r.script), *resource = below_root(r.resource);
    if (!script) {
        mwd_say(MW_LOG_ERR, "WSGI0081: refused a request for script %s: it is not below the root directory %s of process group '%s'", r.script,
                mwd_options.chroot, mwd_options.process_group);
        give_permit_back(false);
        return false;
    }
    if (mwd_options.chroot)
        r.n_environ = strip_root(pairs, r.n_environ);
    mwd_exchange x = {
        .worker = w, .connection = connection, .ahead = r.window, .n_ahead = r.n_window, .complete = r.complete,
        .unnoticed = r.flags & MW_CALL_UNNOTICED, .log_level = (int)r.log_level,
    };
    begin(w, &r, &x);
    mw_call call = {
        .ops = &mwd_server_ops,
        .transport = &x,
        .application_group = r.application_group,
        .script = script,
        .callable = r.callable,
        .resource = resource ? resource : r.resource,
        .script_mtime = MW_MTIME_UNKNOWN,
        .content_length = r.content_length,
        .flags = (r.flags & (MW_CALL_RELOADING | MW_CALL_HTTPS)) | mwd_options.flags | MW_CALL_RESTART,
        .environ = pairs,
        .n_environ = r.n_environ,
        .request_start = seconds(r.start),
        .queue_start = seconds(r.queued),
        .daemon_start = now(),
        .daemon_connects = r.connects,
        .daemon_restarts = r.restarts,
    };
    uint64_t known = __atomic_load_n(&mw_applications_known, __ATOMIC_RELAXED);
    int outcome = mw_run(&call);
    if (known != __atomic_load_n(&mw_applications_known, __ATOMIC_RELAXED))
        mwd_raise_event(MWD_EVENT_LOADED);
    if (outcome == MW_ELSEWHERE)
        atomic_store(&mwd_this.left, 1);
    if (outcome == MW_AGAIN) {
        atomic_store(&mwd_options.slot->stale, mwd_options.serial);
        mwd_raise_event(MWD_EVENT_SCRIPT_CHANGED);
    }
    mwd_take_request(connection);
    give_permit_back(x.unnoticed); /* before the answer's end is sent: its client may be back at once */
    bool good = mwd_finish(&x, outcome);
    end(w);
    return good;
}
