/* The late start: Go and Python begin in each child of Apache's, after the fork (architecture, section 1). In C because Go can't start
 * itself. ../shared/prototype is the proof of the way. */
#include "edge.h"

#include <ap_mpm.h>
#include <ap_release.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

mw_child mw_this_child;

/* The Go archive's constructors, moved out of .init_array by the build: exactly one, which starts the runtime; .ci/link-module makes sure
 * of that. Weak for the tests of this package, which are ordinary programs. */
typedef void (*constructor)(int argc, char **argv, char **envp);
extern constructor __start_modwsgi_go_init[] __attribute__((weak, visibility("hidden")));
extern constructor __stop_modwsgi_go_init[] __attribute__((weak, visibility("hidden")));

/* Go looks for the auxiliary vector behind these, so they must be the real ones. */
static struct {
    int argc;
    char **argv, **envp;
} process_arguments;

__attribute__((constructor)) static void keep_arguments(int argc, char **argv, char **envp)
{
    process_arguments.argc = argc;
    process_arguments.argv = argv;
    process_arguments.envp = envp;
}

/* Starts Go's threads with every asynchronous signal blocked, for good: no handler of Apache's may ever run on a Go stack. */
static void start_go_runtime(void)
{
    static bool started; /* with -X the same process is configured again after a restart */
    if (started)
        return;
    started = true;
    /* With -X this is the process that unloads its modules at the end, and Go's threads would lose their code. */
    Dl_info self;
    if (dladdr((void *)start_go_runtime, &self))
        dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    for (constructor *c = __start_modwsgi_go_init; c < __stop_modwsgi_go_init; c++)
        (*c)(process_arguments.argc, process_arguments.argv, process_arguments.envp);
}

static void block_asynchronous_signals(sigset_t *before)
{
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF, SIGURG};
    sigset_t asynchronous;
    sigfillset(&asynchronous);
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        sigdelset(&asynchronous, synchronous[i]);
    pthread_sigmask(SIG_BLOCK, &asynchronous, before);
}

static int mpm(int query)
{
    int value = 0;
    return ap_mpm_query(query, &value) == APR_SUCCESS ? value : 0;
}

static mw_facts gather_facts(void)
{
    mw_facts facts = {
        .apache_version = {AP_SERVER_MAJORVERSION_NUMBER, AP_SERVER_MINORVERSION_NUMBER, AP_SERVER_PATCHLEVEL_NUMBER},
        .maximum_processes = mpm(AP_MPMQ_MAX_DAEMON_USED),
        .threads_per_process = mpm(AP_MPMQ_MAX_THREADS),
        .module_version = {MW_VERSION_MAJOR, MW_VERSION_MINOR, MW_VERSION_PATCH},
        .single_process = getpid() == mw_this_child.configured_by,
        .description = ap_get_server_description(),
        .mpm = ap_show_mpm(),
        .built = ap_get_server_built(),
    };
    facts.former_board = mw_inherit_former_board(&facts.former_generation);
    facts.board = mw_inherit_board();
    if (facts.maximum_processes < 1)
        facts.maximum_processes = mpm(AP_MPMQ_MAX_DAEMONS);
    if (facts.maximum_processes < 1)
        facts.maximum_processes = 1;
    if (facts.threads_per_process < 1)
        facts.threads_per_process = 1;
    return facts;
}

/* The checker compiled them before; here they are made for this process. */
static void compile_patterns(apr_pool_t *pool, mw_config *config, server_rec *s)
{
    for (size_t i = 0; i < config->n_aliases; i++) {
        mw_alias *alias = &config->aliases[i];
        if (alias->is_regex && !(alias->regex = ap_pregcomp(pool, alias->location, AP_REG_EXTENDED)))
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "mod_wsgi: '%s' of WSGIScriptAliasMatch can't be compiled and matches nothing", alias->location);
    }
}

enum { STOP_SECONDS = 5 }; /* the parent sends SIGKILL 9 s after it told a child to stop */

/* The child ends: on its main thread, in prefork inside the handler of SIGTERM. */
static apr_status_t stop_python(void *s)
{
    switch (mw_python_stop(STOP_SECONDS, !mw_this_child.config->destroy_interpreter)) {
    case MW_STOP_BUSY:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "this process ends in the middle of a request: Python's exit functions do not run");
        break;
    case MW_STOP_LATE:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "Python's exit functions take longer than %d s: this process ends without waiting for them", STOP_SECONDS + 1);
        break;
    case MW_STOP_DONE:
    case MW_STOP_NOTHING:
        break;
    }
    return APR_SUCCESS;
}

void mw_child_init(apr_pool_t *pool, server_rec *s)
{
    mw_facts facts = gather_facts();
    mw_blob recording = mw_current_recording();
    mw_this_child.main_server = s;
    mw_this_child.pid = apr_ltoa(pool, getpid());
    mw_this_child.multithread = mpm(AP_MPMQ_IS_THREADED) != AP_MPMQ_NOT_SUPPORTED && mpm(AP_MPMQ_MAX_THREADS) != 1;
    mw_this_child.multiprocess = mpm(AP_MPMQ_IS_FORKED) != AP_MPMQ_NOT_SUPPORTED && mpm(AP_MPMQ_MAX_DAEMONS) != 1;

    sigset_t before;
    char *report = NULL, *error = NULL;
    block_asynchronous_signals(&before);
    start_go_runtime();
    mw_config *config = goMwStart(recording.data, recording.n, &facts, &mw_apache_ops, &report, &error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (report)
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "%s", report);
    if (error)
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "%s", error);
    free(report);
    free(error);
    mw_forget_plans();
    mw_this_child.failed = !config;
    if (config) {
        compile_patterns(pool, config, s);
        mw_this_child.running = true;
        mw_this_child.config = config;
        apr_pool_pre_cleanup_register(pool, s, stop_python);
    }
    mw_tell_supervisor_of_child();
}
