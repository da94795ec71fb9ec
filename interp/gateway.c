/* Running one request: the steady path (PEP 3333, The Server/Gateway Side). Makes no call into Go unless something is missing or fails. */
#include "python.h"

#include <time.h>
#include <unistd.h>

static void pause_without_gil(void)
{
    struct timespec a_little = {0, 1000000};
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&a_little, NULL);
    Py_END_ALLOW_THREADS
}

bool mw_io_begin(mw_request *request)
{
    mw_end_forked_copy();
    request->waiting++;
    while (request->busy && !request->over)
        pause_without_gil();
    bool over = request->over;
    request->busy = request->busy || !over;
    request->waiting--; /* last: nothing keeps the request from now on if it is over */
    if (over)
        PyErr_SetString(PyExc_RuntimeError, "the request was over before its turn came");
    return !over;
}

void mw_io_end(mw_request *request)
{
    request->busy = false;
}

bool mw_io_allowed(void)
{
    if (!mw_is_forked_copy())
        return true;
    PyErr_SetString(PyExc_RuntimeError, "a forked copy of the server's process can't read from or write to the client");
    return false;
}

void mw_end_forked_copy(void)
{
    if (!mw_is_forked_copy())
        return;
    int status = PyErr_Occurred() ? 1 : 0;
    if (status && PyErr_ExceptionMatches(PyExc_SystemExit)) {
        PyObject *kind, *value, *traceback;
        PyErr_Fetch(&kind, &value, &traceback);
        PyErr_NormalizeException(&kind, &value, &traceback);
        PyObject *code = value ? PyObject_GetAttrString(value, "code") : NULL;
        status = code == Py_None ? 0 : code && PyLong_Check(code) ? (int)PyLong_AsLong(code) : 1;
        if (code && code != Py_None && !PyLong_Check(code)) /* as Python does at the end of a program */
            PySys_FormatStderr("%S\n", code);
    } else if (status) {
        PyErr_Print();
    }
    _exit(status);
}

/* Logs the pending exception, which the application has raised, and tells its subscribers. Returns the status. */
static int explain(mw_request *request)
{
    if (!mw_events_wanted(request->interp))
        return mw_fail_exception(request, 174, 175);
    PyObject *kind, *value, *traceback;
    PyErr_Fetch(&kind, &value, &traceback);
    PyErr_NormalizeException(&kind, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    PyErr_Restore(Py_XNewRef(kind), Py_XNewRef(value), Py_XNewRef(traceback));
    int status = mw_fail_exception(request, 174, 175);
    if (kind)
        mw_publish_request_exception(request, kind, value, traceback);
    Py_XDECREF(kind);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return status;
}

/* The same; the status for the client: of the failure if nothing went out yet, otherwise MW_CUT. */
static int failed(mw_request *request)
{
    mw_end_forked_copy();
    if (PyErr_ExceptionMatches(request->interp->request_timeout)) {
        PyErr_Clear();
        mw_io_begin(request); /* this is the request's own thread: it can't be over */
        bool cut = request->committed;
        if (!cut)
            request->call->ops->begin(request->call->transport, 504, "504 Gateway Timeout");
        request->committed = request->timed_out = true;
        mw_io_end(request);
        request->loggers++;
        Py_BEGIN_ALLOW_THREADS
        mw_fail(request->call, 316, NULL);
        Py_END_ALLOW_THREADS
        request->loggers--;
        return cut ? MW_CUT : MW_ANSWERED;
    }
    int status = explain(request);
    return request->committed ? MW_CUT : status;
}

/* Calls close() of what the application returned; its failure is logged and changes nothing. */
static void close_result(mw_request *request, PyObject *result)
{
    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        return;
    PyObject *close = PyObject_GetAttr(result, request->interp->names.close);
    if (!close) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            mw_fail_exception(request, 194, 194);
        PyErr_Clear();
        return;
    }
    PyObject *closed = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    Py_XDECREF(closed);
    mw_end_forked_copy();
    if (!closed && PyErr_ExceptionMatches(request->interp->request_timeout))
        PyErr_Clear();
    else if (!closed)
        explain(request);
}

/* Calls the application and sends its answer. */
static int call_application(mw_request *request, PyObject *application, PyObject *environ)
{
    PyObject *start_response = mw_adapter_start_response(request->adapter), *result = NULL;
    if (start_response) {
        PyObject *arguments[] = {NULL, environ, start_response};
        result = PyObject_Vectorcall(application, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        Py_DECREF(start_response);
    }
    if (!result)
        return failed(request);
    int status = MW_ANSWERED;
    if (mw_send_result(request, result) < 0)
        status = failed(request);
    close_result(request, result);
    Py_DECREF(result);
    return status;
}

/* The status that the request is remembered with. */
static int final_status(const mw_request *request, int result)
{
    if (request->timed_out)
        return 504;
    if (result > 0 || !request->status)
        return result > 0 ? result : 500;
    const char *line = (char *)PyUnicode_1BYTE_DATA(request->status);
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* Notes how the call of the application ended, and tells who listens. */
static void finish(mw_request *request, int result)
{
    if (!request->metered && !request->measures.on && !mw_events_wanted(request->interp)) /* it may just have subscribed */
        return;
    request->application_finish = mw_now();
    request->final_status = final_status(request, result);
    request->input_returned = mw_input_returned(request->input);
    mw_publish_request_finished(request);
}

void mw_request_expire(mw_request *request, PyObject *errors)
{
    request->thread->request = NULL;
    request->over = true;
    if (request->adapter)
        mw_adapter_expire(request->adapter);
    if (request->input)
        mw_input_expire(request->input);
    if (request->log)
        mw_log_expire(request->log);
    while (request->busy || request->waiting > 0 || request->loggers > 0)
        pause_without_gil();
    Py_XDECREF((PyObject *)request->adapter);
    Py_XDECREF((PyObject *)request->input);
    Py_XDECREF(errors);
    Py_XDECREF((PyObject *)request->log);
    Py_XDECREF(request->status);
    Py_XDECREF(request->headers);
}

static int run(mw_request *request)
{
    int status;
    PyObject *dict = mw_script_dict(request, &status);
    if (!dict)
        return status;
    mw_interp *interp = request->interp;
    PyObject *name = mw_key(interp, request->call->callable);
    PyObject *application = name ? Py_XNewRef(PyDict_GetItemWithError(dict, name)) : NULL;
    Py_XDECREF(name);
    Py_DECREF(dict);
    if (!application) {
        PyErr_Clear();
        Py_BEGIN_ALLOW_THREADS
        status = mw_fail(request->call, 89, request->call->callable);
        Py_END_ALLOW_THREADS
        return status;
    }
    mw_note_application(interp, request->script, request->call->callable);
    PyObject *errors = NULL, *environ = NULL;
    if ((request->adapter = mw_adapter_new(request)) && (request->input = mw_input_new(request)) &&
        (request->log = mw_log_new(interp, "<wsgi.errors>", request)) && (errors = mw_log_text(interp, request->log)) &&
        (environ = mw_environ_new(request, errors))) {
        request->thread->request = request;
        bool observed = mw_events_wanted(interp);
        request->measures.on = request->measures.on || observed;
        request->cpu_known = observed && mw_cpu_now(&request->cpu_start);
        if (request->metered)
            mw_meter_application(request);
        mw_about_to_run(request->call);
        status = mw_publish_request_started(request, &application, environ) ? call_application(request, application, environ) : failed(request);
        finish(request, status);
    } else {
        status = failed(request);
    }
    Py_XDECREF(environ);
    Py_DECREF(application);
    mw_request_expire(request, errors);
    return status;
}

bool mw_request_enter(mw_request *request, int *code)
{
    mw_thread *thread = request->thread;
    request->outer = thread->request;
    request->outer_state = thread->depth > 0 ? mw_gilstate_state() : NULL;
    thread->depth++;
    thread->request = NULL; /* what the script writes while it is loaded must not go through an object of another interpreter */
    request->outer_serving = thread->serving;
    thread->serving = NULL;
    *code = 191;
    request->interp = mw_interp_get(request->call->application_group, code);
    int64_t began = request->measures.on ? mw_nanoseconds() : 0;
    if (!request->interp || !mw_enter(request->interp, thread)) {
        request->interp = NULL;
        return false;
    }
    if (began)
        mw_count_gil_wait(&request->measures, began);
    if (thread->depth == 1)
        mw_interrupt_forget();
    return true;
}

void mw_request_leave(mw_request *request)
{
    if (request->interp) {
        mw_end_forked_copy();
        mw_leave();
    }
    request->thread->depth--;
    request->thread->request = request->outer;
    request->thread->serving = request->outer_serving;
    if (request->outer_state)
        mw_gilstate_follow(request->outer_state);
}

/* What was kept until the GIL was released. */
static void write_pending(mw_request *request)
{
    const mw_call *call = request->call;
    const char *reason;
    int64_t began = request->measures.on ? mw_nanoseconds() : 0;
    request->gone = call->ops->write(call->transport, request->thread->output, request->pending, 0, &reason) < 0;
    if (began)
        request->measures.output_time += mw_nanoseconds() - began;
}

int mw_run(mw_call *call)
{
    if (!mw_this.running)
        return mw_fail(call, 210, NULL);
    mw_thread *thread = mw_thread_self();
    if (!thread)
        return mw_fail(call, 191, NULL);
    mw_request request = {.call = call, .thread = thread, .declared = -1};
    if (mw_metering)
        mw_meter_begin(&request);
    int code, status;
    if (mw_request_enter(&request, &code)) {
        mw_request_begin(&request);
        status = run(&request);
        mw_request_end(&request);
    } else {
        status = mw_fail(call, code, NULL);
    }
    mw_request_leave(&request);
    if (request.pending > 0)
        write_pending(&request);
    if (request.buffered)
        thread->output_in_use = false;
    if (request.metered)
        mw_meter_end(&request, status);
    if (status > 0 && request.committed) /* by a thread of the application's, after the failure */
        status = MW_CUT;
    if (status == MW_ANSWERED && !request.gone && request.sent < request.declared)
        return MW_SHORT;
    return request.gone && status == MW_CUT ? MW_ANSWERED : status;
}
