/* The type mod_wsgi.Adapter: start_response and write of one request (PEP 3333), and what it knows of the client's encryption. In C because it
 * is on the steady path and is a type slot table. */
#include "python.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct mw_adapter {
    PyObject_HEAD
    mw_request *request; /* borrowed; NULL when the request is over */
} mw_adapter;

static mw_request *running(mw_adapter *adapter, const char *what)
{
    if (!adapter->request)
        PyErr_Format(PyExc_RuntimeError, "%s called after the request was over", what);
    return adapter->request;
}

/* ---- Checking what start_response is given ---- */

/* The latin-1 bytes of a str, NUL-terminated and owned by it; NULL with an exception. */
static const char *latin1(PyObject *text, const char *what)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.200s", what, Py_TYPE(text)->tp_name);
        return NULL;
    }
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0)
        return NULL;
#endif
    if (PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND)
        return (const char *)PyUnicode_1BYTE_DATA(text);
    PyObject *encoded = PyUnicode_AsLatin1String(text); /* fails, and says which character */
    Py_XDECREF(encoded);
    return NULL;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool check_status(PyObject *status)
{
    const char *text = latin1(status, "status");
    if (!text)
        return false;
    size_t n = PyUnicode_GET_LENGTH(status);
    for (size_t i = 0; i < 4; i++) {
        bool digit = i < n && text[i] >= '0' && text[i] <= '9';
        if (i < 3 ? !digit : digit) {
            PyErr_Format(PyExc_ValueError, "status must begin with three digits, not %R", status);
            return false;
        }
    }
    if (n > 3 && text[3] != ' ') {
        PyErr_Format(PyExc_ValueError, "a space must follow the three digits of status %R", status);
        return false;
    }
    for (size_t i = 4; i < n; i++)
        if (is_control(text[i])) {
            PyErr_Format(PyExc_ValueError, "status %R has a control character", status);
            return false;
        }
    return true;
}

static bool check_header(PyObject *header)
{
    if (!PyTuple_Check(header)) {
        PyErr_Format(PyExc_TypeError, "each header must be a tuple, not %.200s", Py_TYPE(header)->tp_name);
        return false;
    }
    if (PyTuple_GET_SIZE(header) != 2) {
        PyErr_Format(PyExc_ValueError, "each header must be a tuple of a name and a value, not %R", header);
        return false;
    }
    PyObject *name = PyTuple_GET_ITEM(header, 0), *value = PyTuple_GET_ITEM(header, 1);
    if (!PyUnicode_Check(name) || !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "name and value of a header must be str, not %R", header);
        return false;
    }
    const char *n = latin1(name, "header name"), *v = n ? latin1(value, "header value") : NULL;
    if (!v)
        return false;
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    bool bad = length == 0;
    for (Py_ssize_t i = 0; i < length; i++)
        bad = bad || is_control(n[i]) || n[i] == ' ';
    if (bad) {
        PyErr_Format(PyExc_ValueError, "header name %R is empty or has a space or a control character", name);
        return false;
    }
    length = PyUnicode_GET_LENGTH(value);
    if (memchr(v, '\r', length) || memchr(v, '\n', length) || memchr(v, '\0', length)) {
        PyErr_Format(PyExc_ValueError, "value of header %R has a line break or a NUL", name);
        return false;
    }
    return true;
}

/* Raises the exception that exc_info names: PEP 3333, start_response after the headers are out. */
static void raise_again(PyObject *exc_info)
{
    PyObject *kind, *value, *traceback;
    if (!PyArg_ParseTuple(exc_info, "OOO;exc_info must be a tuple of three", &kind, &value, &traceback))
        return;
    if (!PyExceptionClass_Check(kind) || (traceback != Py_None && !PyTraceBack_Check(traceback))) {
        /* PyErr_Restore() takes anything, and the interpreter crashes on it */
        PyErr_SetString(PyExc_TypeError, "exc_info must be an exception's type, the exception, and a traceback or None");
        return;
    }
    if (traceback == Py_None)
        traceback = NULL;
    PyErr_Restore(Py_NewRef(kind), Py_NewRef(value), Py_XNewRef(traceback));
}

/* True with an exception if the headers are out. */
static bool is_too_late(mw_request *request, PyObject *exc_info)
{
    if (!request->committed)
        return false;
    if (exc_info != Py_None)
        raise_again(exc_info);
    else
        PyErr_SetString(PyExc_RuntimeError, "start_response was called again after the headers were sent");
    return true;
}

/* ---- start_response and write ---- */

static PyObject *adapter_start_response(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    mw_request *request = running((mw_adapter *)self, "start_response");
    if (!request)
        return NULL;
    if (n < 2 || n > 3)
        return PyErr_Format(PyExc_TypeError, "start_response takes a status, a list of headers and exc_info, not %zd arguments", n);
    PyObject *status = arguments[0], *headers = arguments[1], *exc_info = n > 2 ? arguments[2] : Py_None;
    if (!mw_publish_response_started(request, status, headers, exc_info) || !(request = running((mw_adapter *)self, "start_response")))
        return NULL;
    if (!PyList_Check(headers))
        return PyErr_Format(PyExc_TypeError, "headers must be a list, not %.200s", Py_TYPE(headers)->tp_name);
    if (exc_info != Py_None && !PyTuple_Check(exc_info))
        return PyErr_Format(PyExc_RuntimeError, "exc_info must be a tuple or None, not %.200s", Py_TYPE(exc_info)->tp_name);
    if (is_too_late(request, exc_info) || !check_status(status))
        return NULL;
    PyObject *copy = PyList_AsTuple(headers);
    if (!copy)
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(copy); i++)
        if (!check_header(PyTuple_GET_ITEM(copy, i))) {
            Py_DECREF(copy);
            return NULL;
        }
    request = running((mw_adapter *)self, "start_response"); /* a collection may have let other threads run */
    if (!request || is_too_late(request, exc_info)) {
        Py_DECREF(copy);
        return NULL;
    }
    PyObject *old_status = request->status, *old_headers = request->headers;
    request->status = Py_NewRef(status);
    request->headers = copy;
    Py_XDECREF(old_status); /* may let other threads run, too */
    Py_XDECREF(old_headers);
    return PyObject_GetAttrString(self, "write");
}

static PyObject *adapter_write(PyObject *self, PyObject *data)
{
    mw_request *request = running((mw_adapter *)self, "write");
    if (!request)
        return NULL;
    if (!PyBytes_Check(data))
        return PyErr_Format(PyExc_TypeError, "write takes bytes, not %.200s", Py_TYPE(data)->tp_name);
    const char *reason = "the client is gone";
    if (!mw_io_allowed())
        return NULL;
    if (!request->gone && mw_commit(request, -1) == 0 && mw_send_block(request, data, true, &reason) == 0)
        Py_RETURN_NONE;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_OSError, "mod_wsgi: could not write to the client: %s", reason);
    return NULL;
}

/* ---- Encryption: only where the client's connection is this process's ---- */

static PyObject *adapter_ssl_is_https(PyObject *self, PyObject *unused)
{
    (void)unused;
    mw_request *request = running((mw_adapter *)self, "ssl_is_https");
    if (!request || !mw_io_allowed() || !mw_io_begin(request))
        return NULL;
    PyObject *https = mw_call_is_https(request->call);
    mw_io_end(request);
    return https;
}

static PyObject *adapter_ssl_var_lookup(PyObject *self, PyObject *name)
{
    mw_request *request = running((mw_adapter *)self, "ssl_var_lookup");
    if (!request || !mw_io_allowed() || !mw_io_begin(request))
        return NULL;
    PyObject *value = mw_call_tls_variable(request->call, name);
    mw_io_end(request);
    return value;
}

/* ---- Commit ---- */

/* PEP 3333 leaves checking to the server: a decimal number of 64 bits, leading blanks and sign tolerated, "" is 0. */
static bool parse_content_length(const char *text, int64_t *length)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || *end || n < 0) {
        PyErr_Format(PyExc_ValueError, "Content-Length '%.100s' is not a length", text);
        return false;
    }
    *length = n;
    return true;
}

/* The transport is the caller's, and the GIL is never released. */
static int commit(mw_request *request, int64_t length)
{
    if (!request->status) {
        PyErr_SetString(PyExc_RuntimeError, "the application sent a body, or ended, without having called start_response");
        return -1;
    }
    const mw_ops *ops = request->call->ops;
    void *transport = request->call->transport;
    Py_ssize_t n = PyTuple_GET_SIZE(request->headers);
    int64_t declared = -1;
    for (Py_ssize_t i = 0; i < n; i++) { /* first, so that a failure leaves nothing behind */
        PyObject *header = PyTuple_GET_ITEM(request->headers, i);
        if (strcasecmp((char *)PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(header, 0)), "Content-Length") == 0 &&
            !parse_content_length((char *)PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(header, 1)), &declared))
            return -1;
    }
    const char *line = (char *)PyUnicode_1BYTE_DATA(request->status);
    ops->begin(transport, (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'), line);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *header = PyTuple_GET_ITEM(request->headers, i);
        const char *name = (char *)PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(header, 0));
        if (strcasecmp(name, "Content-Length") != 0)
            ops->header(transport, name, (char *)PyUnicode_1BYTE_DATA(PyTuple_GET_ITEM(header, 1)));
    }
    if (declared < 0)
        declared = length;
    if (declared >= 0)
        ops->content_length(transport, declared);
    request->declared = declared;
    request->committed = true;
    return 0;
}

int mw_commit(mw_request *request, int64_t length)
{
    if (request->committed)
        return 0;
    if (!mw_io_begin(request))
        return -1;
    int failed = request->committed ? 0 : commit(request, length); /* another thread may have been first */
    mw_io_end(request);
    return failed;
}

/* ---- The type ---- */

static void adapter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef adapter_methods[] = {
    {"start_response", (PyCFunction)(void (*)(void))adapter_start_response, METH_FASTCALL, NULL},
    {"write", adapter_write, METH_O, NULL},
    {"ssl_is_https", adapter_ssl_is_https, METH_NOARGS, NULL},
    {"ssl_var_lookup", adapter_ssl_var_lookup, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject *mw_adapter_type_new(void)
{
    PyType_Slot slots[] = {{Py_tp_dealloc, adapter_dealloc}, {Py_tp_methods, adapter_methods}, {0, NULL}};
    PyType_Spec spec = {"mod_wsgi.Adapter", sizeof(mw_adapter), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return (PyTypeObject *)PyType_FromSpec(&spec);
}

mw_adapter *mw_adapter_new(mw_request *request)
{
    mw_adapter *adapter = PyObject_New(mw_adapter, request->interp->adapter_type);
    if (adapter)
        adapter->request = request;
    return adapter;
}

PyObject *mw_adapter_start_response(mw_adapter *adapter)
{
    return PyCFunction_New(&adapter_methods[0], (PyObject *)adapter);
}

void mw_adapter_expire(mw_adapter *adapter)
{
    adapter->request = NULL;
}
