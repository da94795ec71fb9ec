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

static PyThreadState *current_or_none(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* In the copy that fork() makes, before CPython's own PyOS_AfterFork_Child(): that destroys all interpreters but the main one, and waits
 * for ever for a lock that it holds itself; and it ends a copy that is not in the main interpreter with a fatal error. Nobody enters the
 * others there, so they are forgotten, and the one that forked is the copy's main interpreter. Only the copy's memory is written. */
static void keep_only_the_forking_interpreter(void)
{
    PyThreadState *thread = current_or_none(); /* none if a library forks without the GIL */
    PyInterpreterState *kept = thread ? thread->interp : _PyRuntime.interpreters.main;
    if (!kept)
        return;
    kept->next = NULL;
    _PyRuntime.interpreters.head = _PyRuntime.interpreters.main = _PyRuntime.gilstate.autoInterpreterState = kept;
}

bool mw_gilstate_prepare_fork(void)
{
    return pthread_atfork(NULL, NULL, keep_only_the_forking_interpreter) == 0;
}
