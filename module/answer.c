/* Headers of an answer that a daemon process gives. In C because it is the steady path. Apache treats them as it does those of a CGI script
 * (ap_scan_script_header): applications were written for that, and differ in it from embedded ones. */
#include "edge.h"

#include <apr_date.h>
#include <apr_lib.h>

#include <stdlib.h>
#include <string.h>

int mw_answer_status(int status, const char *const *headers)
{
    for (; *headers; headers += 2) {
        int named = strcasecmp(headers[0], "Status") == 0 ? atoi(headers[1]) : 0;
        if (named >= 100 && named <= 599)
            status = named;
    }
    return status;
}

static void set_status(request_rec *r, const char *value)
{
    int status = atoi(value);
    if (status < 100 || status > 599)
        return;
    r->status = status;
    r->status_line = apr_pstrdup(r->pool, value);
}

static void set_content_type(request_rec *r, const char *value)
{
    char *type = apr_pstrdup(r->pool, value), *end = type + strlen(type);
    while (end > type && apr_isspace(end[-1]))
        *--end = '\0';
    for (char *c = type; *c && *c != ';'; c++)
        *c = apr_tolower(*c);
    ap_set_content_type(r, type);
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcasecmp(name, *names) != 0)
        names++;
    return *names;
}

void mw_answer_header(void *transport, const char *name, const char *value)
{
    static const char *const last_one_counts[] = {"Location", "Content-Range", "Transfer-Encoding", NULL};
    request_rec *r = ((mw_exchange *)transport)->r;
    if (strcasecmp(name, "Content-Type") == 0)
        set_content_type(r, value);
    else if (strcasecmp(name, "Status") == 0)
        set_status(r, value);
    else if (strcasecmp(name, "WWW-Authenticate") == 0)
        apr_table_add(r->err_headers_out, name, value); /* survives Apache's own error pages */
    else if (strcasecmp(name, "Set-Cookie") == 0)
        apr_table_add(r->headers_out, name, value);
    else if (strcasecmp(name, "Last-Modified") == 0) {
        ap_update_mtime(r, apr_date_parse_http(value));
        ap_set_last_modified(r);
    } else if (is_one_of(name, last_one_counts))
        apr_table_set(r->headers_out, name, value);
    else
        apr_table_merge(r->headers_out, name, value);
}
