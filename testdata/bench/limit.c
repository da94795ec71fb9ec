/* What Apache can do at most on this machine: the answers of apps.wsgi's /hello and /body from a handler in plain C. */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <string.h>

static const char hello[] = "Hello, world!\n";
static char body[100000];

static int answer(request_rec *r)
{
    const char *text = hello;
    int length = sizeof hello - 1;

    if (!strcmp(r->uri, "/body")) {
        text = body;
        length = sizeof body;
    }
    else if (strcmp(r->uri, "/hello") != 0)
        return DECLINED;
    ap_set_content_type(r, "text/plain");
    ap_set_content_length(r, length);
    ap_rwrite(text, length, r);
    return OK;
}

static void hooks(apr_pool_t *pool)
{
    (void)pool;
    memset(body, 'x', sizeof body);
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA limit_module = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks};
