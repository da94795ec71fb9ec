/* The type mod_wsgi.Log: the binary stream below wsgi.errors, sys.stderr and sys.stdout. Every line becomes one record of
 * Apache's error log. In C because it is a type slot table, and because it must work in forked copies, without Go. */
#include "python.h"

#include <stddef.h>
#include <string.h>

enum { LINE_MAX_SIZE = 8191 }; /* Apache cuts a record there; what is beyond is dropped */

typedef struct mw_log {
    PyObject_HEAD
    mw_request *request;  /* of wsgi.errors while it runs; borrowed */
    const char *name;
    bool by_thread;       /* sys.stderr and sys.stdout: to the request that the writing thread serves, if any */
    bool expired;
    size_t n;             /* bytes of an unfinished line */
    char line[LINE_MAX_SIZE];
} mw_log;

void mw_log_lines(const mw_ops *ops, void *transport, int level, const mw_origin *origin, const char *text, size_t n)
{
    for (const char *end = text + n; text < end;) {
        const char *newline = memchr(text, '\n', end - text);
        size_t length = newline ? (size_t)(newline - text) : (size_t)(end - text);
        ops->log(transport, level, origin, text, length);
        text += length + 1;
    }
}

/* Writes records without the GIL, to the request's log or, if that is NULL, the server's. */
static void write_records(mw_request *request, int level, const mw_origin *origin, const char *text, size_t n)
{
    const mw_ops *ops = request ? request->call->ops : mw_this.ops;
    void *transport = request ? request->call->transport : NULL;
    if (request)
        request->loggers++;
    Py_BEGIN_ALLOW_THREADS
    mw_log_lines(ops, transport, level, origin, text, n);
    Py_END_ALLOW_THREADS
    if (request)
        request->loggers--;
}

/* The bytes must not be this object's own buffer, which others may fill while the GIL is released. */
static void emit(mw_log *log, const char *text, size_t n)
{
    write_records(log->request, MW_LOG_ERR, NULL, text, n);
}

static void add_to_line(mw_log *log, const char *text, size_t n)
{
    size_t room = LINE_MAX_SIZE - log->n;
    memcpy(log->line + log->n, text, n < room ? n : room);
    log->n += n < room ? n : room;
}

static void emit_line(mw_log *log)
{
    char line[LINE_MAX_SIZE + 1];
    size_t n = log->n;
    memcpy(line, log->line, n);
    line[n] = '\n';
    log->n = 0;
    emit(log, line, n + 1);
}

static void flush(mw_log *log)
{
    if (log->n > 0)
        emit_line(log);
}

static void append(mw_log *log, const char *text, size_t n)
{
    const char *newline = memchr(text, '\n', n);
    if (newline && log->n > 0) { /* completes what was there */
        add_to_line(log, text, newline - text);
        emit_line(log);
        n -= newline + 1 - text;
        text = newline + 1;
    }
    const char *last = n > 0 ? memrchr(text, '\n', n) : NULL;
    if (last) {
        emit(log, text, last - text + 1);
        n -= last + 1 - text;
        text = last + 1;
    }
    add_to_line(log, text, n);
}

/* Where this object's data goes now: borrowed. */
static mw_log *target(mw_log *log)
{
    mw_thread *thread = log->by_thread ? mw_thread_known() : NULL;
    mw_log *of_request = thread && thread->request ? thread->request->log : NULL;
    return of_request && !of_request->expired ? of_request : log;
}

/* The target, or NULL with RuntimeError if it takes nothing any more. */
static mw_log *open_target(mw_log *log)
{
    log = target(log);
    if (!log->expired)
        return log;
    PyErr_Format(PyExc_RuntimeError, "%s: the request is over or the stream was closed", log->name);
    return NULL;
}

static PyObject *log_write(PyObject *self, PyObject *data)
{
    mw_log *log = open_target((mw_log *)self);
    if (!log)
        return NULL;
    Py_INCREF(log);
    PyObject *result = NULL;
    Py_buffer view;
    if (PyUnicode_Check(data)) {
        Py_ssize_t n;
        const char *text = PyUnicode_AsUTF8AndSize(data, &n);
        if (text && PyErr_WarnEx(PyExc_DeprecationWarning, "mod_wsgi.Log.write() takes bytes; write str to the text stream above it", 1) == 0) {
            append(log, text, n);
            result = Py_NewRef(Py_None);
        }
    } else if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) == 0) {
        append(log, view.buf, view.len);
        PyBuffer_Release(&view);
        result = Py_NewRef(Py_None);
    }
    Py_DECREF(log);
    return result;
}

static PyObject *log_writelines(PyObject *self, PyObject *lines)
{
    PyObject *iterator = open_target((mw_log *)self) ? PyObject_GetIter(lines) : NULL, *line;
    if (!iterator)
        return NULL;
    while ((line = PyIter_Next(iterator))) {
        PyObject *written = log_write(self, line);
        Py_DECREF(line);
        if (!written)
            break;
        Py_DECREF(written);
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *log_flush(PyObject *self, PyObject *unused)
{
    (void)unused;
    mw_log *log = target((mw_log *)self);
    Py_INCREF(log);
    flush(log);
    Py_DECREF(log);
    Py_RETURN_NONE;
}

static PyObject *log_close(PyObject *self, PyObject *unused)
{
    mw_log *log = (mw_log *)self;
    PyObject *result = log_flush(self, unused);
    log->expired = !log->by_thread; /* sys.stderr and sys.stdout are everybody's, who closes them closes nothing */
    return result;
}

static PyObject *log_false(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_FALSE;
}

static PyObject *log_true(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_TRUE;
}

static PyObject *log_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    PyErr_Format(PyExc_OSError, "%s has no file descriptor", ((mw_log *)self)->name);
    return NULL;
}

static PyObject *get_name(PyObject *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(((mw_log *)self)->name);
}

static PyObject *get_closed(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    Py_RETURN_FALSE;
}

static PyObject *get_text(PyObject *self, void *text)
{
    (void)self;
    return PyUnicode_FromString(text);
}

static void log_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    mw_log *log = (mw_log *)self;
    if (log->n > 0) {
        PyObject *kind, *value, *traceback;
        PyErr_Fetch(&kind, &value, &traceback);
        flush(log);
        PyErr_Restore(kind, value, traceback);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef log_methods[] = {
    {"write", log_write, METH_O, NULL},          {"writelines", log_writelines, METH_O, NULL},
    {"flush", log_flush, METH_NOARGS, NULL},     {"close", log_close, METH_NOARGS, NULL},
    {"isatty", log_false, METH_NOARGS, NULL},    {"readable", log_false, METH_NOARGS, NULL},
    {"seekable", log_false, METH_NOARGS, NULL},  {"writable", log_true, METH_NOARGS, NULL},
    {"fileno", log_fileno, METH_NOARGS, NULL},   {NULL, NULL, 0, NULL},
};

static PyGetSetDef log_properties[] = {
    {"name", get_name, NULL, NULL, NULL},
    {"closed", get_closed, NULL, NULL, NULL},
    {"encoding", get_text, NULL, NULL, "utf-8"},
    {"errors", get_text, NULL, NULL, "replace"},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject *mw_log_type_new(void)
{
    PyType_Slot slots[] = {
        {Py_tp_dealloc, log_dealloc}, {Py_tp_methods, log_methods}, {Py_tp_getset, log_properties}, {0, NULL}};
    PyType_Spec spec = {"mod_wsgi.Log", sizeof(mw_log), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return (PyTypeObject *)PyType_FromSpec(&spec);
}

mw_log *mw_log_new(mw_interp *interp, const char *name, mw_request *request)
{
    mw_log *log = PyObject_New(mw_log, interp->log_type);
    if (log)
        memset((char *)log + offsetof(mw_log, request), 0, offsetof(mw_log, line) - offsetof(mw_log, request));
    if (log) {
        log->request = request;
        log->name = name;
        log->by_thread = !request;
    }
    return log;
}

PyObject *mw_log_text(mw_interp *interp, mw_log *log)
{
    static const char utf8[] = "utf-8", replace[] = "replace";
    if (!log)
        return NULL;
    PyObject *encoding = PyUnicode_InternFromString(utf8), *errors = PyUnicode_InternFromString(replace);
    PyObject *arguments[] = {NULL, (PyObject *)log, encoding, errors, Py_True, Py_True};
    PyObject *text = encoding && errors ? PyObject_Vectorcall(interp->text_wrapper, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, interp->text_wrapper_args) : NULL;
    Py_XDECREF(encoding);
    Py_XDECREF(errors);
    return text;
}

void mw_log_expire(mw_log *log)
{
    flush(log);
    log->expired = true;
    log->request = NULL;
}

/* ---- What is no stream: for bootstrap.py and modules.py ---- */

/* The request that the calling thread serves: NULL if none. */
static mw_request *of_this_thread(void)
{
    mw_thread *thread = mw_thread_known();
    return thread ? thread->request : NULL;
}

/* _inform(text): logs something of ours, about what the application does, at info level. */
static PyObject *inform(PyObject *self, PyObject *text)
{
    (void)self;
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (!bytes)
        return NULL;
    write_records(of_this_thread(), MW_LOG_INFO, NULL, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    Py_RETURN_NONE;
}

PyMethodDef mw_inform_method = {"_inform", inform, METH_O, NULL};

/* _log_enabled(level): whether a record of Apache's level would be written. */
static PyObject *log_enabled(PyObject *self, PyObject *level)
{
    (void)self;
    long wanted = PyLong_AsLong(level);
    if (wanted == -1 && PyErr_Occurred())
        return NULL;
    mw_request *request = of_this_thread();
    const mw_ops *ops = request ? request->call->ops : mw_this.ops;
    return PyBool_FromLong(wanted <= ops->log_level(request ? request->call->transport : NULL));
}

PyMethodDef mw_log_enabled_method = {"_log_enabled", log_enabled, METH_O, NULL};

/* _log(level, file, line, text): a record of LogHandler's, each line of which becomes one of Apache's. */
static PyObject *log_from(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *file, *text;
    mw_origin origin;
    int level;
    if (!PyArg_ParseTuple(arguments, "iUiU", &level, &file, &origin.line, &text))
        return NULL;
    PyObject *path = PyUnicode_AsEncodedString(file, "utf-8", "backslashreplace");
    PyObject *bytes = path ? PyUnicode_AsEncodedString(text, "utf-8", "replace") : NULL;
    if (bytes) {
        origin.file = PyBytes_AS_STRING(path);
        write_records(of_this_thread(), level, &origin, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    }
    Py_XDECREF(path);
    Py_XDECREF(bytes);
    return bytes ? Py_NewRef(Py_None) : NULL;
}

PyMethodDef mw_log_method = {"_log", log_from, METH_VARARGS, NULL};
