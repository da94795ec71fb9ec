/* Starting Python in this process. In C because PyConfig is macros and structs, and because what tells a forked copy from
 * the process itself must not need Go. */
#include "python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

mw_process mw_this;
uint64_t mw_go_entries, mw_scripts_loaded;

/* A page that the kernel empties in every copy of the process: tells one without a system call. */
static void mark_this_process(void)
{
    void *page = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
#ifdef MADV_WIPEONFORK
    if (madvise(page, sizeof(int), MADV_WIPEONFORK) == 0) {
        mw_this.original = page;
        *mw_this.original = 1;
        return;
    }
#endif
    munmap(page, sizeof(int));
}

bool mw_is_forked_copy(void)
{
    return mw_this.original ? !*mw_this.original : mw_this.pid && getpid() != mw_this.pid; /* no pid: Python was never started */
}

/* Fills config from options. CPython copies every string. */
static PyStatus configure(PyConfig *config, const mw_python_options *options)
{
    PyStatus status;
    config->parse_argv = 0;
    config->install_signal_handlers = 0;
    config->optimization_level = options->optimize;
    if (options->dont_write_bytecode)
        config->write_bytecode = 0;
    if (options->has_hash_seed) {
        config->use_hash_seed = 1;
        config->hash_seed = options->hash_seed;
    }
    if (options->program) {
        status = PyConfig_SetBytesString(config, &config->program_name, options->program);
        if (PyStatus_Exception(status))
            return status;
    }
    if (options->home) {
        status = PyConfig_SetBytesString(config, &config->home, options->home);
        if (PyStatus_Exception(status))
            return status;
    }
    char *arguments[] = {"mod_wsgi"};
    status = PyConfig_SetBytesArgv(config, 1, arguments);
    for (size_t i = 0; i < options->n_warnings && !PyStatus_Exception(status); i++) {
        wchar_t *filter = Py_DecodeLocale(options->warnings[i], NULL);
        if (!filter)
            return PyStatus_NoMemory();
        status = PyWideStringList_Append(&config->warnoptions, filter);
        PyMem_RawFree(filter);
    }
    return status;
}

/* What CPython says about a start that failed, malloc'ed. */
static char *reason_of(PyStatus status)
{
    char text[1024];
    if (PyStatus_IsExit(status))
        snprintf(text, sizeof text, "it asked to exit with status %d", status.exitcode);
    else
        snprintf(text, sizeof text, "%s (in %s)", status.err_msg ? status.err_msg : "it failed", status.func ? status.func : "its start");
    return strdup(text);
}

/* A copy that ends through exit() leaves out what Apache and libraries registered before: it would take down what the server uses, the
 * mutexes that its processes share for one. Its main thread's return and CPython's fatal errors come here. */
static void end_copy_at_once(int status, void *unused)
{
    (void)unused;
    if (mw_is_forked_copy())
        _exit(status);
}

char *mw_python_start(const mw_python_options *options, const mw_ops *ops)
{
    mw_this.options = *options;
    mw_this.ops = ops;
    mw_this.pid = getpid();
    mw_this.started = mw_now();
    mark_this_process();
    on_exit(end_copy_at_once, NULL);

    PyPreConfig preconfig;
    PyPreConfig_InitPythonConfig(&preconfig);
    preconfig.parse_argv = 0;
    PyStatus status = Py_PreInitialize(&preconfig);
    if (!PyStatus_Exception(status)) {
        PyConfig config;
        PyConfig_InitPythonConfig(&config);
        status = configure(&config, options);
        if (!PyStatus_Exception(status))
            status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
    }
    if (PyStatus_Exception(status))
        return reason_of(status);

    mw_interp *main_interp = mw_interp_adopt_main(PyThreadState_Get());
    PyEval_SaveThread();
    if (!main_interp)
        return strdup("the main interpreter could not be set up");
    if (!mw_gilstate_prepare_fork())
        return strdup("out of memory for a fork handler");
    if (!mw_python_prepare_stop())
        return strdup("the thread that ends Python with the process could not be made");
    mw_this.running = true;
    return NULL;
}
