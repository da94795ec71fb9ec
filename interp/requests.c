/* Which requests an interpreter runs, and the scratchpad of each: mod_wsgi.request_data() and mod_wsgi.active_requests. In C because every
 * request passes here. Nothing is made before somebody asks for it. */
#include "python.h"

#include <string.h>

const char *mw_request_variable(const mw_request *request, const char *key)
{
    const mw_call *call = request->call;
    for (size_t i = call->n_environ; i-- > 0;) /* ours come last */
        if (strcmp(call->environ[i].key, key) == 0)
            return call->environ[i].value;
    return NULL;
}

/* A new str, or NULL with an exception. */
static PyObject *id_of(const mw_request *request)
{
    const char *id = mw_request_variable(request, "mod_wsgi.request_id");
    return PyUnicode_DecodeLatin1(id ? id : "", id ? strlen(id) : 0, NULL);
}

PyObject *mw_request_data(mw_request *request)
{
    if (!request->data)
        request->data = PyDict_New();
    return request->data;
}

/* Puts a request into the dict of those that run. False with an exception. */
static bool list(mw_request *request)
{
    PyObject *id = id_of(request), *data = mw_request_data(request);
    bool ok = id && data && PyDict_SetItem(request->interp->active_requests, id, data) == 0;
    Py_XDECREF(id);
    return ok;
}

void mw_request_begin(mw_request *request)
{
    mw_interp *interp = request->interp;
    request->thread->serving = request;
    request->next = interp->requests;
    if (request->next)
        request->next->previous = request;
    interp->requests = request;
    if (interp->active_requests && !list(request))
        PyErr_Clear(); /* an application that has put something odd into the dict must not lose its requests */
}

void mw_request_end(mw_request *request)
{
    mw_interp *interp = request->interp;
    if (interp->active_requests) {
        PyObject *id = id_of(request);
        if (!id || PyDict_DelItem(interp->active_requests, id) < 0)
            PyErr_Clear(); /* the application has taken it out */
        Py_XDECREF(id);
    }
    if (request->previous)
        request->previous->next = request->next;
    else
        interp->requests = request->next;
    if (request->next)
        request->next->previous = request->previous;
    request->thread->serving = NULL;
    Py_CLEAR(request->data); /* last: what is in it may run code */
}

static PyObject *request_data(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    mw_thread *thread = mw_thread_known();
    mw_request *request = thread ? thread->serving : NULL;
    if (!request || request->interp != mw_interp_current()) {
        PyErr_SetString(PyExc_RuntimeError, "there is no request on this thread");
        return NULL;
    }
    return Py_XNewRef(mw_request_data(request));
}

PyMethodDef mw_request_data_method = {"request_data", request_data, METH_NOARGS, "request_data()\n--\n\nThe scratchpad of the request that this thread serves: a dict."};

/* _active_requests(): the dict, which is kept up to date from the first call on. */
static PyObject *active_requests(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    mw_interp *interp = mw_interp_current();
    if (interp->active_requests)
        return Py_NewRef(interp->active_requests);
    if (!(interp->active_requests = PyDict_New()))
        return NULL;
    for (mw_request *r = interp->requests; r; r = r->next)
        if (!list(r)) {
            Py_CLEAR(interp->active_requests);
            return NULL;
        }
    return Py_NewRef(interp->active_requests);
}

PyMethodDef mw_active_requests_method = {"_active_requests", active_requests, METH_NOARGS, NULL};
