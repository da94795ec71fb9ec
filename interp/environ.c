/* Building the environ of a request (PEP 3333, environ Variables). In C because it would cross once per item. */
#include "python.h"

#include <string.h>
#include <time.h>

PyObject *mw_key(mw_interp *interp, const char *text)
{
    size_t h = 2166136261u, n = 0;
    for (; text[n]; n++)
        h = (h ^ (unsigned char)text[n]) * 16777619u;
    PyObject **slot = &interp->keys[(h ^ h >> 13) % MW_KEY_CACHE];
    if (*slot && (size_t)PyUnicode_GET_LENGTH(*slot) == n && memcmp(PyUnicode_DATA(*slot), text, n) == 0)
        return Py_NewRef(*slot);
    PyObject *key = PyUnicode_DecodeUTF8(text, n, NULL);
    if (!key) {
        PyErr_Clear(); /* a name that is no UTF-8 must not cost the request */
        return PyUnicode_DecodeLatin1(text, n, NULL);
    }
    /* Kept is what compares as bytes and what a client can't make large. Not interned: some versions never free such a str. */
    if (PyUnicode_IS_ASCII(key) && n <= 64 && PyObject_Hash(key) != -1)
        Py_XSETREF(*slot, Py_NewRef(key));
    return key;
}

/* PEP 3333: latin-1, whatever the bytes mean; the two paths as os.fsdecode() would. */
static PyObject *value_of(const mw_pair *pair)
{
    if (!pair->value)
        return Py_NewRef(Py_None);
    size_t n = strlen(pair->value);
    if (pair->key[0] == 'D' ? strcmp(pair->key, "DOCUMENT_ROOT") == 0 : strcmp(pair->key, "SCRIPT_FILENAME") == 0) {
        PyObject *path = PyUnicode_DecodeFSDefaultAndSize(pair->value, n);
        if (path)
            return path;
        PyErr_Clear();
    }
    return PyUnicode_DecodeLatin1(pair->value, n, NULL);
}

/* Sets key to value, which is consumed; a NULL value (an exception is set) fails. */
static bool set(PyObject *environ, PyObject *key, PyObject *value)
{
    if (!value)
        return false;
    int failed = PyDict_SetItem(environ, key, value);
    Py_DECREF(value);
    return failed == 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static bool add_variables(PyObject *environ, mw_request *request)
{
    const mw_pair *pair = request->call->environ;
    for (const mw_pair *end = pair + request->call->n_environ; pair < end; pair++) {
        PyObject *key = mw_key(request->interp, pair->key);
        bool ok = key && set(environ, key, value_of(pair));
        Py_XDECREF(key);
        if (!ok)
            return false;
    }
    return true;
}

/* WSGIPassApacheRequest: an unnamed capsule, so that a C extension of the application's can reach the request. */
static bool add_native_request(PyObject *environ, const mw_request *request)
{
    void *native = request->call->native_request;
    return !native || set(environ, request->interp->names.request_rec, PyCapsule_New(native, NULL, NULL));
}

/* What an environ has whoever it is for. */
static bool add_versions(PyObject *environ, const mw_interp *interp)
{
    return set(environ, interp->names.module_version, Py_NewRef(interp->module_version)) &&
        set(environ, interp->names.apache_version, Py_NewRef(interp->apache_version));
}

PyObject *mw_environ_to_ask(mw_request *request, PyObject *errors, PyObject *tls)
{
    const mw_names *name = &request->interp->names;
    PyObject *environ = PyDict_New();
    if (environ && add_variables(environ, request) && add_native_request(environ, request) && set(environ, name->errors, Py_NewRef(errors)) &&
        (!tls || (add_versions(environ, request->interp) && set(environ, name->is_https, mw_tls_is_https(tls)) &&
                  set(environ, name->var_lookup, mw_tls_var_lookup(tls)))))
        return environ;
    Py_XDECREF(environ);
    return NULL;
}

PyObject *mw_environ_new(mw_request *request, PyObject *errors)
{
    const mw_call *call = request->call;
    const mw_names *name = &request->interp->names;
    PyObject *environ = PyDict_New();
    request->application_start = now();
    if (environ && add_variables(environ, request) && add_native_request(environ, request) && set(environ, name->wsgi_version, Py_NewRef(request->interp->wsgi_version)) &&
        set(environ, name->url_scheme, Py_NewRef(call->flags & MW_CALL_HTTPS ? name->https : name->http)) &&
        set(environ, name->input, Py_NewRef((PyObject *)request->input)) &&
        set(environ, name->input_terminated, Py_NewRef(Py_True)) && set(environ, name->errors, Py_NewRef(errors)) &&
        set(environ, name->file_wrapper, Py_NewRef(request->interp->file_wrapper)) &&
        set(environ, name->multithread, PyBool_FromLong(call->flags & MW_CALL_MULTITHREAD)) &&
        set(environ, name->multiprocess, PyBool_FromLong(call->flags & MW_CALL_MULTIPROCESS)) &&
        set(environ, name->run_once, PyBool_FromLong(call->flags & MW_CALL_RUN_ONCE)) &&
        add_versions(environ, request->interp) &&
        set(environ, name->thread_id, PyLong_FromUnsignedLong(request->thread->number)) &&
        set(environ, name->request_start, PyFloat_FromDouble(call->request_start)) &&
        set(environ, name->queue_start, PyFloat_FromDouble(call->queue_start)) &&
        set(environ, name->daemon_start, PyFloat_FromDouble(call->daemon_start)) &&
        set(environ, name->application_start, PyFloat_FromDouble(request->application_start)))
        return environ;
    Py_XDECREF(environ);
    return NULL;
}
