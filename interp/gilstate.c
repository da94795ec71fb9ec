/* What CPython gets wrong in a process with sub-interpreters: fork(), and before 3.12 the simplified GIL API. In C because it is CPython's
 * internals; apart because those headers ask for it. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_runtime.h>
#undef Py_BUILD_CORE

#include "python.h"

PyThreadState *mw_gilstate_state(void)
{
#if PY_VERSION_HEX < 0x030C0000
    return PyThread_tss_get(&_PyRuntime.gilstate.autoTSSkey);
#else
    return NULL;
#endif
}

void mw_gilstate_follow(PyThreadState *state)
{
#if PY_VERSION_HEX < 0x030C0000
    PyThread_tss_set(&_PyRuntime.gilstate.autoTSSkey, state);
#else
    (void)state;
#endif
}

/* In the copy that fork() makes, before CPython's own PyOS_AfterFork_Child(): that destroys all interpreters but the main one, and waits
 * for ever for a lock that it holds itself. Nobody enters them there, so they are forgotten. Only the copy's memory is written. */
static void forget_sub_interpreters(void)
{
    PyInterpreterState *main_state = _PyRuntime.interpreters.main;
    if (!main_state)
        return;
    main_state->next = NULL;
    _PyRuntime.interpreters.head = main_state;
}

bool mw_gilstate_prepare_fork(void)
{
    return pthread_atfork(NULL, NULL, forget_sub_interpreters) == 0;
}
