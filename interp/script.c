/* Finding a request's script, and loading it when it is not there or has changed. In C because the finding is on the steady path and
 * because the loading runs application code, which may fork: no Go may be below it on the stack. Go names modules and reads files. */
#include "python.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- The scripts an interpreter knows ---- */

static mw_script **bucket_of(mw_interp *interp, const char *path)
{
    size_t h = 2166136261u;
    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * 16777619u;
    return &interp->scripts[h % MW_SCRIPT_BUCKETS];
}

static mw_script *find(mw_script *script, const char *path)
{
    while (script && strcmp(script->path, path) != 0)
        script = script->next;
    return script;
}

/* The record of a script, made on first use; NULL with an exception. The GIL is released while Go names the module. */
static mw_script *script_of(mw_interp *interp, const char *path)
{
    mw_script **bucket = bucket_of(interp, path), *script = find(*bucket, path);
    if (script)
        return script;
    char *name;
    Py_BEGIN_ALLOW_THREADS
    name = goMwScriptName(path);
    Py_END_ALLOW_THREADS
    if ((script = find(*bucket, path))) {
        free(name);
        return script;
    }
    script = calloc(1, sizeof *script);
    if (script && name && (script->path = strdup(path)) && (script->name = PyUnicode_FromString(name))) {
        pthread_mutex_init(&script->lock, NULL);
        script->next = *bucket;
        *bucket = script;
        free(name);
        return script;
    }
    free(name);
    if (script)
        free(script->path);
    free(script);
    if (!PyErr_Occurred())
        PyErr_NoMemory();
    return NULL;
}

/* ---- Is the loaded module still the script? ---- */

/* Modification time in microseconds, MW_MTIME_UNKNOWN if the file is not there. Releases the GIL. */
static int64_t modified(const mw_call *call)
{
    if (call->script_mtime != MW_MTIME_UNKNOWN)
        return call->script_mtime;
    struct stat about;
    int missing;
    Py_BEGIN_ALLOW_THREADS
    missing = stat(call->script, &about);
    Py_END_ALLOW_THREADS
    return missing ? MW_MTIME_UNKNOWN : (int64_t)about.st_mtim.tv_sec * 1000000 + about.st_mtim.tv_nsec / 1000;
}

/* When the file was changed that the module was loaded from, a borrowed int. NULL while another thread still loads it, and if the script
 * took it away. */
static PyObject *loaded_from(mw_request *request, PyObject *module)
{
    PyObject *loaded = PyModule_Check(module) ? PyDict_GetItemWithError(PyModule_GetDict(module), request->interp->names.mtime) : NULL;
    return loaded && PyLong_Check(loaded) ? loaded : NULL;
}

/* True if the module was loaded completely and, with reloading, from the file as it is now. */
static bool is_current(mw_request *request, PyObject *module)
{
    PyObject *loaded = loaded_from(request, module);
    if (!loaded)
        return false;
    int overflow;
    int64_t mtime = PyLong_AsLongLongAndOverflow(loaded, &overflow); /* before the GIL is released: the reference is borrowed */
    if (overflow)
        return false; /* nothing that we set */
    return !(request->call->flags & MW_CALL_RELOADING) || mtime == modified(request->call);
}

/* Asks the script's own reload_required(resource), if it has one. */
static bool wants_reload(mw_request *request, PyObject *module)
{
    const mw_call *call = request->call;
    if (!(call->flags & MW_CALL_RELOADING) || !call->resource)
        return false;
    if (call->flags & MW_CALL_RESTART && request->script->loaded >= call->queue_start) /* for this request, maybe: the process before was asked */
        return false;
    PyObject *ask = PyDict_GetItemWithError(PyModule_GetDict(module), request->interp->names.reload_required);
    PyObject *answer = NULL;
    if (!ask)
        return false;
    Py_INCREF(ask);
    PyObject *resource = PyUnicode_DecodeFSDefault(call->resource);
    answer = resource ? PyObject_CallOneArg(ask, resource) : NULL;
    mw_end_forked_copy();
    int wanted = answer ? PyObject_IsTrue(answer) : -1;
    if (wanted < 0)
        mw_fail_exception(request, 174, 175);
    Py_XDECREF(answer);
    Py_XDECREF(resource);
    Py_DECREF(ask);
    return wanted > 0;
}

/* ---- Loading ---- */

static PyObject *execute(mw_request *request, mw_script *script, const char *source, size_t n, int64_t mtime, int *status)
{
    PyObject *path = PyUnicode_DecodeFSDefault(script->path), *module = NULL, *stamp = NULL;
    PyObject *code = path ? PyObject_CallFunction(request->interp->compile, "y#Osii", source, (Py_ssize_t)n, path, "exec", 0, 1) : NULL;
    int when = code ? 109 : 105;
    if (code)
        module = PyImport_ExecCodeModuleObject(script->name, code, path, NULL);
    mw_end_forked_copy();
    if (module && !PyModule_Check(module)) {
        PyErr_SetString(PyExc_TypeError, "the script has put something that is no module into sys.modules under its own name");
        Py_CLEAR(module);
        PyDict_DelItem(PyImport_GetModuleDict(), script->name);
    }
    if (module && (!(stamp = PyLong_FromLongLong(mtime)) || PyObject_SetAttr(module, request->interp->names.mtime, stamp) < 0))
        Py_CLEAR(module);
    if (!module)
        *status = mw_fail_exception(request, when, when == 109 ? 107 : 105);
    Py_XDECREF(stamp);
    Py_XDECREF(code);
    Py_XDECREF(path);
    return module;
}

static void announce(const mw_call *call, const char *path, bool again)
{
    char line[4096];
    int length = snprintf(line, sizeof line, "%s script %s into application group '%s'", again ? "reloading" : "loading", path, call->application_group);
    call->ops->log(call->transport, MW_LOG_INFO, NULL, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

/* Loads the script anew; script->lock is held, and the GIL. */
static PyObject *load(mw_request *request, mw_script *script, int *status)
{
    const mw_call *call = request->call;
    char *reason = NULL, *source;
    size_t n = 0;
    int64_t mtime = 0;
    mw_version version;
    double began = mw_now();
    mw_about_to_run(call);
    Py_BEGIN_ALLOW_THREADS
    version = mw_version_of(script->path); /* first: what changes meanwhile is another version */
    source = goMwScriptRead(script->path, &n, &mtime, &reason);
    if (!source)
        *status = mw_fail(call, 105, reason);
    Py_END_ALLOW_THREADS
    free(reason);
    if (!source)
        return NULL;
    bool again = PyDict_DelItem(PyImport_GetModuleDict(), script->name) == 0;
    PyErr_Clear();
    announce(call, script->path, again);
    PyObject *module = execute(request, script, source, n, mtime, status);
    free(source);
    if (module) {
        __atomic_fetch_add(&mw_scripts_loaded, 1, __ATOMIC_RELAXED);
        script->version = version;
        script->loaded = began;
        mw_note_application(request->interp, script, "");
    }
    return module;
}

/* True if the request is to have the script as it is loaded, although it has changed. Releases the GIL. */
static bool passes_over(mw_request *request)
{
    bool passes;
    Py_BEGIN_ALLOW_THREADS
    passes = mw_passes_over(request->script);
    Py_END_ALLOW_THREADS
    return passes;
}

/* True if the script is loaded, and is not to be loaded again by this process. */
static bool is_for_successor(mw_request *request, PyObject *module)
{
    return module && request->call->flags & MW_CALL_RESTART && loaded_from(request, module);
}

/* The module, which has changed, for a request that passes over that; or NULL and *status: the request is for the process's successor. Steals
 * the module. */
static PyObject *old_code(mw_request *request, PyObject *module, int *status)
{
    if (passes_over(request))
        return module;
    *status = MW_AGAIN;
    Py_DECREF(module);
    return NULL;
}

/* Loads a script that others of the group have, too: they get the request if that fails, and the same version is not tried again here. script->lock
 * is held, and the GIL. */
static PyObject *try_load(mw_request *request, mw_script *script, int *status)
{
    mw_version version = mw_version_of(script->path);
    PyObject *module = mw_same_version(version, script->bad) ? NULL : load(request, script, status);
    if (!module) {
        script->bad = version;
        *status = MW_ELSEWHERE;
    }
    return module;
}

/* Takes the script's lock and loads it, unless another thread just did, or another process is to. `seen` is what was found before, `stale` if it
 * asked for a reload itself. */
static PyObject *load_once(mw_request *request, mw_script *script, PyObject *seen, bool stale, int *status)
{
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&script->lock);
    Py_END_ALLOW_THREADS
    PyObject *module = PyImport_GetModule(script->name);
    request->call->script_mtime = MW_MTIME_UNKNOWN; /* what is known may be older than what another thread has just loaded */
    bool current = module && is_current(request, module) && !(stale && module == seen);
    if (!current && is_for_successor(request, module)) {
        module = old_code(request, module, status);
    } else if (!current) {
        Py_XDECREF(module);
        module = request->may_leave ? try_load(request, script, status) : load(request, script, status);
    }
    pthread_mutex_unlock(&script->lock);
    return module;
}

/* Whether a script that is not loaded here is to be. Releases the GIL. */
static mw_advice ask_advice(const mw_call *call)
{
    mw_advice advice = MW_LOAD;
    Py_BEGIN_ALLOW_THREADS
    mw_version version = mw_version_of(call->script);
    if (!mw_is_forked_copy())
        advice = goMwAdvise(call->script, call->application_group, &version, !!(call->flags & MW_CALL_RELOADING));
    Py_END_ALLOW_THREADS
    return advice;
}

/* Loads a script for a request that may go to another process as well. */
static PyObject *load_or_leave(mw_request *request, mw_script *script, int *status)
{
    mw_advice advice = ask_advice(request->call);
    if (advice == MW_LEAVE) {
        *status = MW_ELSEWHERE;
        return NULL;
    }
    request->may_leave = advice == MW_TRY;
    return load_once(request, script, NULL, false, status);
}

PyObject *mw_script_dict(mw_request *request, int *status)
{
    mw_script *script = script_of(request->interp, request->call->script);
    request->script = script;
    PyObject *module = script ? PyImport_GetModule(script->name) : NULL;
    if (!script || (!module && PyErr_Occurred())) {
        *status = mw_fail_exception(request, 109, 107);
        return NULL;
    }
    bool current = module && is_current(request, module), stale = current && wants_reload(request, module);
    if (!module && request->call->flags & MW_CALL_RESTART) {
        module = load_or_leave(request, script, status);
    } else if ((!current || stale) && is_for_successor(request, module)) {
        module = old_code(request, module, status);
    } else if (!current || stale) {
        PyObject *loaded = load_once(request, script, module, stale, status);
        Py_XDECREF(module);
        module = loaded;
    }
    PyObject *dict = module ? Py_NewRef(PyModule_GetDict(module)) : NULL;
    Py_XDECREF(module);
    return dict;
}
