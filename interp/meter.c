/* Counting what request threads do, once somebody wants to know: an application (metrics.py), telemetry, or who looks for slow requests. In C
 * because it is on the steady path.
 *
 * Each request thread has a meter with a lock of its own, which nobody else takes but who reads the numbers: it is as good as free. */
#include "meter.h"

#include <string.h>
#include <time.h>

atomic_uint mw_metering;

mw_meters mw_all_meters = {.lock = PTHREAD_MUTEX_INITIALIZER};

int64_t mw_cpu_of(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec : 0;
}

/* A meter for the calling thread; NULL if out of memory. */
static mw_meter *take_meter(mw_thread *thread)
{
    mw_meters *all = &mw_all_meters;
    pthread_mutex_lock(&all->lock);
    mw_meter *meter = all->first, *last = NULL;
    for (; meter && meter->taken; meter = meter->next)
        last = meter;
    if (!meter && (meter = calloc(1, sizeof *meter))) {
        pthread_mutex_init(&meter->lock, NULL);
        pthread_cond_init(&meter->unpinned, NULL);
        meter->now.since = all->looked;
        if (last)
            last->next = meter;
        else
            all->first = meter;
    }
    if (meter) {
        all->threads++;
        pthread_mutex_lock(&meter->lock);
        meter->taken = true;
        meter->thread_id = thread->number;
        meter->python_id = PyThread_get_thread_ident();
        if (pthread_getcpuclockid(pthread_self(), &meter->clock) != 0)
            meter->clock = CLOCK_THREAD_CPUTIME_ID;
        meter->cpu_before = mw_cpu_of(meter->clock);
        pthread_mutex_unlock(&meter->lock);
    }
    pthread_mutex_unlock(&all->lock);
    return meter;
}

/* Seconds that the request has waited for this thread. */
static double waited(const mw_call *call)
{
    double seconds = (call->daemon_start > 0 ? call->daemon_start : mw_now()) - call->request_start;
    return call->request_start > 0 && seconds > 0 ? seconds : 0;
}

void mw_meter_begin(mw_request *request)
{
    enum { SLOW_TO_BE_TOLD = MW_METER_TELEMETRY | MW_METER_SLOW };
    mw_thread *thread = request->thread;
    unsigned wanted = mw_metering;
    if (thread->depth > 0) /* a request within another one's time */
        return;
    thread->counting = true;
    if (!thread->meter && !(thread->meter = take_meter(thread))) {
        thread->counting = false;
        return;
    }
    mw_meter *m = thread->meter;
    request->metered = wanted;
    request->measures.on = wanted & MW_METER_RECORD;
    uint64_t before = atomic_load(&mw_all_meters.finished), started = atomic_fetch_add(&mw_all_meters.started, 1) + 1;
    pthread_mutex_lock(&m->lock);
    m->began = mw_nanoseconds();
    m->number++;
    m->request = request;
    m->waited = wanted & MW_METER_SLOW ? waited(request->call) : 0;
    m->application_start = 0;
    m->active = started - before;
    m->cpu_known = (wanted & SLOW_TO_BE_TOLD) == SLOW_TO_BE_TOLD && mw_cpu_now(&m->cpu);
    pthread_mutex_unlock(&m->lock);
    thread->counting = false;
}

void mw_meter_application(mw_request *request)
{
    mw_meter *m = request->thread->meter;
    pthread_mutex_lock(&m->lock);
    m->application_start = request->application_start;
    pthread_mutex_unlock(&m->lock);
}

/* Sixteen octaves from a millisecond on, four buckets each. */
static unsigned bucket_of(double seconds)
{
    uint64_t quarters = (uint64_t)(seconds * 4000); /* of a millisecond */
    if (quarters < 4)
        return 0;
    unsigned octave = 61 - __builtin_clzll(quarters);
    return octave < 16 ? octave * 4 + (quarters >> octave & 3) : MW_BUCKETS - 1;
}

static void record(mw_window *w, int which, double seconds)
{
    mw_phase *p = &w->phases[which];
    if (seconds < 0) /* the clock was set */
        seconds = 0;
    if (w->recorded == 1 || seconds < p->shortest)
        p->shortest = seconds;
    if (w->recorded == 1 || seconds > p->longest)
        p->longest = seconds;
    p->sum += seconds;
    p->buckets[bucket_of(seconds)]++;
}

static void record_request(mw_window *w, const mw_request *r)
{
    const mw_call *c = r->call;
    const mw_measures *m = &r->measures;
    bool daemon = c->daemon_start > 0;
    double first = c->request_start, queued = daemon ? c->queue_start : r->application_start, taken = daemon ? c->daemon_start : r->application_start;
    w->recorded++;
    record(w, MW_SERVER_TIME, queued - first);
    if (daemon) {
        record(w, MW_QUEUE_TIME, taken - queued);
        record(w, MW_DAEMON_TIME, r->application_start - taken);
    }
    record(w, MW_APPLICATION_TIME, r->application_finish - r->application_start);
    record(w, MW_REQUEST_TIME, r->application_finish - first);
    record(w, MW_INPUT_TIME, mw_seconds(m->input_time));
    record(w, MW_OUTPUT_TIME, mw_seconds(m->output_time));
    record(w, MW_GIL_WAIT_TIME, mw_seconds(m->gil_wait));
    w->gil_waits += m->gil_waits;
    w->input_reads += m->input_reads;
    w->input_bytes += r->input_returned;
    w->output_writes += m->output_writes;
    w->output_bytes += m->output_bytes;
    if (r->final_status >= 100 && r->final_status < 600)
        w->classes[r->final_status / 100 - 1]++;
}

/* The meter's lock is held. */
static void count(mw_meter *m, const mw_request *request, int64_t now)
{
    mw_window *w = &m->now;
    w->completed++;
    m->requests++;
    w->busy += now - (m->began > w->since ? m->began : w->since);
    if (now - m->began > w->longest)
        w->longest = now - m->began;
    if (request->application_finish > 0)
        record_request(w, request);
}

void mw_meter_end(mw_request *request, int result)
{
    mw_meter *m = request->thread->meter;
    request->thread->counting = true;
    bool counts = result != MW_AGAIN && result != MW_ELSEWHERE; /* it is another process's request then */
    int64_t now = mw_nanoseconds();
    if (request->application_finish == 0)
        request->final_status = result > 0 ? result : 500;
    pthread_mutex_lock(&m->lock);
    m->number++; /* from here on nobody pins it */
    while (m->pins > 0)
        pthread_cond_wait(&m->unpinned, &m->lock);
    double elapsed = m->waited + mw_seconds(now - m->began);
    if (counts && request->metered & MW_METER_RECORD)
        count(m, request, now);
    m->began = 0;
    m->request = NULL;
    pthread_mutex_unlock(&m->lock);
    if (counts && request->metered & MW_METER_SLOW && elapsed >= mw_slow_limit)
        mw_slow_finished(m, request, elapsed);
    atomic_fetch_add(&mw_all_meters.finished, 1);
    request->thread->counting = false;
}

void mw_meter_give_back(mw_meter *m)
{
    mw_meters *all = &mw_all_meters;
    pthread_mutex_lock(&all->lock);
    pthread_mutex_lock(&m->lock);
    all->requests += m->requests;
    m->requests = 0;
    m->cpu_left += mw_cpu_of(m->clock) - m->cpu_before;
    m->taken = false;
    pthread_mutex_unlock(&m->lock);
    pthread_mutex_unlock(&all->lock);
}
