/* Scripts that no request asks for: those of WSGIImportScript, aliases that are loaded in advance, and the program of a process that takes no
 * requests. In C because it runs application code, which may fork: no Go may be below it on the stack but the call itself. */
#include "python.h"

#include <signal.h>

bool mw_import_script(const char *script, const char *application_group, bool is_program)
{
    /* Without a transport records go to the server's log. */
    mw_call call = {.ops = mw_this.ops, .application_group = application_group, .script = script, .resource = script,
                    .script_mtime = MW_MTIME_UNKNOWN, .content_length = -1};
    mw_request request = {.call = &call, .thread = mw_thread_self(), .is_program = is_program, .declared = -1};
    int code = 40, status;
    if (!mw_this.running || !request.thread || !(request.interp = mw_interp_get(application_group, &code)) ||
        !mw_enter(request.interp, request.thread)) {
        mw_fail(&call, 40, NULL);
        return false;
    }
    PyObject *dict = mw_script_dict(&request, &status);
    bool loaded = dict != NULL;
    Py_XDECREF(dict);
    mw_end_forked_copy();
    mw_leave();
    return loaded;
}

static atomic_bool told_to_exit;

bool mw_told_to_exit(void)
{
    return atomic_load(&told_to_exit);
}

/* The handler of SIGTERM. Works in a forked copy: it ends what runs there, as in the process itself. */
static PyObject *raise_exit(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    atomic_store(&told_to_exit, true);
    PyErr_SetNone(PyExc_SystemExit);
    return NULL;
}

static PyMethodDef exit_method = {"exit", raise_exit, METH_VARARGS, NULL};

bool mw_exit_on_sigterm(void)
{
    int code;
    mw_thread *thread = mw_thread_self();
    mw_interp *interp = mw_this.running && thread ? mw_interp_get("", &code) : NULL;
    if (!interp || !mw_enter(interp, thread))
        return false;
    PyObject *signal = PyImport_ImportModule("signal"), *handler = PyCFunction_New(&exit_method, NULL);
    PyObject *done = signal && handler ? PyObject_CallMethod(signal, "signal", "iO", SIGTERM, handler) : NULL;
    bool ok = done != NULL;
    if (!ok) {
        mw_call call = {.ops = mw_this.ops, .application_group = ""};
        mw_request request = {.call = &call, .interp = interp};
        mw_fail_exception(&request, 90, 90);
    }
    Py_XDECREF(done);
    Py_XDECREF(handler);
    Py_XDECREF(signal);
    mw_leave();
    return ok;
}
