/* What Python's garbage collectors do, one for each interpreter. In C because it visits them; what it asks of each, Python says best. An exception
 * means that nothing is known of that interpreter. */
#include "python.h"

#include <stdlib.h>
#include <string.h>

typedef struct collection {
    const char *source;
    size_t room;  /* interpreters */
    char *text;
    size_t n;
} collection;

/* The function look() of this interpreter: a new reference, or NULL with an exception. GIL held. */
static PyObject *looker(mw_interp *interp, const char *source)
{
    if (interp->collections)
        return Py_NewRef(interp->collections);
    PyObject *space = PyDict_New(), *done = NULL;
    PyObject *code = Py_CompileString(source, "<mod_wsgi collections>", Py_file_input);
    if (space && code && PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins()) == 0)
        done = PyEval_EvalCode(code, space, space);
    if (done)
        interp->collections = Py_XNewRef(PyDict_GetItemString(space, "look"));
    Py_XDECREF(done);
    Py_XDECREF(code);
    Py_XDECREF(space);
    return Py_XNewRef(interp->collections);
}

static void append(collection *all, const char *text, size_t n)
{
    char *grown = realloc(all->text, all->n + n + 1);
    if (!grown)
        return;
    memcpy(grown + all->n, text, n);
    grown[all->n += n] = '\0';
    all->text = grown;
}

static void visit(mw_interp *interp, void *context)
{
    collection *all = context;
    mw_thread *thread = mw_thread_self();
    if (all->room == 0 || !thread || !mw_enter(interp, thread))
        return;
    PyObject *look = looker(interp, all->source), *text = look ? PyObject_CallNoArgs(look) : NULL;
    Py_ssize_t n;
    const char *numbers = text ? PyUnicode_AsUTF8AndSize(text, &n) : NULL;
    if (numbers) {
        all->room--;
        append(all, interp->group, strlen(interp->group) + 1);
        append(all, numbers, n + 1);
    }
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(look);
    mw_leave();
}

char *mw_collections(const char *source, size_t most, size_t *n)
{
    collection all = {.source = source, .room = most};
    if (mw_this.running)
        mw_interp_each(visit, &all);
    *n = all.n;
    return all.text;
}
