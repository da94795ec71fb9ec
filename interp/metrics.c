/* Counting what request threads do, once an application has asked for it. In C because it is on the steady path; what the numbers mean is
 * metrics.py's.
 *
 * Each request thread has a meter with a lock of its own, which nobody else takes but who reads the numbers: it is as good as free. Meters
 * are never freed; that of a thread that has ended goes to the next new one. The lock of a meter is taken with or without a GIL
 * and held for a few instructions, never while something is waited for. */
#include "python.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PHASES = 8, BUCKETS = 65, CLASSES = 5 };
enum { SERVER, QUEUE, DAEMON, APPLICATION, REQUEST, INPUT_READ, OUTPUT_WRITE, GIL_WAIT };
static const char *const phase_names[PHASES] = {
    "server_time", "queue_time", "daemon_time", "application_time", "request_time", "input_read_time", "output_write_time", "gil_wait_time",
};

typedef struct phase {
    double sum, shortest, longest; /* seconds; the last two mean something if a request was recorded */
    uint32_t buckets[BUCKETS];
} phase;

/* What has happened since somebody last looked. Requests are recorded if they came as far as the application. */
typedef struct window {
    int64_t since;       /* nanoseconds of CLOCK_MONOTONIC */
    uint64_t completed, recorded;
    int64_t busy, longest; /* nanoseconds in requests: without the one that runs, and of the longest that was completed */
    phase phases[PHASES];
    uint64_t gil_waits, input_bytes, input_reads, output_bytes, output_writes, classes[CLASSES];
} window;

struct mw_meter {
    mw_meter *next;          /* in the order of their slots */
    pthread_mutex_t lock;    /* guards what follows */
    bool taken;              /* by a thread that lives */
    unsigned thread_id;      /* of it, mod_wsgi.thread_id */
    clockid_t clock;         /* its processor time, while it is taken */
    int64_t cpu_before;      /* nanoseconds: what was told of that */
    int64_t cpu_left;        /* and what threads have left behind that have ended */
    int64_t began;           /* the request that runs, nanoseconds of CLOCK_MONOTONIC; 0: none */
    uint64_t requests;       /* of this thread */
    window now;
};

atomic_bool mw_metering;

/* Guards the list, which only grows, and what is summed up. Taken before a meter's lock. */
static struct {
    pthread_mutex_t lock;
    mw_meter *_Atomic first;
    unsigned threads;            /* that have been given a meter so far */
    uint64_t requests;           /* of threads that have ended */
    int64_t busy;                /* of all, up to the last look; nanoseconds */
    int64_t looked;              /* when somebody last did, or recording began; nanoseconds of CLOCK_MONOTONIC */
    double cpu_user, cpu_system; /* of the process at the last look */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- On the steady path ---- */

static int64_t cpu_of(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec : 0;
}

/* A meter for the calling thread; NULL if out of memory. */
static mw_meter *take_meter(mw_thread *thread)
{
    pthread_mutex_lock(&all.lock);
    mw_meter *meter = all.first, *last = NULL;
    for (; meter && meter->taken; meter = meter->next)
        last = meter;
    if (!meter && (meter = calloc(1, sizeof *meter))) {
        pthread_mutex_init(&meter->lock, NULL);
        meter->now.since = all.looked;
        if (last)
            last->next = meter;
        else
            all.first = meter;
    }
    if (meter) {
        all.threads++;
        pthread_mutex_lock(&meter->lock);
        meter->taken = true;
        meter->thread_id = thread->number;
        if (pthread_getcpuclockid(pthread_self(), &meter->clock) != 0)
            meter->clock = CLOCK_THREAD_CPUTIME_ID;
        meter->cpu_before = cpu_of(meter->clock);
        pthread_mutex_unlock(&meter->lock);
    }
    pthread_mutex_unlock(&all.lock);
    return meter;
}

bool mw_meter_begin(mw_thread *thread)
{
    if (thread->depth > 0)
        return false; /* a request within another one's time */
    if (!thread->meter && !(thread->meter = take_meter(thread)))
        return false;
    pthread_mutex_lock(&thread->meter->lock);
    thread->meter->began = mw_nanoseconds();
    pthread_mutex_unlock(&thread->meter->lock);
    return true;
}

/* Sixteen octaves from a millisecond on, four buckets each. */
static unsigned bucket_of(double seconds)
{
    uint64_t quarters = (uint64_t)(seconds * 4000); /* of a millisecond */
    if (quarters < 4)
        return 0;
    unsigned octave = 61 - __builtin_clzll(quarters);
    return octave < 16 ? octave * 4 + (quarters >> octave & 3) : BUCKETS - 1;
}

static void record(window *w, int which, double seconds)
{
    phase *p = &w->phases[which];
    if (seconds < 0) /* the clock was set */
        seconds = 0;
    if (w->recorded == 1 || seconds < p->shortest)
        p->shortest = seconds;
    if (w->recorded == 1 || seconds > p->longest)
        p->longest = seconds;
    p->sum += seconds;
    p->buckets[bucket_of(seconds)]++;
}

static void record_request(window *w, const mw_request *r)
{
    const mw_call *c = r->call;
    const mw_measures *m = &r->measures;
    bool daemon = c->daemon_start > 0;
    double first = c->request_start, queued = daemon ? c->queue_start : r->application_start, taken = daemon ? c->daemon_start : r->application_start;
    w->recorded++;
    record(w, SERVER, queued - first);
    if (daemon) {
        record(w, QUEUE, taken - queued);
        record(w, DAEMON, r->application_start - taken);
    }
    record(w, APPLICATION, r->application_finish - r->application_start);
    record(w, REQUEST, r->application_finish - first);
    record(w, INPUT_READ, m->input_time / 1e9);
    record(w, OUTPUT_WRITE, m->output_time / 1e9);
    record(w, GIL_WAIT, m->gil_wait / 1e9);
    w->gil_waits += m->gil_waits;
    w->input_reads += m->input_reads;
    w->input_bytes += r->input_returned;
    w->output_writes += m->output_writes;
    w->output_bytes += m->output_bytes;
    if (r->final_status >= 100 && r->final_status < 600)
        w->classes[r->final_status / 100 - 1]++;
}

void mw_meter_end(mw_thread *thread, const mw_request *request, bool counts)
{
    mw_meter *m = thread->meter;
    window *w = &m->now;
    int64_t now = mw_nanoseconds();
    pthread_mutex_lock(&m->lock);
    if (counts) {
        w->completed++;
        m->requests++;
        w->busy += now - (m->began > w->since ? m->began : w->since);
        if (now - m->began > w->longest)
            w->longest = now - m->began;
        if (request->application_finish > 0)
            record_request(w, request);
    }
    m->began = 0;
    pthread_mutex_unlock(&m->lock);
}

void mw_meter_give_back(mw_meter *m)
{
    pthread_mutex_lock(&all.lock);
    pthread_mutex_lock(&m->lock);
    all.requests += m->requests;
    m->requests = 0;
    m->cpu_left += cpu_of(m->clock) - m->cpu_before;
    m->taken = false;
    pthread_mutex_unlock(&m->lock);
    pthread_mutex_unlock(&all.lock);
}

/* ---- For metrics.py ---- */

static void process_cpu(double *user, double *system)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    *user = used.ru_utime.tv_sec + used.ru_utime.tv_usec / 1e6;
    *system = used.ru_stime.tv_sec + used.ru_stime.tv_usec / 1e6;
}

/* False with RuntimeError in a forked copy: it has no requests, and may have been made while a lock was held. */
static bool may_look(void)
{
    if (!mw_is_forked_copy())
        return true;
    PyErr_SetString(PyExc_RuntimeError, "a forked copy of the server's process has no metrics");
    return false;
}

/* _record(): starts recording. */
static PyObject *start_recording(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!may_look())
        return NULL;
    pthread_mutex_lock(&all.lock);
    if (!mw_metering) {
        all.looked = mw_nanoseconds();
        process_cpu(&all.cpu_user, &all.cpu_system);
        mw_metering = true;
    }
    pthread_mutex_unlock(&all.lock);
    Py_RETURN_NONE;
}

PyMethodDef mw_record_method = {"_record", start_recording, METH_NOARGS, NULL};

/* Adds up the windows of all threads in the order of their slots. */
typedef struct sum {
    window total;
    size_t slots, active;
    uint64_t *completed;
    double *busy, *cpu, *elapsed, *longest; /* seconds */
} sum;

static double seconds(int64_t nanoseconds)
{
    return nanoseconds / 1e9;
}

static void add_phase(phase *total, const phase *p, bool first)
{
    total->sum += p->sum;
    if (first || p->shortest < total->shortest)
        total->shortest = p->shortest;
    if (first || p->longest > total->longest)
        total->longest = p->longest;
    for (size_t i = 0; i < BUCKETS; i++)
        total->buckets[i] += p->buckets[i];
}

static void add_window(window *total, const window *w)
{
    bool first = total->recorded == 0;
    total->completed += w->completed;
    total->recorded += w->recorded;
    for (size_t i = 0; i < PHASES && w->recorded > 0; i++)
        add_phase(&total->phases[i], &w->phases[i], first);
    total->gil_waits += w->gil_waits;
    total->input_bytes += w->input_bytes;
    total->input_reads += w->input_reads;
    total->output_bytes += w->output_bytes;
    total->output_writes += w->output_writes;
    for (size_t i = 0; i < CLASSES; i++)
        total->classes[i] += w->classes[i];
}

/* Takes what a meter has in its window; its lock is held. */
static void drain(mw_meter *m, sum *s, size_t slot, int64_t now)
{
    window *w = &m->now;
    int64_t cpu = m->cpu_left, running = m->began ? now - (m->began > w->since ? m->began : w->since) : 0;
    if (m->taken) {
        int64_t used = cpu_of(m->clock);
        cpu += used - m->cpu_before;
        m->cpu_before = used;
    }
    m->cpu_left = 0;
    int64_t busy = w->busy + (running > 0 ? running : 0);
    s->total.busy += busy;
    s->active += w->completed > 0 || m->began;
    add_window(&s->total, w);
    if (slot < s->slots) {
        s->completed[slot] = w->completed;
        s->busy[slot] = seconds(busy);
        s->cpu[slot] = seconds(cpu < busy ? cpu : busy); /* what the thread did for others between its requests is not known here */
        s->elapsed[slot] = m->began ? seconds(now - m->began) : 0;
        s->longest[slot] = seconds(w->longest);
    }
    memset(w, 0, sizeof *w);
    w->since = now;
}

static PyObject *list_of_doubles(const double *values, size_t n)
{
    PyObject *list = PyList_New(n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *value = PyFloat_FromDouble(values[i]);
        if (!value) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, value);
    }
    return list;
}

static PyObject *list_of_counts(const uint64_t *counts, const uint32_t *small, size_t n)
{
    PyObject *list = PyList_New(n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(counts ? counts[i] : small[i]);
        if (!value) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, value);
    }
    return list;
}

/* A new dict: name to (sum, shortest, longest, buckets), in seconds. */
static PyObject *phases_of(const window *w)
{
    PyObject *phases = PyDict_New();
    for (size_t i = 0; phases && i < PHASES; i++) {
        const phase *p = &w->phases[i];
        PyObject *value = Py_BuildValue("(dddN)", p->sum, p->shortest, p->longest, list_of_counts(NULL, p->buckets, BUCKETS));
        if (!value || PyDict_SetItemString(phases, phase_names[i], value) < 0)
            Py_CLEAR(phases);
        Py_XDECREF(value);
    }
    return phases;
}

static PyObject *drained(const sum *s, double period, unsigned threads, double cpu_user, double cpu_system)
{
    const window *w = &s->total;
    return Py_BuildValue("{s:d,s:d,s:n,s:I,s:n,s:K,s:K,s:d,s:d,s:d,s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:K,s:K,s:K,s:K,s:K}", "now", mw_now(), "period", period,
        "maximum", (Py_ssize_t)s->slots, "started", threads, "active", (Py_ssize_t)s->active, "completed", (unsigned long long)w->completed,
        "recorded", (unsigned long long)w->recorded, "busy", seconds(w->busy), "cpu_user", cpu_user, "cpu_system", cpu_system,
        "slots_completed", list_of_counts(s->completed, NULL, s->slots), "slots_busy", list_of_doubles(s->busy, s->slots),
        "slots_cpu", list_of_doubles(s->cpu, s->slots), "slots_elapsed", list_of_doubles(s->elapsed, s->slots),
        "slots_longest", list_of_doubles(s->longest, s->slots), "phases", phases_of(w),
        "classes", list_of_counts(w->classes, NULL, CLASSES), "gil_waits", (unsigned long long)w->gil_waits,
        "input_bytes", (unsigned long long)w->input_bytes, "input_reads", (unsigned long long)w->input_reads,
        "output_bytes", (unsigned long long)w->output_bytes, "output_writes", (unsigned long long)w->output_writes);
}

static bool make_room(sum *s, size_t slots)
{
    s->slots = slots;
    s->completed = calloc(slots + 1, sizeof *s->completed);
    double *room = s->busy = calloc(4 * slots + 1, sizeof *room);
    s->cpu = room + slots;
    s->elapsed = room + 2 * slots;
    s->longest = room + 3 * slots;
    return s->completed && room;
}

/* _drain(): what has happened since the last call, a new dict; None if nothing is recorded. */
static PyObject *drain_all(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!may_look())
        return NULL;
    if (!mw_metering)
        Py_RETURN_NONE;
    sum *s = calloc(1, sizeof *s);
    PyObject *result = NULL;
    if (s && make_room(s, mw_this.options.threads_per_process)) {
        double user, system;
        pthread_mutex_lock(&all.lock);
        int64_t now = mw_nanoseconds();
        double period = seconds(now - all.looked);
        process_cpu(&user, &system);
        size_t slot = 0;
        for (mw_meter *m = all.first; m; m = m->next, slot++) {
            pthread_mutex_lock(&m->lock);
            drain(m, s, slot, now);
            pthread_mutex_unlock(&m->lock);
        }
        double user_before = all.cpu_user, system_before = all.cpu_system;
        unsigned threads = all.threads;
        all.looked = now;
        all.cpu_user = user;
        all.cpu_system = system;
        all.busy += s->total.busy;
        pthread_mutex_unlock(&all.lock);
        result = drained(s, period, threads, user - user_before, system - system_before);
    } else {
        PyErr_NoMemory();
    }
    if (s) {
        free(s->completed);
        free(s->busy);
    }
    free(s);
    return result;
}

PyMethodDef mw_drain_method = {"_drain", drain_all, METH_NOARGS, NULL};

/* The request threads that live: a new list of (thread_id, requests). all.lock is held by nobody. */
static PyObject *threads_of(unsigned *active, uint64_t *requests, int64_t *busy)
{
    struct {
        unsigned id;
        uint64_t requests;
    } *found;
    size_t n = 0;
    pthread_mutex_lock(&all.lock);
    for (mw_meter *m = all.first; m; m = m->next)
        n++;
    found = calloc(n + 1, sizeof *found);
    n = 0;
    int64_t now = mw_nanoseconds();
    *requests = all.requests;
    *busy = all.busy;
    for (mw_meter *m = all.first; m && found; m = m->next) {
        pthread_mutex_lock(&m->lock);
        if (m->taken) {
            found[n].id = m->thread_id;
            found[n++].requests = m->requests;
        }
        *requests += m->requests;
        *active += m->began != 0;
        *busy += m->now.busy + (m->began ? now - (m->began > m->now.since ? m->began : m->now.since) : 0);
        pthread_mutex_unlock(&m->lock);
    }
    pthread_mutex_unlock(&all.lock);
    PyObject *list = found ? PyList_New(n) : PyErr_NoMemory();
    for (size_t i = 0; list && i < n; i++) {
        PyObject *thread = Py_BuildValue("(IK)", found[i].id, (unsigned long long)found[i].requests);
        if (!thread)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, thread);
    }
    free(found);
    return list;
}

/* _totals(): what has happened since recording began, a new dict; None if nothing is recorded. */
static PyObject *totals(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!may_look())
        return NULL;
    if (!mw_metering)
        Py_RETURN_NONE;
    double user, system;
    uint64_t requests = 0;
    unsigned active = 0;
    int64_t busy = 0;
    process_cpu(&user, &system);
    PyObject *threads = threads_of(&active, &requests, &busy);
    if (!threads)
        return NULL;
    return Py_BuildValue("{s:d,s:d,s:K,s:I,s:d,s:d,s:d,s:N}", "now", mw_now(), "started", mw_this.started, "requests", (unsigned long long)requests,
        "active", active, "busy", seconds(busy), "cpu_user", user, "cpu_system", system, "threads", threads);
}

PyMethodDef mw_totals_method = {"_totals", totals, METH_NOARGS, NULL};

/* _server(): JSON, or None. */
static PyObject *server(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!may_look())
        return NULL;
    size_t n = 0;
    char *text;
    Py_BEGIN_ALLOW_THREADS
    text = goMwServerMetrics(&n);
    Py_END_ALLOW_THREADS
    PyObject *result = text ? PyBytes_FromStringAndSize(text, n) : Py_NewRef(Py_None);
    free(text);
    return result;
}

PyMethodDef mw_server_method = {"_server", server, METH_NOARGS, NULL};
