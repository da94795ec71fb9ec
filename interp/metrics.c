/* Adding up what request threads have counted (meter.c), for metrics.py and for telemetry. In C because the counts are, and because it
 * makes Python objects; what the numbers mean is said elsewhere. */
#include "meter.h"

#include <string.h>
#include <sys/resource.h>

static const char *const phase_names[MW_PHASES] = {
    "server_time", "queue_time", "daemon_time", "application_time", "request_time", "input_read_time", "output_write_time", "gil_wait_time",
};

static void process_cpu(double *user, double *system)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    *user = used.ru_utime.tv_sec + used.ru_utime.tv_usec / 1e6;
    *system = used.ru_stime.tv_sec + used.ru_stime.tv_usec / 1e6;
}

/* ---- Recording and draining ---- */

/* Forgets what a meter has seen before somebody recorded. */
static void reset(mw_meter *m, int64_t now)
{
    pthread_mutex_lock(&m->lock);
    memset(&m->now, 0, sizeof m->now);
    m->now.since = now;
    m->cpu_left = 0;
    if (m->taken)
        m->cpu_before = mw_cpu_of(m->clock);
    pthread_mutex_unlock(&m->lock);
}

void mw_metrics_record(unsigned kind)
{
    mw_meters *all = &mw_all_meters;
    pthread_mutex_lock(&all->lock);
    if (!(mw_metering & MW_METER_RECORD)) {
        all->looked = mw_nanoseconds();
        process_cpu(&all->cpu_user, &all->cpu_system);
        for (mw_meter *m = all->first; m; m = m->next)
            reset(m, all->looked);
    }
    atomic_fetch_or(&mw_metering, kind);
    pthread_mutex_unlock(&all->lock);
}

static void add_phase(mw_phase *total, const mw_phase *p, bool first)
{
    total->sum += p->sum;
    if (first || p->shortest < total->shortest)
        total->shortest = p->shortest;
    if (first || p->longest > total->longest)
        total->longest = p->longest;
    for (size_t i = 0; i < MW_BUCKETS; i++)
        total->buckets[i] += p->buckets[i];
}

static void add_window(mw_window *total, const mw_window *w)
{
    bool first = total->recorded == 0;
    total->completed += w->completed;
    total->recorded += w->recorded;
    for (size_t i = 0; i < MW_PHASES && w->recorded > 0; i++)
        add_phase(&total->phases[i], &w->phases[i], first);
    total->gil_waits += w->gil_waits;
    total->input_bytes += w->input_bytes;
    total->input_reads += w->input_reads;
    total->output_bytes += w->output_bytes;
    total->output_writes += w->output_writes;
    for (size_t i = 0; i < MW_CLASSES; i++)
        total->classes[i] += w->classes[i];
}

/* Takes what a meter has in its window; its lock is held. */
static void drain(mw_meter *m, mw_sum *s, size_t slot, int64_t now)
{
    mw_window *w = &m->now;
    int64_t cpu = m->cpu_left, running = m->began ? now - (m->began > w->since ? m->began : w->since) : 0;
    if (m->taken) {
        int64_t used = mw_cpu_of(m->clock);
        cpu += used - m->cpu_before;
        m->cpu_before = used;
    }
    m->cpu_left = 0;
    int64_t busy = w->busy + (running > 0 ? running : 0);
    s->total.busy += busy;
    s->active += w->completed > 0 || m->began;
    s->requests += m->requests;
    add_window(&s->total, w);
    if (slot < s->slots)
        s->each[slot] = (mw_slot_sum){
            .completed = w->completed,
            .busy = mw_seconds(busy),
            .cpu = mw_seconds(cpu < busy ? cpu : busy), /* what the thread did for others between its requests is not known here */
            .elapsed = m->began ? mw_seconds(now - m->began) : 0,
            .longest = mw_seconds(w->longest),
        };
    memset(w, 0, sizeof *w);
    w->since = now;
}

mw_sum *mw_metrics_drain(void)
{
    mw_meters *all = &mw_all_meters;
    mw_sum *s = calloc(1, sizeof *s);
    if (!s || !(s->each = calloc(mw_this.options.threads_per_process + 1, sizeof *s->each))) {
        free(s);
        return NULL;
    }
    s->slots = mw_this.options.threads_per_process;
    pthread_mutex_lock(&all->lock);
    int64_t now = mw_nanoseconds();
    double user, system;
    process_cpu(&user, &system);
    s->now = mw_now();
    s->period = mw_seconds(now - all->looked);
    s->cpu_user = user - all->cpu_user;
    s->cpu_system = system - all->cpu_system;
    s->threads = all->threads;
    s->requests = all->requests;
    size_t slot = 0;
    for (mw_meter *m = all->first; m; m = m->next, slot++) {
        pthread_mutex_lock(&m->lock);
        drain(m, s, slot, now);
        pthread_mutex_unlock(&m->lock);
    }
    all->looked = now;
    all->cpu_user = user;
    all->cpu_system = system;
    all->busy += s->total.busy;
    pthread_mutex_unlock(&all->lock);
    return s;
}

void mw_sum_free(mw_sum *sum)
{
    if (sum)
        free(sum->each);
    free(sum);
}

/* ---- For metrics.py ---- */

/* False with RuntimeError in a forked copy: it has no requests, and may have been made while a lock was held. */
static bool may_look(void)
{
    if (!mw_is_forked_copy())
        return true;
    PyErr_SetString(PyExc_RuntimeError, "a forked copy of the server's process has no metrics");
    return false;
}

/* _record(): starts recording, unless that is left to telemetry. */
static PyObject *start_recording(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!may_look())
        return NULL;
    if (!mw_this.options.telemetry)
        mw_metrics_record(MW_METER_API);
    Py_RETURN_NONE;
}

PyMethodDef mw_record_method = {"_record", start_recording, METH_NOARGS, NULL};

static PyObject *list_of_doubles(const mw_slot_sum *slots, size_t n, size_t offset)
{
    PyObject *list = PyList_New(n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *value = PyFloat_FromDouble(*(const double *)((const char *)&slots[i] + offset));
        if (!value) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, value);
    }
    return list;
}

static PyObject *list_of_counts(const uint64_t *counts, size_t stride, const uint32_t *small, size_t n)
{
    PyObject *list = PyList_New(n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(counts ? *(const uint64_t *)((const char *)counts + i * stride) : small[i]);
        if (!value) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, value);
    }
    return list;
}

/* A new dict: name to (sum, shortest, longest, buckets), in seconds. */
static PyObject *phases_of(const mw_window *w)
{
    PyObject *phases = PyDict_New();
    for (size_t i = 0; phases && i < MW_PHASES; i++) {
        const mw_phase *p = &w->phases[i];
        PyObject *value = Py_BuildValue("(dddN)", p->sum, p->shortest, p->longest, list_of_counts(NULL, 0, p->buckets, MW_BUCKETS));
        if (!value || PyDict_SetItemString(phases, phase_names[i], value) < 0)
            Py_CLEAR(phases);
        Py_XDECREF(value);
    }
    return phases;
}

static PyObject *drained(const mw_sum *s)
{
    const mw_window *w = &s->total;
    const mw_slot_sum *each = s->each;
    return Py_BuildValue("{s:d,s:d,s:n,s:I,s:n,s:K,s:K,s:d,s:d,s:d,s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:K,s:K,s:K,s:K,s:K}", "now", s->now, "period", s->period,
        "maximum", (Py_ssize_t)s->slots, "started", s->threads, "active", (Py_ssize_t)s->active, "completed", (unsigned long long)w->completed,
        "recorded", (unsigned long long)w->recorded, "busy", mw_seconds(w->busy), "cpu_user", s->cpu_user, "cpu_system", s->cpu_system,
        "slots_completed", list_of_counts(&each->completed, sizeof *each, NULL, s->slots),
        "slots_busy", list_of_doubles(each, s->slots, offsetof(mw_slot_sum, busy)),
        "slots_cpu", list_of_doubles(each, s->slots, offsetof(mw_slot_sum, cpu)),
        "slots_elapsed", list_of_doubles(each, s->slots, offsetof(mw_slot_sum, elapsed)),
        "slots_longest", list_of_doubles(each, s->slots, offsetof(mw_slot_sum, longest)), "phases", phases_of(w),
        "classes", list_of_counts(w->classes, sizeof *w->classes, NULL, MW_CLASSES), "gil_waits", (unsigned long long)w->gil_waits,
        "input_bytes", (unsigned long long)w->input_bytes, "input_reads", (unsigned long long)w->input_reads,
        "output_bytes", (unsigned long long)w->output_bytes, "output_writes", (unsigned long long)w->output_writes);
}

/* _drain(): what has happened since the last call, a new dict; None if nothing is recorded for applications. */
static PyObject *drain_all(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!may_look())
        return NULL;
    if (!(mw_metering & MW_METER_API))
        Py_RETURN_NONE;
    mw_sum *s = mw_metrics_drain();
    PyObject *result = s ? drained(s) : PyErr_NoMemory();
    mw_sum_free(s);
    return result;
}

PyMethodDef mw_drain_method = {"_drain", drain_all, METH_NOARGS, NULL};

/* The request threads that live: a new list of (thread_id, requests). */
static PyObject *threads_of(unsigned *active, uint64_t *requests, int64_t *busy)
{
    mw_meters *all = &mw_all_meters;
    struct {
        unsigned id;
        uint64_t requests;
    } *found;
    size_t n = 0;
    pthread_mutex_lock(&all->lock);
    for (mw_meter *m = all->first; m; m = m->next)
        n++;
    found = calloc(n + 1, sizeof *found);
    n = 0;
    int64_t now = mw_nanoseconds();
    *requests = all->requests;
    *busy = all->busy;
    for (mw_meter *m = all->first; m && found; m = m->next) {
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
    pthread_mutex_unlock(&all->lock);
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
    if (!(mw_metering & MW_METER_API))
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
        "active", active, "busy", mw_seconds(busy), "cpu_user", user, "cpu_system", system, "threads", threads);
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
