/* Saying what went wrong: exceptions with their tracebacks, and our own WSGI#### failures. In C because it must work in forked copies and
 * because exceptions are CPython's; the words and the status are Go's. */
#include "python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const mw_call *call, const char *key)
{
    for (size_t i = 0; i < call->n_environ; i++)
        if (strcmp(call->environ[i].key, key) == 0 && call->environ[i].value)
            return call->environ[i].value;
    return "";
}

/* Which request it is: one whose client is gone is in no access log yet. */
static char *with_request(const mw_call *call, const char *text)
{
    enum { MOST = 1024 /* bytes of a URI */ };
    const char *method = variable(call, "REQUEST_METHOD"), *uri = variable(call, "REQUEST_URI");
    size_t size = strlen(text) + strlen(method) + strnlen(uri, MOST) + 5;
    char *record = call->transport && *method ? malloc(size) : NULL;
    if (record)
        snprintf(record, size, "%s (%s %.*s)", text, method, MOST, uri);
    return record;
}

int mw_fail(const mw_call *call, int code, const char *detail)
{
    int status = 500;
    char plain[256], *text = NULL;
    if (!call->transport && (code == 105 || code == 107 || code == 109))
        code++;
    if (!mw_is_forked_copy())
        text = goMwExplain(code, call->script, call->application_group, call->asked, detail, &status);
    if (!text)
        snprintf(plain, sizeof plain, "WSGI%04d: %.*s", code, detail ? (int)strcspn(detail, "\n") : 256, detail ? detail : "failed in a forked copy of the process");
    const char *record = text ? text : plain;
    char *complete = with_request(call, record);
    if (complete)
        record = complete;
    call->ops->log(call->transport, MW_LOG_ERR, NULL, record, strlen(record));
    if (call->why)
        snprintf(call->why, call->n_why, "%s", record);
    free(complete);
    free(text);
    return status;
}

void mw_log_outside(const mw_ops *ops, int level, const char *text)
{
    ops->log(NULL, level, NULL, text, strlen(text));
}

/* The traceback as a new str; NULL when even that fails. */
static PyObject *format(mw_request *request, PyObject *kind, PyObject *value, PyObject *traceback)
{
    PyObject *formatter = request->interp ? Py_XNewRef(request->interp->format_exception) : NULL, *text = NULL;
    if (formatter)
        text = PyObject_CallFunctionObjArgs(formatter, kind, value ? value : Py_None, traceback ? traceback : Py_None, NULL);
    else if (value)
        text = PyObject_Repr(value); /* an interpreter that is not set up yet */
    Py_XDECREF(formatter);
    return text;
}

int mw_fail_exception(mw_request *request, int code, int code_if_exit)
{
    PyObject *kind, *value, *traceback;
    if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
        code = code_if_exit;
        if (request->is_program) {
            PyErr_Clear();
            return 0;
        }
    }
    PyErr_Fetch(&kind, &value, &traceback);
    PyErr_NormalizeException(&kind, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);

    const char *name = kind && PyType_Check(kind) ? ((PyTypeObject *)kind)->tp_name : "exception";
    PyObject *text = kind ? format(request, kind, value, traceback) : NULL;
    if (!text)
        PyErr_Clear();
    Py_ssize_t n = 0;
    const char *lines = text ? PyUnicode_AsUTF8AndSize(text, &n) : NULL;
    if (text && !lines) { /* lone surrogates */
        PyErr_Clear();
        PyObject *escaped = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
        Py_SETREF(text, escaped);
        lines = escaped ? PyBytes_AS_STRING(escaped) : NULL;
        n = escaped ? PyBytes_GET_SIZE(escaped) : 0;
    }
    /* What Go explains it from: the type's name, and the traceback in the lines that follow. */
    size_t size = strlen(name) + n + 2;
    char *detail = malloc(size);
    if (detail)
        snprintf(detail, size, "%s\n%s", name, lines ? lines : "");
    int status;
    request->loggers++;
    Py_BEGIN_ALLOW_THREADS
    status = mw_fail(request->call, code, detail);
    if (lines)
        mw_log_lines(request->call->ops, request->call->transport, MW_LOG_ERR, NULL, lines, n);
    Py_END_ALLOW_THREADS
    request->loggers--;
    free(detail);
    Py_XDECREF(text);
    Py_XDECREF(kind);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyErr_Clear();
    return status;
}

/* _explain_refusal(module, text): logs that an extension module refuses this interpreter, if that is what the text of its exception
 * means. Called by bootstrap.py. */
static PyObject *explain_refusal(PyObject *self, PyObject *arguments)
{
    (void)self;
    const char *module, *exception;
    mw_interp *interp = mw_interp_current();
    if (!PyArg_ParseTuple(arguments, "ss", &module, &exception))
        return NULL;
    if (interp && !mw_is_forked_copy()) {
        Py_BEGIN_ALLOW_THREADS
        char *text = goMwRefused(module, exception, interp->group);
        if (text)
            mw_log_outside(mw_this.ops, MW_LOG_WARNING, text);
        free(text);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

PyMethodDef mw_explain_refusal_method = {"_explain_refusal", explain_refusal, METH_VARARGS, NULL};

/* _report(code, what): logs the exception that is being handled, in the server's log. */
static PyObject *report(PyObject *self, PyObject *arguments)
{
    (void)self;
    int code;
    const char *what;
    mw_interp *interp = mw_interp_current();
    if (!PyArg_ParseTuple(arguments, "is", &code, &what))
        return NULL;
    PyObject *kind, *value, *traceback;
    PyErr_GetExcInfo(&kind, &value, &traceback);
    if (!kind || kind == Py_None)
        Py_RETURN_NONE;
    mw_call call = {.ops = mw_this.ops, .application_group = interp->group, .script = what};
    mw_request request = {.call = &call, .interp = interp};
    PyErr_Restore(kind, value, traceback);
    mw_fail_exception(&request, code, code);
    Py_RETURN_NONE;
}

PyMethodDef mw_report_method = {"_report", report, METH_VARARGS, NULL};
