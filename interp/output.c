/* Sending what an application returned (PEP 3333, Buffering and Streaming). In C because it is the steady path. */
#include "python.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much of a block of n bytes still fits the announced Content-Length; counts it as sent. */
static size_t take(mw_request *request, size_t n)
{
    if (request->declared >= 0 && (int64_t)n > request->declared - request->sent)
        n = request->declared - request->sent;
    request->sent += n;
    return n;
}

/* Something of the transport's that blocks: without the GIL, and measured. */
#define WITHOUT_GIL(request, statement) \
    do { \
        mw_measures *measures = &(request)->measures; \
        PyThreadState *state = PyEval_SaveThread(); \
        int64_t began = measures->on ? mw_nanoseconds() : 0; \
        statement; \
        if (began) \
            measures->output_time += mw_nanoseconds() - began; \
        mw_take_gil(request, state); \
    } while (0)

static void count(mw_request *request, PyObject *block)
{
    request->measures.output_writes++;
    request->measures.output_bytes += PyBytes_GET_SIZE(block);
}

int mw_send_block(mw_request *request, PyObject *bytes, bool flush, const char **reason)
{
    count(request, bytes);
    if (PyBytes_GET_SIZE(bytes) == 0)
        return 0;
    if (!mw_io_begin(request))
        return -1;
    size_t n = take(request, PyBytes_GET_SIZE(bytes));
    const mw_call *call = request->call;
    int failed = 0;
    if (n > 0)
        WITHOUT_GIL(request, failed = call->ops->write(call->transport, PyBytes_AS_STRING(bytes), n, flush, reason));
    request->gone = request->gone || failed;
    mw_io_end(request);
    return failed ? -1 : 0;
}

static bool is_block(PyObject *item)
{
    if (PyBytes_Check(item))
        return true;
    PyErr_Format(PyExc_TypeError, "the application's iterable must yield bytes, not %.200s", Py_TYPE(item)->tp_name);
    return false;
}

/* A list or tuple is complete: nothing has to be sent before the rest is known. A small one is copied, and leaves after the GIL was
 * released for good; a large one is sent from where it is. */
static int send_sequence(mw_request *request, PyObject *items)
{
    size_t total = 0;
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!is_block(PyTuple_GET_ITEM(items, i)))
            return -1;
        total += PyBytes_GET_SIZE(PyTuple_GET_ITEM(items, i));
    }
    if (mw_commit(request, -1) < 0)
        return -1;
    const char *reason;
    bool direct = total > MW_OUTPUT_SIZE || request->thread->output_in_use;
    if (!direct)
        request->buffered = request->thread->output_in_use = true;
    for (Py_ssize_t i = 0; i < n && !request->gone; i++) {
        PyObject *block = PyTuple_GET_ITEM(items, i);
        if (direct) {
            mw_send_block(request, block, false, &reason);
            continue;
        }
        count(request, block);
        size_t size = take(request, PyBytes_GET_SIZE(block));
        memcpy(request->thread->output + request->pending, PyBytes_AS_STRING(block), size);
        request->pending += size;
    }
    return 0;
}

/* Each block is sent before the next one is asked for. */
static int send_iterable(mw_request *request, PyObject *result)
{
    PyObject *iterator = PyObject_GetIter(result), *block;
    if (!iterator)
        return -1;
    bool ok = true;
    while (ok && !request->gone && (block = PyIter_Next(iterator))) {
        const char *reason;
        ok = is_block(block);
        if (ok && PyBytes_GET_SIZE(block) > 0) {
            ok = mw_commit(request, -1) == 0;
            if (ok)
                mw_send_block(request, block, true, &reason);
        }
        Py_DECREF(block);
    }
    Py_DECREF(iterator);
    if (!ok || PyErr_Occurred())
        return -1;
    return mw_commit(request, -1);
}

/* Files of /proc are regular and claim to be empty: only reading tells what is in them. */
static bool has_its_size(int fd, const struct stat *about)
{
    char byte;
    return about->st_size > 0 || pread(fd, &byte, 1, 0) == 0;
}

/* The descriptor of a file wrapper's file if the transport can send it by itself, and where it stands; -1 without an exception if not. */
static int regular_file(mw_request *request, PyObject *wrapper, int64_t *offset, int64_t *size)
{
    PyObject *file = PyObject_GetAttr(wrapper, request->interp->names.filelike);
    int fd = file ? PyObject_AsFileDescriptor(file) : -1;
    struct stat about;
    PyObject *position = NULL;
    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && has_its_size(fd, &about) && lseek(fd, 0, SEEK_CUR) >= 0)
        position = PyObject_CallMethodNoArgs(file, request->interp->names.tell);
    bool suitable = position && PyLong_Check(position);
    if (suitable) {
        *offset = PyLong_AsLongLong(position);
        *size = about.st_size;
        suitable = *offset >= 0;
    }
    PyErr_Clear();
    Py_XDECREF(position);
    Py_XDECREF(file);
    return suitable ? fd : -1;
}

static int send_file(mw_request *request, int fd, int64_t offset, int64_t size)
{
    int64_t available = size > offset ? size - offset : 0;
    if (mw_commit(request, available) < 0)
        return -1;
    request->measures.output_bytes += available;
    available = take(request, available);
    if (available == 0)
        return 0;
    const mw_call *call = request->call;
    const char *reason = "";
    int failed;
    if (!mw_io_begin(request))
        return -1;
    WITHOUT_GIL(request, failed = call->ops->send_file(call->transport, fd, offset, available, 0, &reason));
    request->gone = failed == -1;
    mw_io_end(request);
    if (failed == -2)
        PyErr_Format(PyExc_OSError, "mod_wsgi: the file can't be sent: %s", reason);
    return failed == -2 ? -1 : 0;
}

int mw_send_result(mw_request *request, PyObject *result)
{
    if (PyTuple_CheckExact(result))
        return send_sequence(request, result);
    if (PyList_CheckExact(result)) {
        PyObject *items = PyList_AsTuple(result); /* no other thread changes this one */
        int failed = items ? send_sequence(request, items) : -1;
        Py_XDECREF(items);
        return failed;
    }
    if (!request->committed && PyType_IsSubtype(Py_TYPE(result), (PyTypeObject *)request->interp->file_wrapper)) {
        int64_t offset, size;
        int fd = regular_file(request, result, &offset, &size);
        if (fd >= 0)
            return send_file(request, fd, offset, size);
    }
    return send_iterable(request, result);
}
