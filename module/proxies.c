/* WSGITrustedProxies and WSGITrustedProxyHeaders. In C because it is on the steady path of sites behind a proxy. */
#include "edge.h"

#include <apr_lib.h>

#include <arpa/inet.h>
#include <string.h>

static bool parse_address(const char *text, uint8_t address[16], uint8_t *bytes)
{
    *bytes = 4;
    if (inet_pton(AF_INET, text, address) == 1)
        return true;
    *bytes = 16;
    if (inet_pton(AF_INET6, text, address) != 1)
        return false;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(address, mapped, sizeof mapped) == 0) {
        memmove(address, address + 12, 4);
        *bytes = 4;
    }
    return true;
}

static bool within(const uint8_t *address, const mw_network *network)
{
    size_t whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->address, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ network->address[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

/* Without WSGITrustedProxies every peer is trusted; text that is no address never is. Numbers only: no name is looked up. */
static bool is_trusted(const mw_plan *plan, const char *text)
{
    if (!plan->trusted_proxies_set)
        return true;
    uint8_t address[16], bytes;
    if (!text || !parse_address(text, address, &bytes))
        return false;
    for (size_t i = 0; i < plan->n_trusted_proxies; i++)
        if (plan->trusted_proxies[i].bytes == bytes && within(address, &plan->trusted_proxies[i]))
            return true;
    return false;
}

static apr_array_header_t *split(apr_pool_t *pool, const char *list)
{
    apr_array_header_t *items = apr_array_make(pool, 8, sizeof(char *));
    while (*list) {
        size_t n = strcspn(list, ",");
        const char *start = list, *end = list + n;
        while (start < end && apr_isspace(*start))
            start++;
        while (end > start && apr_isspace(end[-1]))
            end--;
        if (end > start)
            APR_ARRAY_PUSH(items, char *) = apr_pstrndup(pool, start, end - start);
        list += n + (list[n] == ',');
    }
    return items;
}

static const char *join(apr_pool_t *pool, const apr_array_header_t *items)
{
    size_t n = 1;
    for (int i = 0; i < items->nelts; i++)
        n += strlen(APR_ARRAY_IDX(items, i, char *)) + 2;
    char *list = apr_palloc(pool, n), *to = list;
    for (int i = 0; i < items->nelts; i++) {
        if (i > 0)
            to = stpcpy(to, ", ");
        to = stpcpy(to, APR_ARRAY_IDX(items, i, char *));
    }
    *to = '\0';
    return list;
}

/* X-Forwarded-For: the client is what the trusted proxies at the right end of the list say they talked to. */
static void apply_list(request_rec *r, mw_variables *v, const mw_plan *plan, const char *key, const char *list)
{
    apr_array_header_t *items = split(r->pool, list);
    char **item = (char **)items->elts;
    int n = items->nelts;
    if (n == 0)
        return;
    if (!plan->trusted_proxies_set) {
        mw_set_variable(v, "REMOTE_ADDR", item[0]);
        return;
    }
    int first = n; /* of the trusted items at the right end */
    while (first > 0 && is_trusted(plan, item[first - 1]))
        first--;
    int client = first == n ? n - 1 : first > 0 ? first - 1 : 0;
    apr_array_header_t rest = *items;
    rest.elts += client * items->elt_size;
    rest.nelts -= client;
    mw_set_variable(v, "REMOTE_ADDR", item[client]);
    mw_set_variable(v, key, join(r->pool, &rest));
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(value, *words) == 0)
            return true;
    return false;
}

static void apply_scheme(mw_variables *v, int treatment, const char *value)
{
    static const char *const flag_on[] = {"on", "true", "1", NULL}, *const flag_off[] = {"off", "false", "0", NULL};
    static const char *const name_on[] = {"https", NULL}, *const name_off[] = {"http", NULL};
    bool flag = treatment == MW_PROXY_SCHEME_FLAG;
    if (is_one_of(value, flag ? flag_on : name_on))
        v->https = true;
    else if (is_one_of(value, flag ? flag_off : name_off))
        v->https = false;
}

static void apply(request_rec *r, mw_variables *v, const mw_plan *plan, const mw_proxy_header *header, const char *value)
{
    static const char *const replaced[MW_PROXY_CATEGORIES] = {
        [MW_PROXY_CLIENT] = "REMOTE_ADDR", [MW_PROXY_HOST] = "HTTP_HOST", [MW_PROXY_SERVER] = "SERVER_NAME",
        [MW_PROXY_PORT] = "SERVER_PORT", [MW_PROXY_SCRIPT_NAME] = "SCRIPT_NAME"};
    if (header->treatment == MW_PROXY_LIST)
        apply_list(r, v, plan, header->key, value);
    else if (header->category == MW_PROXY_SCHEME)
        apply_scheme(v, header->treatment, value);
    else
        mw_set_variable(v, replaced[header->category], value);
    if (header->category == MW_PROXY_SCRIPT_NAME)
        mw_set_variable(v, "mod_wsgi.mount_point", value);
}

bool mw_apply_trusted_proxies(request_rec *r, mw_variables *v, const mw_plan *plan)
{
    const mw_config *config = mw_this_child.config;
    bool trusted = is_trusted(plan, mw_variable(v, "REMOTE_ADDR")), declared[MW_PROXY_CATEGORIES] = {false};
    const char *winner[MW_PROXY_CATEGORIES] = {NULL};
    for (size_t i = 0; i < plan->n_proxy_headers; i++) {
        const mw_proxy_header *header = &plan->proxy_headers[i];
        const char *value = trusted ? mw_variable(v, header->key) : NULL;
        declared[header->category] = true;
        if (!value)
            continue;
        apply(r, v, plan, header, value);
        winner[header->category] = header->key;
    }
    /* Of a category that the administrator named, only what counted may reach the application. */
    for (size_t i = 0; i < config->n_proxy_headers; i++) {
        const mw_proxy_header *header = &config->proxy_headers[i];
        const char *kept = winner[header->category];
        if (declared[header->category] && !(kept && strcmp(kept, header->key) == 0))
            mw_remove_variable(v, header->key);
    }
    return winner[MW_PROXY_SCHEME] != NULL;
}
