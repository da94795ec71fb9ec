/* The module record: what Apache looks for in mod_wsgi.so, and which hooks it gets. In C because these are Apache's static tables. */
#include "edge.h"

#include <mpm_common.h>
#include <http_request.h>

static void register_hooks(apr_pool_t *pool)
{
    /* Alias and Redirect are to win over WSGIScriptAlias; it wins over UserDir and mod_vhost_alias. */
    static const char *const before_us[] = {"mod_alias.c", NULL};
    static const char *const after_encryption[] = {"mod_ssl.c", NULL};
    static const char *const after_us[] = {"mod_userdir.c", "mod_vhost_alias.c", NULL};
    ap_hook_pre_config(mw_forget_recording, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(mw_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(mw_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(mw_start_supervisor, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_post_config(mw_hasten_children, NULL, NULL, APR_HOOK_REALLY_LAST + 1);
    ap_hook_child_status(mw_child_started, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(mw_watch_supervisor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(mw_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(mw_translate_name, before_us, after_us, APR_HOOK_MIDDLE);
    ap_hook_check_access(mw_check_access, after_encryption, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_URI);
    ap_hook_handler(mw_handler, NULL, NULL, APR_HOOK_MIDDLE);
    mw_register_auth(pool);
    mw_register_outflow();
}

/* Named mod_wsgi.c for <IfModule mod_wsgi.c>, whatever this file is called. */
__attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA wsgi_module = {
    MODULE_MAGIC_NUMBER_MAJOR,
    MODULE_MAGIC_NUMBER_MINOR,
    -1,
    "mod_wsgi.c",
    NULL,
    NULL,
    MODULE_MAGIC_COOKIE,
    NULL,
    mw_create_directory,
    mw_merge_directory,
    NULL,
    NULL,
    mw_commands,
    register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE,
#endif
};
