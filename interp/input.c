/* The type mod_wsgi.Input: wsgi.input. In C because reading is on the steady path and it is a type slot table.
 *
 * Bytes come from the transport in blocks; only line-wise reading reads ahead, into `ahead`. */
#include "python.h"

#include <string.h>

enum { AHEAD_SIZE = 8192, UNSIZED_START = 8192, LARGEST_GUESS = 1 << 20, LARGE_READ = 32768 };

typedef struct mw_input {
    PyObject_HEAD
    mw_request *request;      /* borrowed; NULL when the request is over */
    bool ended, broken;
    int64_t taken;            /* bytes that came from the transport */
    char *ahead;              /* AHEAD_SIZE bytes, made on first use; what is in it: */
    size_t ahead_start, ahead_end;
} mw_input;

static mw_request *running(mw_input *input)
{
    if (!input->request)
        PyErr_SetString(PyExc_RuntimeError, "wsgi.input was used after the request was over");
    return input->request;
}

/* Fills the buffer with what the transport has, at least a byte unless the body ends. A count, 0 at the end, -1 with OSError.
 * Lets go of the GIL when nothing has arrived, and for what takes long to copy. */
static Py_ssize_t fill(mw_input *input, char *buffer, size_t n)
{
    if (input->ended && n > 0)
        return 0;
    mw_request *request = running(input);
    if (!request || !mw_io_allowed() || !mw_io_begin(request))
        return -1;
    const mw_call *call = request->call;
    const char *reason = "the client is gone";
    long got = input->broken ? MW_READ_FAILED : MW_READ_WOULD_BLOCK;
    mw_measures *measures = &request->measures;
    int64_t began = measures->on ? mw_nanoseconds() : 0;
    if (!input->broken && n < LARGE_READ)
        got = call->ops->read(call->transport, buffer, n, 0, &reason);
    PyThreadState *state = got == MW_READ_WOULD_BLOCK ? PyEval_SaveThread() : NULL;
    if (state)
        got = call->ops->read(call->transport, buffer, n, 1, &reason);
    if (began)
        measures->input_time += mw_nanoseconds() - began;
    if (state)
        mw_take_gil(request, state);
    measures->input_reads++;
    mw_io_end(request);
    if (!running(input)) /* a thread of the application's was reading when the request ended */
        return -1;
    if (got < 0) {
        input->broken = true;
        PyErr_Format(PyExc_OSError, "mod_wsgi request data read error: %s", reason);
        return -1;
    }
    if (got == 0 && n > 0)
        input->ended = true;
    input->taken += got;
    return got;
}

static size_t take_ahead(mw_input *input, char *buffer, size_t n)
{
    size_t available = input->ahead_end - input->ahead_start;
    if (n > available)
        n = available;
    if (n > 0)
        memcpy(buffer, input->ahead + input->ahead_start, n);
    input->ahead_start += n;
    return n;
}

/* How large a buffer to begin with for a read of `wanted` bytes (SIZE_MAX: all): no more than the body can hold. */
static size_t first_guess(mw_input *input, size_t wanted)
{
    size_t ahead = input->ahead_end - input->ahead_start, guess = UNSIZED_START;
    int64_t length = input->request->call->content_length;
    if (length >= 0)
        guess = length > input->taken ? (size_t)(length - input->taken) : 0;
    else if (wanted != SIZE_MAX)
        guess = wanted;
    guess += ahead;
    if (guess > LARGEST_GUESS + ahead)
        guess = LARGEST_GUESS + ahead;
    return guess < wanted ? guess : wanted;
}

/* Reads until `wanted` bytes or the end of the body: new bytes object. */
static PyObject *read_bytes(mw_input *input, size_t wanted)
{
    size_t size = first_guess(input, wanted);
    PyObject *result = PyBytes_FromStringAndSize(NULL, size);
    if (!result)
        return NULL;
    size_t n = take_ahead(input, PyBytes_AS_STRING(result), size);
    while (n < wanted) {
        char probe[1], *to = probe; /* a full buffer: ask for one byte before making it larger */
        size_t room = n < size ? size - n : 1;
        if (n < size)
            to = PyBytes_AS_STRING(result) + n;
        Py_ssize_t got = fill(input, to, room);
        if (got < 0) {
            Py_DECREF(result);
            return NULL;
        }
        if (got == 0)
            break;
        if (to == probe) {
            size = size + size / 4 + UNSIZED_START;
            if (size > wanted)
                size = wanted;
            if (_PyBytes_Resize(&result, size) < 0)
                return NULL;
            PyBytes_AS_STRING(result)[n] = probe[0];
        }
        n += got;
    }
    if (n != size)
        _PyBytes_Resize(&result, n);
    return result;
}

/* Reads through the next newline, at most `limit` bytes: new bytes object, empty at the end. */
static PyObject *read_line(mw_input *input, size_t limit)
{
    PyObject *line = NULL;
    size_t n = 0;
    if (!input->ahead && !(input->ahead = PyMem_Malloc(AHEAD_SIZE)))
        return PyErr_NoMemory();
    for (bool complete = false; !complete && n < limit;) {
        if (input->ahead_start == input->ahead_end) {
            Py_ssize_t got = fill(input, input->ahead, AHEAD_SIZE);
            if (got < 0) {
                Py_XDECREF(line);
                return NULL;
            }
            if (got == 0)
                break;
            input->ahead_start = 0;
            input->ahead_end = got;
        }
        size_t available = input->ahead_end - input->ahead_start;
        if (available > limit - n)
            available = limit - n;
        const char *start = input->ahead + input->ahead_start, *newline = memchr(start, '\n', available);
        if (newline)
            available = newline - start + 1;
        complete = newline != NULL;
        if (!line) /* without the data: CPython shares the objects of one byte, and refuses to resize them */
            line = PyBytes_FromStringAndSize(NULL, available);
        else
            _PyBytes_Resize(&line, n + available);
        if (!line)
            return NULL;
        memcpy(PyBytes_AS_STRING(line) + n, start, available);
        input->ahead_start += available;
        n += available;
    }
    return line ? line : PyBytes_FromStringAndSize(NULL, 0);
}

/* The size argument of a method: SIZE_MAX if absent or negative. False with TypeError. */
static bool size_argument(const char *method, PyObject *const *arguments, Py_ssize_t n, size_t *size)
{
    *size = SIZE_MAX;
    if (n > 1) {
        PyErr_Format(PyExc_TypeError, "%s takes at most one argument, not %zd", method, n);
        return false;
    }
    if (n == 0)
        return true;
    Py_ssize_t given = PyNumber_AsSsize_t(arguments[0], PyExc_OverflowError);
    if (given == -1 && PyErr_Occurred())
        return false;
    if (given >= 0)
        *size = given;
    return true;
}

static PyObject *input_read(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    mw_input *input = (mw_input *)self;
    size_t size;
    if (!size_argument("read", arguments, n, &size) || !running(input)) /* in this order: an argument's __index__() may run for long */
        return NULL;
    if (size == 0 && input->taken == 0 && !input->ended) {
        char none[1];
        if (fill(input, none, 0) < 0)
            return NULL;
    }
    return read_bytes(input, size);
}

static PyObject *input_readline(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    size_t size;
    if (!running((mw_input *)self) || !size_argument("readline", arguments, n, &size))
        return NULL;
    return read_line((mw_input *)self, size);
}

static PyObject *input_readlines(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    size_t hint, total = 0;
    if (!running((mw_input *)self) || !size_argument("readlines", arguments, n, &hint))
        return NULL;
    PyObject *lines = PyList_New(0);
    while (lines && (hint == 0 || total < hint)) {
        PyObject *line = read_line((mw_input *)self, SIZE_MAX);
        Py_ssize_t length = line ? PyBytes_GET_SIZE(line) : 0;
        if (!line || (length > 0 && PyList_Append(lines, line) < 0))
            Py_CLEAR(lines);
        Py_XDECREF(line);
        if (length == 0)
            break;
        total += length;
    }
    return lines;
}

static PyObject *input_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    return running((mw_input *)self) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *input_iter(PyObject *self)
{
    return running((mw_input *)self) ? Py_NewRef(self) : NULL;
}

static PyObject *input_next(PyObject *self)
{
    PyObject *line = running((mw_input *)self) ? read_line((mw_input *)self, SIZE_MAX) : NULL;
    if (line && PyBytes_GET_SIZE(line) == 0)
        Py_CLEAR(line);
    return line;
}

static void input_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(((mw_input *)self)->ahead);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef input_methods[] = {
    {"read", (PyCFunction)(void (*)(void))input_read, METH_FASTCALL, NULL},
    {"readline", (PyCFunction)(void (*)(void))input_readline, METH_FASTCALL, NULL},
    {"readlines", (PyCFunction)(void (*)(void))input_readlines, METH_FASTCALL, NULL},
    {"close", input_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject *mw_input_type_new(void)
{
    PyType_Slot slots[] = {{Py_tp_dealloc, input_dealloc},
                           {Py_tp_methods, input_methods},
                           {Py_tp_iter, input_iter},
                           {Py_tp_iternext, input_next},
                           {0, NULL}};
    PyType_Spec spec = {"mod_wsgi.Input", sizeof(mw_input), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return (PyTypeObject *)PyType_FromSpec(&spec);
}

mw_input *mw_input_new(mw_request *request)
{
    mw_input *input = PyObject_New(mw_input, request->interp->input_type);
    if (!input)
        return NULL;
    input->request = request;
    input->ended = input->broken = false;
    input->taken = 0;
    input->ahead = NULL;
    input->ahead_start = input->ahead_end = 0;
    return input;
}

uint64_t mw_input_returned(const mw_input *input)
{
    return input->taken - (input->ahead_end - input->ahead_start);
}

void mw_input_expire(mw_input *input)
{
    input->request = NULL;
}
