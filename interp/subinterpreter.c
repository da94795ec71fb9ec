/* Making a sub-interpreter with the GIL that the configuration gives it. In C because it is CPython's structs, and those of each release
 * differ.
 *
 * With a GIL of its own an interpreter shares nothing with the others that is counted or changes: whatever the gateway keeps for it is
 * in its mw_interp and made while its GIL is held, and a request's objects never leave its interpreter. */
#include "python.h"

#include <stdlib.h>

void mw_interp_options_clear(mw_interp_options *options)
{
    for (size_t i = 0; i < options->n_python_path; i++)
        free(options->python_path[i]);
    free(options->python_path);
    free(options->warning);
    *options = (mw_interp_options){0};
}

#if PY_VERSION_HEX >= 0x030C0000

PyThreadState *mw_subinterpreter_new(const mw_interp_options *options)
{
    int own = options->own_gil;
    /* What applications do at all they may do here too: "isolated" is about sharing only. Extensions that can't have several GILs
     * refuse to be imported then, and CPython demands allocators of its own. */
    PyInterpreterConfig config = {
        .use_main_obmalloc = !own,
        .allow_fork = 1,
        .allow_exec = 1,
        .allow_threads = 1,
        .allow_daemon_threads = 1,
        .check_multi_interp_extensions = own,
        .gil = own ? PyInterpreterConfig_OWN_GIL : PyInterpreterConfig_SHARED_GIL,
    };
    /* Without a thread state the caller holds no GIL, whether the new interpreter has its own or not, and whether this succeeds or not. */
    PyThreadState *before = PyThreadState_Swap(NULL), *state = NULL;
    PyStatus status = Py_NewInterpreterFromConfig(&state, &config);
    if (!PyStatus_Exception(status))
        return state;
    PyThreadState_Swap(before);
    PyErr_SetString(PyExc_RuntimeError, status.err_msg ? status.err_msg : "CPython could not make the interpreter");
    return NULL;
}

#else

PyThreadState *mw_subinterpreter_new(const mw_interp_options *options)
{
    (void)options; /* there is one GIL */
    PyThreadState *state = Py_NewInterpreter();
    if (!state && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "CPython could not make the interpreter");
    return state;
}

#endif

bool mw_switch_interval_set(double seconds)
{
    PyObject *set = PySys_GetObject("setswitchinterval"), *done; /* borrowed */
    if (!set || !(done = PyObject_CallFunction(set, "d", seconds)))
        return false;
    Py_DECREF(done);
    return true;
}

double mw_switch_interval(void)
{
    mw_thread *thread = mw_this.running ? mw_thread_self() : NULL;
    mw_interp *interp = thread ? mw_interp_known("") : NULL;
    if (!interp || !mw_enter(interp, thread))
        return 0;
    PyObject *get = PySys_GetObject("getswitchinterval"), *value = get ? PyObject_CallNoArgs(get) : NULL; /* get is borrowed */
    double seconds = value ? PyFloat_AsDouble(value) : 0;
    PyErr_Clear();
    Py_XDECREF(value);
    mw_leave();
    return seconds > 0 ? seconds : 0;
}
