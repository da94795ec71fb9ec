/* Finding the plan for a request. In C because it is on the steady path. */
#include "edge.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A plan under the identity of its configuration: the server and the leaves that apply. Never freed: configurations are few. */
typedef struct entry {
    struct entry *next;
    const mw_plan *plan;
    uint32_t server;
    size_t n;
    uint32_t leaves[];
} entry;

enum { BUCKETS = 1024 };
static _Atomic(entry *) buckets[BUCKETS];

void mw_forget_plans(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        atomic_store(&buckets[i], NULL);
}

static size_t hash_of(uint32_t server, const uint32_t *leaves, size_t n)
{
    uint32_t h = server * 2654435761u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ leaves[i]) * 2654435761u;
    return (h ^ h >> 15) % BUCKETS;
}

static const entry *find(size_t bucket, uint32_t server, const uint32_t *leaves, size_t n)
{
    const entry *e = atomic_load_explicit(&buckets[bucket], memory_order_acquire);
    while (e && !(e->server == server && e->n == n && memcmp(e->leaves, leaves, n * sizeof *leaves) == 0))
        e = e->next;
    return e;
}

/* Two threads may add the same plan at the same time: both are right, and one is found. */
static void add(size_t bucket, uint32_t server, const uint32_t *leaves, size_t n, const mw_plan *plan)
{
    entry *e = malloc(sizeof *e + n * sizeof *leaves);
    if (!e)
        return;
    e->plan = plan;
    e->server = server;
    e->n = n;
    memcpy(e->leaves, leaves, n * sizeof *leaves);
    e->next = atomic_load(&buckets[bucket]);
    while (!atomic_compare_exchange_weak(&buckets[bucket], &e->next, e))
        ;
}

static const mw_plan *compile(request_rec *r, uint32_t server, const uint32_t *leaves, size_t n, mw_blob local)
{
    char *error = NULL;
    const mw_plan *plan = goMwPlan(server, leaves, n, local.data, local.n, &error);
    if (!plan)
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "mod_wsgi: the configuration for this request is not usable: %s", error);
    free(error);
    return plan;
}

/* The plan that a request with .htaccess files was found to have: what guards it is asked several times in one request. */
typedef struct found {
    const mw_directory *directory;
    const mw_plan *plan;
} found;

static const mw_plan *found_before(request_rec *r, const mw_directory *directory)
{
    const found *before = ap_get_module_config(r->request_config, &wsgi_module);
    return before && before->directory == directory ? before->plan : NULL;
}

static const mw_plan *remember(request_rec *r, const mw_directory *directory, const mw_plan *plan)
{
    found *now = apr_palloc(r->pool, sizeof *now);
    *now = (found){directory, plan};
    ap_set_module_config(r->request_config, &wsgi_module, now);
    return plan;
}

/* With .htaccess files. Their leaves are numbered anew, so that Go recognizes the same files in the next request. */
static const mw_plan *compile_local(request_rec *r, uint32_t server, const uint32_t *leaves, size_t n, const apr_array_header_t *local)
{
    uint32_t *renumbered = apr_pmemdup(r->pool, leaves, n * sizeof *leaves), next = 0;
    apr_array_header_t *records = apr_array_copy(r->pool, local);
    for (size_t i = 0; i < n; i++) {
        if (!(leaves[i] & MW_LOCAL_LEAF))
            continue;
        renumbered[i] = MW_LOCAL_LEAF | next++;
        for (int j = 0; j < records->nelts; j++)
            if (APR_ARRAY_IDX(local, j, mw_record).leaf == leaves[i])
                APR_ARRAY_IDX(records, j, mw_record).leaf = renumbered[i];
    }
    return compile(r, server, renumbered, n, mw_encode_local(r->pool, records));
}

bool mw_has_local_directives(request_rec *r)
{
    const mw_directory *directory = ap_get_module_config(r->per_dir_config, &wsgi_module);
    return directory && directory->local;
}

const mw_plan *mw_plan_for(request_rec *r)
{
    const mw_server *server = ap_get_module_config(r->server->module_config, &wsgi_module);
    const mw_directory *directory = ap_get_module_config(r->per_dir_config, &wsgi_module);
    if (!directory || !directory->used)
        return &mw_this_child.config->servers[server->number].plan;
    const uint32_t *leaves = directory->leaves ? (const uint32_t *)directory->leaves->elts : &directory->leaf;
    size_t n = directory->leaves ? (size_t)directory->leaves->nelts : directory->leaf ? 1 : 0;
    if (directory->local) {
        const mw_plan *before = found_before(r, directory);
        return before ? before : remember(r, directory, compile_local(r, server->number, leaves, n, directory->local));
    }
    size_t bucket = hash_of(server->number, leaves, n);
    const entry *e = find(bucket, server->number, leaves, n);
    if (e)
        return e->plan;
    const mw_plan *plan = compile(r, server->number, leaves, n, (mw_blob){NULL, 0});
    if (plan)
        add(bucket, server->number, leaves, n, plan);
    return plan;
}
