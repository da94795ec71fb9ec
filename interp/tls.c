/* What Python learns of the encryption of the client's connection, and mod_ssl.is_https and mod_ssl.var_lookup, the functions that scripts which
 * are asked about a request get for it. In C because these are functions of Python's, and because they work in a forked copy, without Go. */
#include "python.h"

#include <string.h>

PyObject *mw_call_is_https(const mw_call *call)
{
    return PyLong_FromLong(call->ops->is_https && call->ops->is_https(call->transport));
}

PyObject *mw_call_tls_variable(const mw_call *call, PyObject *name)
{
    PyObject *bytes = PyUnicode_Check(name) ? PyUnicode_AsLatin1String(name) : PyBytes_Check(name) ? Py_NewRef(name) : NULL;
    if (!bytes) {
        PyErr_Format(PyExc_TypeError, "the name of a variable of mod_ssl must be bytes or a latin-1 str, not %.200R", name);
        return NULL;
    }
    /* With the GIL: it reads memory, and whoever else allocates from the request's pool waits for it. */
    const char *value = call->ops->tls_variable ? call->ops->tls_variable(call->transport, PyBytes_AS_STRING(bytes)) : NULL;
    PyObject *text = value ? PyUnicode_DecodeLatin1(value, strlen(value), NULL) : Py_NewRef(Py_None);
    Py_DECREF(bytes); /* now: the value may be part of the name */
    return text;
}

/* Both functions are bound to a capsule whose context is the request, borrowed; NULL once it is over. Its pointer means nothing. */
static const char capsule_name[] = "mod_wsgi.tls";

PyObject *mw_tls_new(mw_request *request)
{
    PyObject *tls = PyCapsule_New((void *)capsule_name, capsule_name, NULL);
    if (tls)
        PyCapsule_SetContext(tls, request);
    return tls;
}

void mw_tls_expire(PyObject *tls)
{
    PyCapsule_SetContext(tls, NULL);
}

/* The call that a capsule is for: borrowed, or NULL with RuntimeError. */
static const mw_call *call_of(PyObject *tls)
{
    mw_request *request = PyCapsule_GetContext(tls);
    if (!request)
        PyErr_SetString(PyExc_RuntimeError, "the request that this belongs to is not asked about any more");
    return request ? request->call : NULL;
}

static PyObject *is_https(PyObject *tls, PyObject *unused)
{
    (void)unused;
    const mw_call *call = call_of(tls);
    return call ? mw_call_is_https(call) : NULL;
}

static PyObject *var_lookup(PyObject *tls, PyObject *name)
{
    const mw_call *call = call_of(tls);
    return call ? mw_call_tls_variable(call, name) : NULL;
}

static PyMethodDef is_https_method = {"is_https", is_https, METH_NOARGS, NULL};
static PyMethodDef var_lookup_method = {"var_lookup", var_lookup, METH_O, NULL};

PyObject *mw_tls_is_https(PyObject *tls)
{
    return PyCFunction_New(&is_https_method, tls);
}

PyObject *mw_tls_var_lookup(PyObject *tls)
{
    return PyCFunction_New(&var_lookup_method, tls);
}
