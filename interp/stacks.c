/* Where Python's threads are, for the log, before a process ends in which one is stuck. In C because it visits every interpreter; what it asks
 * of each, Python says best. Nothing here may be stopped by what the application has done to its modules: an exception means no stacks. */
#include "python.h"

#include <stdlib.h>
#include <string.h>

static const char source[] =
    "import sys, traceback\n"
    "def names():\n"
    "    threading = sys.modules.get('threading')\n"
    "    return {i: t.name for i, t in dict(getattr(threading, '_active', {})).items()}\n"
    "def stack(ident):\n"
    "    frame = sys._current_frames().get(ident)\n"
    "    if frame is not None:\n"
    "        return 'thread %d (%s):\\n%s' % (ident, names().get(ident, 'unnamed'), ''.join(traceback.format_stack(frame)))\n"
    "def stacks(mine):\n"
    "    return ''.join(stack(ident) or '' for ident in sys._current_frames() if ident != mine)\n";

/* Calls one of the functions above: a new str, or NULL without an exception. GIL held. */
static PyObject *ask(const char *function, unsigned long ident)
{
    PyObject *space = PyDict_New(), *result = NULL;
    PyObject *done = space && PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins()) == 0
                         ? PyRun_String(source, Py_file_input, space, space)
                         : NULL;
    PyObject *call = done ? PyDict_GetItemString(space, function) : NULL; /* borrowed */
    if (call)
        result = PyObject_CallFunction(call, "k", ident);
    if (space)
        PyDict_Clear(space); /* its functions refer to it */
    Py_XDECREF(done);
    Py_XDECREF(space);
    if (result && !PyUnicode_Check(result))
        Py_CLEAR(result);
    PyErr_Clear();
    return result;
}

/* A copy of a str for C, malloc'ed; consumes the reference, which may be NULL. GIL held. */
static char *text_of(PyObject *text)
{
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    char *copy = bytes ? strdup(PyBytes_AS_STRING(bytes)) : NULL;
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    PyErr_Clear();
    return copy;
}

char *mw_stack_of(unsigned long python_id)
{
    return text_of(ask("stack", python_id));
}

typedef struct collection {
    char *text;
    size_t n;
} collection;

static void append(collection *all, const char *text)
{
    size_t n = strlen(text);
    char *grown = realloc(all->text, all->n + n + 1);
    if (!grown)
        return;
    memcpy(grown + all->n, text, n + 1);
    all->text = grown;
    all->n += n;
}

static void collect(mw_interp *interp, void *context)
{
    mw_thread *thread = mw_thread_self();
    if (!thread || !mw_enter(interp, thread))
        return;
    char *text = text_of(ask("stacks", PyThread_get_thread_ident()));
    mw_leave();
    if (text && *text) {
        append(context, *interp->group ? "application group '" : "application group '%{GLOBAL}");
        append(context, interp->group);
        append(context, "':\n");
        append(context, text);
    }
    free(text);
}

char *mw_stacks(void)
{
    collection all = {NULL, 0};
    if (mw_this.running)
        mw_interp_each(collect, &all);
    return all.text;
}
