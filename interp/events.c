/* Events: calling what applications have subscribed. In C because it is on the way of every request, looks at its structs, and because what it
 * calls may fork: no Go may be below it on the stack.
 *
 * A payload is a new dict. Each callback gets it as keywords, which are copied; what it returns, if that is a dict, is merged into
 * it for the callbacks that follow. */
#include "python.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* ---- Calling ---- */

/* Logs the current exception, which a callback has raised, in the server's log. */
static void log_failure(mw_interp *interp, const char *event)
{
    mw_call call = {.ops = mw_this.ops, .application_group = interp->group, .script = event};
    mw_request request = {.call = &call, .interp = interp};
    mw_fail_exception(&request, 112, 190);
}

/* Calls one callback and merges what it returns. False with RequestTimeout, if that may end what goes on. */
static bool call(mw_interp *interp, PyObject *callback, const char *event, PyObject *name, PyObject *payload, bool may_end)
{
    PyObject *arguments[] = {NULL, name};
    PyObject *result = PyObject_VectorcallDict(callback, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, payload);
    mw_end_forked_copy();
    bool ok = result && (!PyDict_Check(result) || PyDict_Update(payload, result) == 0);
    Py_XDECREF(result);
    if (ok)
        return true;
    if (may_end && PyErr_ExceptionMatches(interp->request_timeout))
        return false;
    log_failure(interp, event);
    return true;
}

/* Calls what is in the list now. False as call(). */
static bool call_all(mw_interp *interp, PyObject *callbacks, const char *event, PyObject *payload, bool may_end)
{
    PyObject *snapshot = PyList_AsTuple(callbacks), *name = snapshot ? PyUnicode_InternFromString(event) : NULL;
    bool ok = true;
    for (Py_ssize_t i = 0; name && ok && i < PyTuple_GET_SIZE(snapshot); i++)
        ok = call(interp, PyTuple_GET_ITEM(snapshot, i), event, name, payload, may_end);
    if (!name)
        log_failure(interp, event);
    Py_XDECREF(name);
    Py_XDECREF(snapshot);
    return ok;
}

/* ---- Payloads ---- */

/* Adds to a payload; consumes the value. A NULL value (an exception is set) or an earlier failure fails. */
static bool add(mw_interp *interp, PyObject *payload, const char *key, PyObject *value)
{
    PyObject *name = value ? mw_key(interp, key) : NULL;
    int failed = !name || PyDict_SetItem(payload, name, value) < 0;
    Py_XDECREF(name);
    Py_XDECREF(value);
    return !failed;
}

static bool add_text(mw_interp *interp, PyObject *payload, const char *key, const char *text)
{
    return add(interp, payload, key, PyUnicode_DecodeLatin1(text, strlen(text), NULL));
}

static bool add_time(mw_interp *interp, PyObject *payload, const char *key, double seconds)
{
    return add(interp, payload, key, PyFloat_FromDouble(seconds));
}

static bool add_count(mw_interp *interp, PyObject *payload, const char *key, uint64_t count)
{
    return add(interp, payload, key, PyLong_FromUnsignedLongLong(count));
}

/* What every event of a request has: a new dict, or NULL after having logged why. */
static PyObject *payload_of(mw_request *request, const char *event)
{
    mw_interp *interp = request->interp;
    PyObject *payload = PyDict_New();
    const char *id = mw_request_variable(request, "mod_wsgi.request_id");
    if (payload && (!id || add_text(interp, payload, "request_id", id)) && add(interp, payload, "request_data", Py_XNewRef(mw_request_data(request))))
        return payload;
    Py_XDECREF(payload);
    log_failure(interp, event);
    return NULL;
}

/* Calls the subscribers with a payload that was filled if `filled`, and lets go of it. False as call(). */
static bool publish(mw_request *request, const char *event, PyObject *payload, bool filled, bool may_end)
{
    bool ok = true;
    if (filled)
        ok = call_all(request->interp, request->interp->event_callbacks, event, payload, may_end);
    else
        log_failure(request->interp, event);
    Py_DECREF(payload);
    return ok;
}

static bool add_thread(mw_request *request, PyObject *payload)
{
    const char *pid = mw_request_variable(request, "mod_wsgi.server_pid");
    return add_count(request->interp, payload, "thread_id", request->thread->number) &&
        add_count(request->interp, payload, "server_pid", pid ? strtoul(pid, NULL, 10) : 0);
}

static bool add_way(mw_request *request, PyObject *payload)
{
    const mw_call *c = request->call;
    return add_time(request->interp, payload, "request_start", c->request_start) && add_time(request->interp, payload, "queue_start", c->queue_start) &&
        add_time(request->interp, payload, "daemon_start", c->daemon_start);
}

/* ---- The events of a request ---- */

bool mw_publish_request_started(mw_request *request, PyObject **application, PyObject *environ)
{
    static const char event[] = "request_started";
    mw_interp *interp = request->interp;
    const mw_call *c = request->call;
    PyObject *payload = mw_events_wanted(interp) ? payload_of(request, event) : NULL;
    if (!payload)
        return true;
    bool filled = add_thread(request, payload) && add_way(request, payload) && add_count(interp, payload, "daemon_connects", c->daemon_connects) &&
        add_count(interp, payload, "daemon_restarts", c->daemon_restarts) &&
        add_time(interp, payload, "application_start", request->application_start) &&
        add(interp, payload, "application_object", Py_NewRef(*application)) && add_text(interp, payload, "callable_object", c->callable) &&
        add(interp, payload, "request_environ", Py_NewRef(environ));
    Py_INCREF(payload);
    bool ok = publish(request, event, payload, filled, true);
    PyObject *chosen = ok ? PyDict_GetItemString(payload, "application_object") : NULL; /* borrowed */
    if (chosen)
        Py_SETREF(*application, Py_NewRef(chosen));
    Py_DECREF(payload);
    return ok;
}

bool mw_publish_response_started(mw_request *request, PyObject *status, PyObject *headers, PyObject *exc_info)
{
    static const char event[] = "response_started";
    mw_interp *interp = request->interp;
    PyObject *payload = mw_events_wanted(interp) ? payload_of(request, event) : NULL;
    if (!payload)
        return true;
    return publish(request, event, payload, add(interp, payload, "response_status", Py_NewRef(status)) &&
                       add(interp, payload, "response_headers", Py_NewRef(headers)) &&
                       add(interp, payload, "exception_info", Py_NewRef(exc_info)), true);
}

void mw_publish_request_exception(mw_request *request, PyObject *kind, PyObject *value, PyObject *traceback)
{
    static const char event[] = "request_exception";
    PyObject *payload = payload_of(request, event);
    if (payload)
        publish(request, event, payload, add(request->interp, payload, "exception_info",
                PyTuple_Pack(3, kind, value ? value : Py_None, traceback ? traceback : Py_None)), false);
}

static bool add_transfers(mw_request *request, PyObject *payload)
{
    const mw_measures *m = &request->measures;
    mw_interp *interp = request->interp;
    return add_count(interp, payload, "input_reads", m->input_reads) &&
        add_count(interp, payload, "input_length", request->input_returned) &&
        add_time(interp, payload, "input_time", m->input_time / 1e9) && add_count(interp, payload, "output_writes", m->output_writes) &&
        add_count(interp, payload, "output_length", m->output_bytes) && add_time(interp, payload, "output_time", m->output_time / 1e9) &&
        add_time(interp, payload, "gil_wait_time", m->gil_wait / 1e9) && add_count(interp, payload, "gil_wait_count", m->gil_waits);
}

static bool add_cpu(mw_request *request, PyObject *payload)
{
    mw_cpu used;
    if (!request->cpu_known || !mw_cpu_now(&used))
        return true;
    double user = used.user - request->cpu_start.user, system = used.system - request->cpu_start.system;
    return add_time(request->interp, payload, "cpu_user_time", user) && add_time(request->interp, payload, "cpu_system_time", system) &&
        add_time(request->interp, payload, "cpu_time", user + system);
}

void mw_publish_request_finished(mw_request *request)
{
    static const char event[] = "request_finished";
    mw_interp *interp = request->interp;
    PyObject *payload = mw_events_wanted(interp) ? payload_of(request, event) : NULL;
    if (!payload)
        return;
    double took = request->application_finish - request->application_start;
    bool filled = add_thread(request, payload) && add_way(request, payload) && add_time(interp, payload, "application_finish", request->application_finish) &&
        add_time(interp, payload, "application_time", took > 0 ? took : 0) && add_transfers(request, payload) && add_cpu(request, payload) &&
        add_count(interp, payload, "status", request->final_status);
    publish(request, event, payload, filled, false);
}

bool mw_cpu_now(mw_cpu *cpu)
{
    struct rusage used;
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* has the kernel count up to now; getrusage() alone gives what it knew at the last switch */
    if (getrusage(RUSAGE_THREAD, &used) != 0)
        return false;
    cpu->user = used.ru_utime.tv_sec + used.ru_utime.tv_usec / 1e6;
    cpu->system = used.ru_stime.tv_sec + used.ru_stime.tv_usec / 1e6;
    return true;
}

/* ---- The events of a process ---- */

typedef struct news {
    const char *event;
    const char *reason;          /* of process_stopping */
    const char *signal;          /* of process_signal */
    int number;
} news;

static PyObject *payload_of_process(mw_interp *interp, const news *n)
{
    PyObject *payload = PyDict_New();
    if (payload && (n->reason ? add_text(interp, payload, "shutdown_reason", n->reason)
                              : add_text(interp, payload, "signame", n->signal) && add_count(interp, payload, "signum", n->number)))
        return payload;
    Py_XDECREF(payload);
    log_failure(interp, n->event);
    return NULL;
}

static void tell(mw_interp *interp, void *context)
{
    const news *n = context;
    mw_thread *thread = mw_thread_self();
    if (!thread || !mw_enter(interp, thread))
        return;
    PyObject *others = n->reason ? interp->shutdown_callbacks : interp->signal_callbacks;
    bool wanted = mw_events_wanted(interp) || PyList_GET_SIZE(others) > 0;
    PyObject *payload = wanted ? payload_of_process(interp, n) : NULL;
    if (payload) {
        call_all(interp, interp->event_callbacks, n->event, payload, false);
        call_all(interp, others, n->event, payload, false);
        Py_DECREF(payload);
    }
    mw_leave();
}

void mw_publish_process_stopping(const char *reason)
{
    static atomic_bool told;
    news n = {.event = "process_stopping", .reason = reason};
    if (mw_this.running && !atomic_exchange(&told, true))
        mw_interp_each(tell, &n);
}

void mw_publish_process_signal(const char *name, int number)
{
    news n = {.event = "process_signal", .signal = name, .number = number};
    if (mw_this.running)
        mw_interp_each(tell, &n);
}
