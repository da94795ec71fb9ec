/* What CPython before 3.12 gets wrong in a process with sub-interpreters: the simplified GIL API, and fork(). In C because it is CPython's
 * internals; apart because those headers ask for it. */
#include <patchlevel.h>
#if PY_VERSION_HEX < 0x030C0000
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_runtime.h>
#undef Py_BUILD_CORE
#else
#include <Python.h>
#endif

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

#if PY_VERSION_HEX < 0x030C0000
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
#endif

bool mw_gilstate_prepare_fork(void)
{
#if PY_VERSION_HEX < 0x030C0000
    return pthread_atfork(NULL, NULL, forget_sub_interpreters) == 0;
#else
    return true;
#endif
}
