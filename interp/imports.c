/* Scripts that no request asks for: those of WSGIImportScript, aliases that are loaded in advance, and the program of a process that takes no
 * requests. In C because it runs application code, which may fork: no Go may be below it on the stack but the call itself. */
#include "python.h"

#include <signal.h>
#include <string.h>

/* Looks for the callable of the call in its script, and notes that it is there. GIL held. */
static bool has(mw_request *request, PyObject *dict)
{
    PyObject *name = mw_key(request->interp, request->call->callable);
    bool found = name && PyDict_GetItemWithError(dict, name);
    Py_XDECREF(name);
    PyErr_Clear();
    if (found)
        mw_note_application(request->interp, request->script, request->call->callable);
    return found;
}

/* Loads the script of the call, whose callable has to be there unless it is "". */
static bool load(mw_call *call, bool is_program)
{
    mw_request request = {.call = call, .thread = mw_thread_self(), .is_program = is_program, .declared = -1};
    int code = 40, status;
    if (!mw_this.running || !request.thread || !(request.interp = mw_interp_get(call->application_group, &code)) ||
        !mw_enter(request.interp, request.thread)) {
        mw_fail(call, 40, NULL);
        return false;
    }
    PyObject *dict = mw_script_dict(&request, &status);
    bool loaded = dict != NULL, callable = loaded && (!*call->callable || has(&request, dict));
    Py_XDECREF(dict);
    mw_end_forked_copy();
    mw_leave();
    if (loaded && !callable)
        mw_fail(call, 89, call->callable);
    return callable;
}

/* Without a transport records go to the server's log. */
static mw_call call_for(const char *script, const char *application_group, const char *callable)
{
    return (mw_call){.ops = mw_this.ops, .application_group = application_group, .script = script, .callable = callable, .resource = script,
                     .script_mtime = MW_MTIME_UNKNOWN, .content_length = -1};
}

bool mw_import_script(const char *script, const char *application_group, bool is_program)
{
    mw_call call = call_for(script, application_group, "");
    return load(&call, is_program);
}

static void log_nothing(void *transport, int level, const mw_origin *origin, const char *text, size_t n)
{
    (void)transport, (void)level, (void)origin, (void)text, (void)n;
}

char *mw_load_application(const char *script, const char *application_group, const char *callable, bool quiet)
{
    char why[1024] = "";
    mw_ops silent = *mw_this.ops;
    silent.log = log_nothing;
    mw_call call = call_for(script, application_group, callable);
    call.why = why;
    call.n_why = sizeof why;
    if (quiet)
        call.ops = &silent;
    return load(&call, false) ? NULL : strdup(why);
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
