/* Asking a script about a request: who may have it, which group runs it. In C because it is on the path of every request that is guarded
 * or dispatched. What an answer means is here; the words for what is no answer are Go's.
 *
 * Everything here fails closed: a question's answer is MW_FAILED until the script has given one that its function can give. */
#include "python.h"

#include <stdlib.h>
#include <string.h>

/* Turns a function's result (borrowed) into the question's answer, or leaves it at MW_FAILED, after having logged why or with an exception. GIL
 * held, which may be released meanwhile. */
typedef void reader(mw_request *request, mw_question *question, PyObject *result);

static reader read_opinion, read_password, read_realm_hash, read_groups, read_name;

/* What there is to know of a subject. */
static const struct subject {
    const char *function;
    int texts;          /* arguments after the environ */
    int no_interpreter; /* WSGI####: its interpreter is not there */
    int no_function;    /* WSGI####: the script does not define it; 0: it need not */
    reader *read;
} subjects[] = {
    [MW_ASK_ACCESS] = {"allow_access", 1, 54, 56, read_opinion},
    [MW_ASK_PASSWORD] = {"check_password", 2, 42, 43, read_password},
    [MW_ASK_REALM_HASH] = {"get_realm_hash", 2, 45, 46, read_realm_hash},
    [MW_ASK_GROUPS] = {"groups_for_user", 1, 48, 52, read_groups},
    [MW_ASK_PROCESS_GROUP] = {"process_group", 0, 86, 0, read_name},
    [MW_ASK_APPLICATION_GROUP] = {"application_group", 0, 86, 0, read_name},
    [MW_ASK_CALLABLE] = {"callable_object", 0, 86, 0, read_name},
};

/* Logs that a value is no answer; the detail is its type. GIL held, released meanwhile. */
static void reject(mw_request *request, int code, PyObject *value)
{
    char type[256];
    snprintf(type, sizeof type, "%s", Py_TYPE(value)->tp_name); /* a copy: without the GIL the name may change */
    Py_BEGIN_ALLOW_THREADS
    mw_fail(request->call, code, type);
    Py_END_ALLOW_THREADS
}

/* ---- What functions return ---- */

static mw_answer opinion(PyObject *result)
{
    return result == Py_True ? MW_YES : result == Py_False ? MW_NO : result == Py_None ? MW_NOTHING : MW_FAILED;
}

/* Adds one text to the answer. False with an exception. */
static bool add_text(mw_question *question, size_t *size, const char *text, size_t n)
{
    if (memchr(text, '\0', n)) { /* Apache would take what stands before it for the whole */
        PyErr_Format(PyExc_ValueError, "%s() returned a text with a NUL character in it", subjects[question->subject].function);
        return false;
    }
    char *grown = realloc(question->text, *size + n + 1);
    if (!grown) {
        PyErr_NoMemory();
        return false;
    }
    memcpy(grown + *size, text, n);
    grown[*size + n] = '\0';
    *size += n + 1;
    question->text = grown;
    question->n_texts++;
    return true;
}

static void take_text(mw_question *question, const char *text, size_t n)
{
    size_t size = 0;
    if (add_text(question, &size, text, n))
        question->answer = MW_TEXT;
}

/* The bytes of a str or bytes: a new reference; NULL with TypeError if it is neither, or a str that is not latin-1. */
static PyObject *latin1(const mw_question *question, PyObject *value)
{
    const char *function = subjects[question->subject].function;
    if (PyBytes_Check(value))
        return Py_NewRef(value);
    PyObject *bytes = PyUnicode_Check(value) ? PyUnicode_AsLatin1String(value) : NULL;
    if (!bytes && PyUnicode_Check(value))
        PyErr_Format(PyExc_TypeError, "%s() returned a str that is not latin-1: %.200A", function, value);
    else if (!bytes)
        PyErr_Format(PyExc_TypeError, "%s() must return str or bytes, not %.200s", function, Py_TYPE(value)->tp_name);
    return bytes;
}

static void take_latin1(mw_question *question, PyObject *value)
{
    PyObject *bytes = latin1(question, value);
    if (bytes)
        take_text(question, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    Py_XDECREF(bytes);
}

static void read_opinion(mw_request *request, mw_question *question, PyObject *result)
{
    question->answer = opinion(result);
    if (question->answer == MW_FAILED)
        reject(request, 55, result);
}

static void read_password(mw_request *request, mw_question *question, PyObject *result)
{
    question->answer = opinion(result);
    if (question->answer != MW_FAILED)
        return;
    if (!PyUnicode_Check(result)) {
        reject(request, 177, result);
        return;
    }
    if (PyUnicode_GetLength(result) == 0) {
        reject(request, 176, result);
        return;
    }
    /* UTF-8, as in a configuration file that says "Require user", although an application will see it as latin-1. */
    Py_ssize_t n;
    const char *name = PyUnicode_AsUTF8AndSize(result, &n);
    if (name)
        take_text(question, name, n);
}

static void read_realm_hash(mw_request *request, mw_question *question, PyObject *result)
{
    if (result == Py_None) {
        question->answer = MW_NOTHING;
        return;
    }
    bool text = PyUnicode_Check(result);
    if (!text && !PyBytes_Check(result))
        reject(request, 179, result);
    else if ((text ? PyUnicode_GetLength(result) : PyBytes_GET_SIZE(result)) == 0)
        reject(request, 178, result);
    else
        take_latin1(question, result);
}

/* One group's name. False after having logged why not, or with an exception. */
static bool add_group(mw_request *request, mw_question *question, size_t *size, PyObject *item)
{
    PyObject *bytes = PyBytes_Check(item) ? Py_NewRef(item) : PyUnicode_Check(item) ? PyUnicode_AsLatin1String(item) : NULL;
    bool added = false;
    if (bytes) {
        added = add_text(question, size, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    } else {
        PyErr_Clear();
        reject(request, PyUnicode_Check(item) ? 49 : 50, item);
    }
    Py_XDECREF(bytes);
    return added;
}

/* One text would be taken for a list of its characters, and "wheel" for five groups. */
static void read_groups(mw_request *request, mw_question *question, PyObject *result)
{
    PyObject *iterator = PyUnicode_Check(result) || PyBytes_Check(result) ? NULL : PyObject_GetIter(result), *item;
    if (!iterator) {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            reject(request, 51, result);
        }
        return;
    }
    size_t size = 0;
    bool good = true;
    while (good && (item = PyIter_Next(iterator))) {
        good = add_group(request, question, &size, item);
        Py_DECREF(item);
    }
    Py_DECREF(iterator);
    mw_end_forked_copy();
    if (good && !PyErr_Occurred())
        question->answer = MW_TEXT;
}

static void read_name(mw_request *request, mw_question *question, PyObject *result)
{
    (void)request;
    if (result == Py_None)
        question->answer = MW_NOTHING;
    else
        take_latin1(question, result);
}

/* ---- Asking ---- */

/* Calls the function, borrowed: its result as a new reference, or NULL with an exception. */
static PyObject *call_function(PyObject *function, PyObject *environ, const mw_question *question)
{
    PyObject *arguments[4] = {NULL, environ, NULL, NULL}, *result = NULL;
    int n = subjects[question->subject].texts, have = 0;
    while (have < n && (arguments[2 + have] = PyUnicode_DecodeLatin1(question->texts[have], strlen(question->texts[have]), NULL)))
        have++;
    if (have == n)
        result = PyObject_Vectorcall(function, arguments + 1, (1 + n) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    while (have > 0)
        Py_DECREF(arguments[2 + --have]);
    return result;
}

/* Forgets what was read of an answer that is none. */
static void discard(mw_question *question)
{
    free(question->text);
    question->text = NULL;
    question->n_texts = 0;
}

static void ask(mw_request *request, PyObject *script, PyObject *environ, mw_question *question)
{
    const struct subject *subject = &subjects[question->subject];
    request->call->asked = subject->function;
    PyObject *name = mw_key(request->interp, subject->function);
    PyObject *function = name ? Py_XNewRef(PyDict_GetItemWithError(script, name)) : NULL;
    Py_XDECREF(name);
    if (!function && !PyErr_Occurred()) {
        if (subject->no_function)
            reject(request, subject->no_function, script);
        else
            question->answer = MW_NOTHING;
        return;
    }
    PyObject *result = function ? call_function(function, environ, question) : NULL;
    Py_XDECREF(function);
    mw_end_forked_copy();
    if (result)
        subject->read(request, question, result);
    if (question->answer == MW_FAILED)
        discard(question);
    if (PyErr_Occurred())
        mw_fail_exception(request, 174, 175);
    Py_XDECREF(result);
    mw_end_forked_copy();
}

static void ask_all(mw_request *request, mw_question *questions, size_t n)
{
    int status;
    bool dispatches = questions[0].subject >= MW_ASK_PROCESS_GROUP;
    PyObject *script = mw_script_dict(request, &status), *errors = NULL, *tls = NULL, *environ = NULL;
    if (!script)
        return;
    if ((request->log = mw_log_new(request->interp, "<log>", request)) && (errors = mw_log_text(request->interp, request->log)) &&
        (dispatches || (tls = mw_tls_new(request))) && (environ = mw_environ_to_ask(request, errors, tls))) {
        for (size_t i = 0; i < n && (i == 0 || questions[i - 1].answer != MW_FAILED); i++)
            ask(request, script, environ, &questions[i]);
    } else {
        mw_fail_exception(request, 174, 175);
    }
    if (tls)
        mw_tls_expire(tls);
    Py_XDECREF(environ);
    Py_XDECREF(tls);
    Py_DECREF(script);
    mw_request_expire(request, errors);
}

void mw_ask(mw_call *call, mw_question *questions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        questions[i].answer = MW_FAILED;
        questions[i].text = NULL;
        questions[i].n_texts = 0;
    }
    const struct subject *first = &subjects[questions[0].subject];
    int code = mw_this.running ? 191 : 210;
    mw_request request = {.call = call, .thread = mw_this.running ? mw_thread_self() : NULL, .declared = -1};
    call->asked = first->function;
    bool entered = request.thread && mw_request_enter(&request, &code);
    if (entered)
        ask_all(&request, questions, n);
    if (request.thread)
        mw_request_leave(&request);
    if (!entered) {
        char why[16];
        snprintf(why, sizeof why, "%d", code);
        mw_fail(call, first->no_interpreter, why);
    }
}
