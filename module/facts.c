/* What only Apache knows and a recording says beside the directives: facts, texts by name. In C because it runs in the parent. Package
 * directives, the supervisor and daemon processes read them. */
#include "edge.h"

#include <ap_mpm.h>
#include <ap_release.h>
#include <http_main.h>
#include <mpm_common.h>
#include <unixd.h>
#include <util_cfgtree.h>

#include <string.h>
#include <unistd.h>

extern const char *Py_GetVersion(void); /* CPython's; works before Python is started */

static const char *mpm_number(apr_pool_t *pool, int query)
{
    int value;
    return ap_mpm_query(query, &value) == APR_SUCCESS ? apr_itoa(pool, value) : "";
}

static const char *python_version(apr_pool_t *pool)
{
    const char *python = Py_GetVersion();
    return apr_pstrndup(pool, python, strcspn(python, " "));
}

apr_table_t *mw_configuration_facts(apr_pool_t *pool)
{
    apr_table_t *facts = apr_table_make(pool, 24);
    apr_table_setn(facts, "server_root", ap_server_root);
    apr_table_setn(facts, "runtime_dir", ap_runtime_dir_relative(pool, ""));
    apr_table_setn(facts, "euid", apr_ltoa(pool, geteuid()));
    apr_table_setn(facts, "mpm", ap_show_mpm());
    apr_table_setn(facts, "threaded", mpm_number(pool, AP_MPMQ_IS_THREADED));
    apr_table_setn(facts, "max_threads", mpm_number(pool, AP_MPMQ_MAX_THREADS));
    apr_table_setn(facts, "max_daemons", mpm_number(pool, AP_MPMQ_MAX_DAEMONS));
    apr_table_setn(facts, "user", ap_unixd_config.user_name ? ap_unixd_config.user_name : "");
    apr_table_setn(facts, "uid", apr_ltoa(pool, ap_unixd_config.user_id));
    apr_table_setn(facts, "gid", apr_ltoa(pool, ap_unixd_config.group_id));
    apr_table_setn(facts, "config_test", ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST ? "1" : "0");
    apr_table_setn(facts, "main_pass", ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG ? "0" : "1");
    apr_table_setn(facts, "apache_version", apr_psprintf(pool, "%d.%d.%d", AP_SERVER_MAJORVERSION_NUMBER, AP_SERVER_MINORVERSION_NUMBER, AP_SERVER_PATCHLEVEL_NUMBER));
    apr_table_setn(facts, "module_version", apr_psprintf(pool, "%d.%d.%d", MW_VERSION_MAJOR, MW_VERSION_MINOR, MW_VERSION_PATCH));
    apr_table_setn(facts, "python_version", python_version(pool));
    return facts;
}

/* ---- What is known in post_config only, once logs are open and the process is the one that stays ---- */

/* The last ErrorLogFormat of a server among its directives, NULL if it has none. Apache keeps it parsed only; <IfModule> and the like are
 * resolved in its tree. The formats of connections and requests, which begin with a word that says so, are not for lines that belong to neither. */
static const char *error_log_format(const ap_directive_t *d)
{
    const char *format = NULL;
    for (; d; d = d->next)
        if (strcasecmp(d->directive, "ErrorLogFormat") == 0 && strncasecmp(d->args, "connection ", 11) != 0 && strncasecmp(d->args, "request ", 8) != 0)
            format = d->args;
    return format;
}

/* Virtual hosts with a format of their own are few: each is looked up by where it stands. */
static void add_formats(apr_table_t *facts, apr_pool_t *pool, const server_rec *main_server)
{
    const char *format = error_log_format(ap_conftree);
    if (format)
        apr_table_setn(facts, "error_log_format", format);
    for (const ap_directive_t *d = ap_conftree; d; d = d->next) {
        unsigned number = 0;
        if (strcasecmp(d->directive, "<VirtualHost") != 0 || !(format = error_log_format(d->first_child)))
            continue;
        for (const server_rec *s = main_server; s; s = s->next, number++)
            if (s->is_virtual && s->defn_line_number == (unsigned)d->line_num && s->defn_name && strcmp(s->defn_name, d->filename) == 0)
                apr_table_setn(facts, apr_psprintf(pool, "server.%u.error_log_format", number), format);
    }
}

static void add_server_facts(apr_table_t *facts, apr_pool_t *pool, const server_rec *s, const server_rec *main_server, unsigned number)
{
    apr_os_file_t log;
    apr_table_setn(facts, apr_psprintf(pool, "server.%u.log_level", number), apr_itoa(pool, ap_get_server_module_loglevel(s, wsgi_module.module_index)));
    apr_table_setn(facts, apr_psprintf(pool, "server.%u.timeout", number), apr_ltoa(pool, apr_time_sec(s->timeout)));
    if (s->error_log && s->error_log != main_server->error_log && apr_os_file_get(&log, s->error_log) == APR_SUCCESS)
        apr_table_setn(facts, apr_psprintf(pool, "server.%u.log_fd", number), apr_itoa(pool, log));
}

void mw_add_start_facts(apr_table_t *facts, apr_pool_t *pool, server_rec *main_server)
{
    unsigned number = 0;
    apr_table_setn(facts, "parent_pid", apr_ltoa(pool, getpid()));
    apr_table_setn(facts, "generation", mpm_number(pool, AP_MPMQ_GENERATION));
    apr_table_setn(facts, "server_description", ap_get_server_description());
    apr_table_setn(facts, "server_built", ap_get_server_built());
    apr_table_setn(facts, "max_daemons_used", mpm_number(pool, AP_MPMQ_MAX_DAEMON_USED));
    apr_table_setn(facts, "timeout", apr_ltoa(pool, apr_time_sec(main_server->timeout)));
    if (ap_coredumpdir_configured)
        apr_table_setn(facts, "core_dump_directory", apr_pstrdup(pool, ap_coredump_dir));
    add_formats(facts, pool, main_server);
    for (const server_rec *s = main_server; s; s = s->next)
        add_server_facts(facts, pool, s, main_server, number++);
}
