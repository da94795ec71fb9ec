/* Interpreters by application group, and the thread states that enter them. In C because every request passes here, and
 * because it is CPython's structs.
 *
 * Order of locks: creation_lock is taken without a GIL and held while one is taken; nobody takes it with a GIL held. */
#include "python.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- The table of interpreters: lock-free to read, append-only ---- */

enum { BUCKETS = 256 };
static _Atomic(mw_interp *) buckets[BUCKETS];
static pthread_mutex_t creation_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t interpreters; /* guarded by creation_lock */
static mw_interp *main_interp;

/* Where each interpreter keeps the address of its own record: a capsule in its own dict, see PyInterpreterState_GetDict. */
static const char capsule_name[] = "mod_wsgi.interpreter";

static size_t hash_of(const char *group)
{
    size_t h = 2166136261u;
    for (; *group; group++)
        h = (h ^ (unsigned char)*group) * 16777619u;
    return h % BUCKETS;
}

static mw_interp *find(const char *group, size_t bucket)
{
    mw_interp *i = atomic_load_explicit(&buckets[bucket], memory_order_acquire);
    while (i && strcmp(i->group, group) != 0)
        i = i->next;
    return i;
}

mw_interp *mw_interp_known(const char *group)
{
    return mw_this.running ? find(group, hash_of(group)) : NULL;
}

void mw_interp_each(void (*visit)(mw_interp *interp, void *context), void *context)
{
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        for (mw_interp *i = atomic_load_explicit(&buckets[bucket], memory_order_acquire); i; i = i->next)
            if (i != main_interp)
                visit(i, context);
    if (main_interp)
        visit(main_interp, context);
}

mw_interp *mw_interp_current(void)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
    PyObject *capsule = dict ? PyDict_GetItemString(dict, capsule_name) : NULL;
    return capsule ? PyCapsule_GetPointer(capsule, capsule_name) : NULL;
}

/* ---- Setting up one interpreter; its GIL is held ---- */

static bool intern_names(mw_names *names)
{
#define X(field, text) \
    if (!(names->field = PyUnicode_InternFromString(text))) \
        return false;
    MW_NAMES(X)
#undef X
    return true;
}

/* Private: entries into Go so far, see gateway.h. Works in a forked copy: it reads memory. */
static PyObject *go_entries(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyLong_FromUnsignedLongLong(__atomic_load_n(&mw_go_entries, __ATOMIC_RELAXED));
}

static PyMethodDef go_entries_method = {"_go_entries", go_entries, METH_NOARGS, NULL};

static PyObject *triple(const int v[3])
{
    return Py_BuildValue("(iii)", v[0], v[1], v[2]);
}

static bool set_option(PyObject *options, const char *key, PyObject *value)
{
    if (!value)
        return false;
    int failed = PyDict_SetItemString(options, key, value);
    Py_DECREF(value);
    return failed == 0;
}

/* The layers of WSGIPythonPath as a new list of lists of directories. */
static PyObject *python_path(const mw_interp_options *options)
{
    PyObject *layers = PyList_New(0);
    for (size_t i = 0; layers && i < options->n_python_path; i++) {
        PyObject *layer = PyUnicode_DecodeFSDefault(options->python_path[i]);
        PyObject *directories = layer ? PyObject_CallMethod(layer, "split", "s", ":") : NULL;
        if (!directories || PyList_Append(layers, directories) < 0)
            Py_CLEAR(layers);
        Py_XDECREF(directories);
        Py_XDECREF(layer);
    }
    return layers;
}

/* What the module apache says: a new dict. */
static PyObject *apache_facts(mw_interp *interp)
{
    const mw_python_options *o = &mw_this.options;
    PyObject *d = PyDict_New();
    if (d && set_option(d, "version", Py_NewRef(interp->apache_version)) &&
        set_option(d, "maximum_processes", PyLong_FromLong(o->server_processes)) &&
        set_option(d, "threads_per_process", PyLong_FromLong(o->server_threads)) &&
        set_option(d, "description", PyUnicode_DecodeLatin1(o->server_description, strlen(o->server_description), NULL)) &&
        set_option(d, "mpm_name", PyUnicode_DecodeLatin1(o->server_mpm, strlen(o->server_mpm), NULL)) &&
        set_option(d, "build_date", PyUnicode_DecodeLatin1(o->server_built, strlen(o->server_built), NULL)))
        return d;
    Py_XDECREF(d);
    return NULL;
}

/* Adds functions in C to what bootstrap.py is told, under their names without the underscore of what applications don't see. */
static bool set_functions(PyObject *options)
{
    static PyMethodDef *const methods[] = {
        &mw_explain_refusal_method, &mw_report_method, &mw_inform_method, &mw_log_method, &mw_log_enabled_method, &mw_request_data_method,
        &mw_active_requests_method, &mw_record_method, &mw_drain_method, &mw_totals_method, &mw_server_method,
    };
    PyObject *module = PyUnicode_InternFromString("mod_wsgi");
    bool ok = module && set_option(options, "_go_entries", PyCFunction_NewEx(&go_entries_method, NULL, module));
    for (size_t i = 0; ok && i < sizeof methods / sizeof *methods; i++) {
        const char *name = methods[i]->ml_name;
        ok = set_option(options, name + (*name == '_'), PyCFunction_NewEx(methods[i], NULL, module));
    }
    Py_XDECREF(module);
    return ok;
}

/* What bootstrap.py is told: a new dict. */
static PyObject *bootstrap_options(mw_interp *interp)
{
    const mw_python_options *o = &mw_this.options;
    const mw_interp_options *own = &interp->options;
    PyObject *d = PyDict_New();
    if (d && set_option(d, "version", Py_NewRef(interp->module_version)) &&
        set_option(d, "apache", apache_facts(interp)) && set_functions(d) &&
        set_option(d, "process_group", PyUnicode_DecodeFSDefault(o->process_group)) &&
        set_option(d, "application_group", PyUnicode_DecodeLatin1(interp->group, strlen(interp->group), NULL)) &&
        set_option(d, "maximum_processes", PyLong_FromLong(o->maximum_processes)) &&
        set_option(d, "threads_per_process", PyLong_FromLong(o->threads_per_process)) &&
        set_option(d, "python_path", python_path(own)) &&
        set_option(d, "first_path", PyUnicode_DecodeFSDefault(o->first_path ? o->first_path : "")) &&
        set_option(d, "egg_cache", PyUnicode_DecodeFSDefault(o->egg_cache ? o->egg_cache : "")) &&
        set_option(d, "restrict_signal", PyBool_FromLong(own->restrict_signal)) &&
        set_option(d, "restrict_stdin", PyBool_FromLong(own->restrict_stdin)) &&
        set_option(d, "restrict_stdout", PyBool_FromLong(own->restrict_stdout)) &&
        set_option(d, "keep_stdio", PyBool_FromLong(o->keep_stdio)) &&
        set_option(d, "stderr", mw_log_text(interp, mw_log_new(interp, "<stderr>", NULL))) &&
        set_option(d, "stdout", mw_log_text(interp, mw_log_new(interp, "<stdout>", NULL))))
        return d;
    Py_XDECREF(d);
    return NULL;
}

static PyObject *import_attribute(const char *module, const char *attribute)
{
    PyObject *m = PyImport_ImportModule(module);
    PyObject *value = m ? PyObject_GetAttrString(m, attribute) : NULL;
    Py_XDECREF(m);
    return value;
}

/* Runs the Python files of this package in the namespace. */
static bool run_sources(PyObject *space)
{
    for (size_t i = 0; i < mw_this.options.n_sources; i++) {
        const mw_source *source = &mw_this.options.sources[i];
        PyObject *code = Py_CompileString(source->text, source->name, Py_file_input);
        PyObject *done = code ? PyEval_EvalCode(code, space, space) : NULL;
        Py_XDECREF(code);
        if (!done)
            return false;
        Py_DECREF(done);
    }
    return true;
}

/* A new reference to what the namespace calls so. */
static bool take(PyObject **to, PyObject *space, const char *name)
{
    return (*to = Py_XNewRef(PyDict_GetItemString(space, name)));
}

/* Runs our Python files in a namespace of their own and takes over what they define. */
static bool bootstrap(mw_interp *interp)
{
    PyObject *space = PyDict_New(), *done = NULL, *options = NULL;
    bool ok = space && set_option(space, "__name__", PyUnicode_InternFromString("mod_wsgi")) &&
        PyDict_SetItemString(space, "__builtins__", PyEval_GetBuiltins()) == 0 && run_sources(space) &&
        take(&interp->file_wrapper, space, "FileWrapper") && take(&interp->request_timeout, space, "RequestTimeout") &&
        take(&interp->event_callbacks, space, "event_callbacks") && take(&interp->shutdown_callbacks, space, "shutdown_callbacks") &&
        take(&interp->signal_callbacks, space, "signal_callbacks") && take(&interp->shutdown, space, "shutdown") &&
        take(&interp->format_exception, space, "format_exception") && (options = bootstrap_options(interp));
    PyObject *install = ok ? PyDict_GetItemString(space, "install") : NULL;
    done = install ? PyObject_CallOneArg(install, options) : NULL;
    ok = done != NULL;
    Py_XDECREF(done);
    Py_XDECREF(options);
    Py_XDECREF(space);
    return ok;
}

static bool set_up(mw_interp *interp)
{
    interp->state = PyInterpreterState_Get();
    PyObject *dict = PyInterpreterState_GetDict(interp->state), *capsule = PyCapsule_New(interp, capsule_name, NULL);
    bool kept = dict && capsule && PyDict_SetItemString(dict, capsule_name, capsule) == 0;
    Py_XDECREF(capsule);
    if (kept && interp->options.switch_interval > 0 && !mw_switch_interval_set(interp->options.switch_interval))
        return false;
    return kept && intern_names(&interp->names) && (interp->wsgi_version = Py_BuildValue("(ii)", 1, 0)) &&
        (interp->module_version = triple(mw_this.options.module_version)) &&
        (interp->apache_version = triple(mw_this.options.apache_version)) &&
        (interp->text_wrapper = import_attribute("io", "TextIOWrapper")) &&
        (interp->text_wrapper_args = Py_BuildValue("(ssss)", "encoding", "errors", "line_buffering", "write_through")) &&
        (interp->compile = import_attribute("builtins", "compile")) &&
        (interp->adapter_type = mw_adapter_type_new()) && (interp->input_type = mw_input_type_new()) &&
        (interp->log_type = mw_log_type_new()) && bootstrap(interp);
}

static mw_interp *record_new(const char *group)
{
    mw_interp *interp = calloc(1, sizeof *interp);
    if (interp && !(interp->group = strdup(group))) {
        free(interp);
        return NULL;
    }
    return interp;
}

static void publish(mw_interp *interp)
{
    size_t bucket = hash_of(interp->group);
    interp->next = atomic_load_explicit(&buckets[bucket], memory_order_relaxed);
    atomic_store_explicit(&buckets[bucket], interp, memory_order_release);
}

/* ---- Threads ---- */

static pthread_key_t thread_key;
static __thread mw_thread *this_thread;
static atomic_uint thread_numbers;

/* Deletes the ending thread's states, each under its own GIL. */
static void thread_ends(void *value)
{
    mw_thread *thread = value;
    bool alive = mw_this.running && !mw_is_forked_copy();
    for (size_t i = 0; alive && i < thread->n_states; i++) {
        if (!thread->states[i])
            continue;
        mw_gilstate_follow(thread->states[i]);
        PyEval_RestoreThread(thread->states[i]);
        PyThreadState_Clear(thread->states[i]);
        PyThreadState_DeleteCurrent();
    }
    if (thread->meter && alive)
        mw_meter_give_back(thread->meter);
    free(thread->states);
    free(thread->output);
    free(thread);
    this_thread = NULL;
}

/* Apache blocks every signal in its threads, Go lets some through in those that it was entered on, and processes that the application starts
 * inherit that. Multiprocessing's server for forks waits for SIGCHLD, so it must not depend on the thread whether it comes. */
static void let_through_ends_of_children(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
}

mw_thread *mw_thread_self(void)
{
    if (this_thread)
        return this_thread;
    mw_thread *thread = calloc(1, sizeof *thread);
    if (!thread || !(thread->output = malloc(MW_OUTPUT_SIZE)) || pthread_setspecific(thread_key, thread) != 0) {
        if (thread)
            free(thread->output);
        free(thread);
        return NULL;
    }
    let_through_ends_of_children();
    thread->number = atomic_fetch_add(&thread_numbers, 1);
    return this_thread = thread;
}

mw_thread *mw_thread_known(void)
{
    return this_thread;
}

bool mw_thread_inside(void)
{
    return this_thread && (this_thread->depth > 0 || this_thread->counting);
}

/* Keeps state as the thread's own for the interpreter. */
static bool keep_state(mw_thread *thread, mw_interp *interp, PyThreadState *state)
{
    if (interp->number >= thread->n_states) {
        size_t n = interp->number + 8;
        PyThreadState **grown = realloc(thread->states, n * sizeof *grown);
        if (!grown)
            return false;
        memset(grown + thread->n_states, 0, (n - thread->n_states) * sizeof *grown);
        thread->states = grown;
        thread->n_states = n;
    }
    thread->states[interp->number] = state;
    return true;
}

bool mw_enter(mw_interp *interp, mw_thread *thread)
{
    if (interp->number >= thread->n_states || !thread->states[interp->number]) {
        PyThreadState *state = PyThreadState_New(interp->state);
        if (!state || !keep_state(thread, interp, state))
            return false;
    }
    PyThreadState *state = thread->states[interp->number];
    mw_gilstate_follow(state); /* first: a debug build aborts on another state of the same interpreter, see create() */
    PyEval_RestoreThread(state);
    return true;
}

void mw_leave(void)
{
    PyEval_SaveThread();
}

/* ---- Creating ---- */

mw_interp *mw_interp_adopt_main(PyThreadState *state)
{
    mw_thread *thread = NULL;
    if (pthread_key_create(&thread_key, thread_ends) != 0 || !(thread = mw_thread_self()) ||
        !(main_interp = record_new("")))
        return NULL;
    main_interp->options = mw_this.options.main;
    PyObject *threading = PyImport_ImportModule("threading"); /* so that its main thread is this one */
    Py_XDECREF(threading);
    if (!threading || !set_up(main_interp) || !keep_state(thread, main_interp, state)) {
        if (PyErr_Occurred())
            PyErr_Print();
        return NULL;
    }
    interpreters = 1;
    publish(main_interp);
    return main_interp;
}

static void record_delete(mw_interp *interp)
{
    if (!interp)
        return;
    mw_interp_options_clear(&interp->options);
    free(interp->group);
    free(interp);
}

/* Asks Go what the interpreter is to be like. No GIL held. */
static void decide(mw_interp *interp)
{
    goMwInterpreterOptions(interp->group, &interp->options);
    if (interp->options.warning)
        mw_this.ops->log(NULL, MW_LOG_WARNING, NULL, interp->options.warning, strlen(interp->options.warning));
    char line[1024];
    int length = snprintf(line, sizeof line, "creating the interpreter of application group '%s'%s", interp->group,
                          interp->options.own_gil ? " with its own GIL" : "");
    mw_this.ops->log(NULL, MW_LOG_INFO, NULL, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

/* Makes the sub-interpreter. creation_lock is held, no GIL. Its first thread state is nobody's and stays for ever: CPython 3.11 aborts the
 * process when an interpreter whose thread states are all gone (its threads have ended) is given a new one. */
static mw_interp *create(const char *group, mw_thread *thread)
{
    mw_interp *interp = record_new(group);
    if (interp)
        decide(interp);
    if (!interp || !mw_enter(main_interp, thread)) {
        record_delete(interp);
        return NULL;
    }
    interp->number = interpreters;
    PyThreadState *before = PyThreadState_Get(), *state = mw_subinterpreter_new(&interp->options);
    if (state)
        mw_gilstate_follow(state);
    bool ok = state && set_up(interp);
    if (ok) {
        interpreters++;
        mw_leave();
        publish(interp);
        return interp;
    }
    mw_call call = {.ops = mw_this.ops, .application_group = group};
    mw_request request = {.call = &call};
    mw_fail_exception(&request, 189, 189);
    if (state) {
        Py_EndInterpreter(state); /* leaves no thread state behind, and no GIL held that is not the main interpreter's */
        PyThreadState_Swap(before);
    }
    mw_leave();
    record_delete(interp);
    return NULL;
}

mw_interp *mw_interp_get(const char *group, int *code)
{
    size_t bucket = hash_of(group);
    mw_interp *interp = find(group, bucket);
    if (interp)
        return interp;
    mw_thread *thread = mw_thread_self();
    if (!thread)
        return NULL;
    pthread_mutex_lock(&creation_lock);
    interp = find(group, bucket);
    bool full = interpreters >= MW_MOST_INTERPRETERS; /* clients can choose names, and interpreters are never given up */
    if (!interp && !full)
        interp = create(group, thread);
    pthread_mutex_unlock(&creation_lock);
    *code = interp ? 0 : full ? 301 : 87;
    return interp;
}
