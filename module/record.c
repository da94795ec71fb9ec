/* Recording directives while Apache reads its configuration. In C because it runs in the parent, where Go does not live, and because of
 * Apache's static tables. Nothing is interpreted here: package directives does that, in the checker and in each child. */
#include "edge.h"

#include <stdatomic.h>
#include <string.h>

/* The recording of the configuration being read: one per process, as the hooks of Apache have no other place for it. Begun
 * anew in pre_config, in the pool of that configuration. */
static struct {
    apr_pool_t *pool;
    apr_array_header_t *records;
    uint32_t leaves;
} recording;

static atomic_uint local_leaves; /* of .htaccess files, in a child */

static const char *record(cmd_parms *cmd, void *directory, const char *args);
static const char *record_section(cmd_parms *cmd, void *directory, const char *args);

/* Apache would stop at the first directive in a wrong place; the checker reports them all. In .htaccess Apache decides by `where`. */
#define ANYWHERE_BUT_HTACCESS (RSRC_CONF | ACCESS_CONF)
#define MW_DIRECTIVE(number, name, where, help) AP_INIT_RAW_ARGS(name, record, (void *)(uintptr_t)(number), (where) | ANYWHERE_BUT_HTACCESS, help),
#define MW_SECTION(number, name, where, help) AP_INIT_RAW_ARGS(name, record_section, (void *)(uintptr_t)(number), (where) | ANYWHERE_BUT_HTACCESS, help),
const command_rec mw_commands[] = {
#include "directives_table.inc"
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
#undef MW_DIRECTIVE
#undef MW_SECTION

int mw_forget_recording(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary)
{
    (void)log, (void)temporary;
    recording.pool = pool;
    recording.records = apr_array_make(pool, 64, sizeof(mw_record));
    recording.leaves = 0;
    mw_this_child.config = NULL; /* with -X this process served another configuration before */
    mw_this_child.running = false;
    return OK;
}

void *mw_create_directory(apr_pool_t *pool, char *path)
{
    (void)path;
    mw_directory *directory = apr_pcalloc(pool, sizeof *directory);
    if (mw_this_child.config) /* in a child this is an .htaccess file's, made by any thread */
        directory->leaf = MW_LOCAL_LEAF | atomic_fetch_add(&local_leaves, 1);
    else
        directory->leaf = ++recording.leaves;
    return directory;
}

static void append_leaves(apr_array_header_t *leaves, const mw_directory *from)
{
    if (from->leaves)
        apr_array_cat(leaves, from->leaves);
    else if (from->leaf)
        APR_ARRAY_PUSH(leaves, uint32_t) = from->leaf;
}

void *mw_merge_directory(apr_pool_t *pool, void *outer, void *inner)
{
    mw_directory *o = outer, *i = inner;
    if (!o->used)
        return i;
    if (!i->used)
        return o;
    mw_directory *merged = apr_pcalloc(pool, sizeof *merged);
    merged->used = true;
    merged->leaves = apr_array_make(pool, 4, sizeof(uint32_t));
    append_leaves(merged->leaves, o);
    append_leaves(merged->leaves, i);
    merged->local = o->local && i->local ? apr_array_append(pool, o->local, i->local) : o->local ? o->local : i->local;
    return merged;
}

/* What the enclosing section of the directory type is for, NULL outside of one. <AuthnProviderAlias> and <AuthzProviderAlias> are such sections,
 * too, though Apache gives them no path: what is in them is laid over the request's while the alias is asked. */
static const char *section_of(const cmd_parms *cmd)
{
    if (cmd->path)
        return cmd->path;
    for (const ap_directive_t *outer = cmd->directive->parent; outer; outer = outer->parent)
        if (strcasecmp(outer->directive, "<AuthnProviderAlias") == 0 || strcasecmp(outer->directive, "<AuthzProviderAlias") == 0)
            return outer->args;
    return NULL;
}

static uint32_t context_of(cmd_parms *cmd)
{
    uint32_t context = 0;
    if (ap_check_cmd_context(cmd, NOT_IN_VIRTUALHOST))
        context |= MW_IN_VIRTUAL_HOST;
    if (section_of(cmd) || ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE))
        context |= MW_IN_SECTION;
    if (ap_check_cmd_context(cmd, NOT_IN_LIMIT))
        context |= MW_IN_LIMIT;
    return context;
}

static mw_record record_of(cmd_parms *cmd, const mw_directory *directory, const char *args)
{
    const char *section = section_of(cmd);
    return (mw_record){
        .server = cmd->server,
        .leaf = section ? directory->leaf : 0,
        .directive = (uint32_t)(uintptr_t)cmd->info,
        .context = context_of(cmd),
        .args = apr_pstrdup(cmd->pool, args),
        .file = cmd->directive->filename,
        .line = cmd->directive->line_num,
        .section = section ? section : "",
    };
}

/* A directive in an .htaccess file, read by a child during a request: checked at once, kept for this request. */
static const char *record_local(cmd_parms *cmd, mw_directory *directory, const char *args)
{
    if (!mw_this_child.running)
        return "mod_wsgi did not start in this process, see the error log where it began";
    char *wrong = goMwLocalDirective((uint32_t)(uintptr_t)cmd->info, args);
    if (wrong) {
        const char *kept = apr_psprintf(cmd->pool, "line %d: %s", cmd->directive->line_num, wrong); /* Apache names the file */
        free(wrong);
        return kept;
    }
    if (!directory->local)
        directory->local = apr_array_make(cmd->pool, 4, sizeof(mw_record));
    mw_record r = record_of(cmd, directory, args);
    r.context = MW_IN_HTACCESS | MW_IN_SECTION;
    APR_ARRAY_PUSH(directory->local, mw_record) = r;
    directory->used = true;
    return NULL;
}

static const char *record(cmd_parms *cmd, void *directory, const char *args)
{
    mw_directory *d = directory;
    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS))
        return record_local(cmd, d, args);
    if (section_of(cmd))
        d->used = true;
    APR_ARRAY_PUSH(recording.records, mw_record) = record_of(cmd, d, args);
    return NULL;
}

static const char *record_section(cmd_parms *cmd, void *directory, const char *args)
{
    const char *end = strrchr(args, '>');
    if (!end)
        return apr_pstrcat(cmd->pool, cmd->cmd->name, ": a '>' is missing at the end of the line", NULL);
    record(cmd, directory, apr_pstrndup(cmd->pool, args, end - args));
    mw_record closing = record_of(cmd, directory, ""); /* now: the walk leaves *cmd at the last directive inside */
    closing.context |= MW_END_OF_SECTION;
    const char *wrong = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    APR_ARRAY_PUSH(recording.records, mw_record) = closing;
    return wrong;
}

/* ---- The wire format of a recording: see package directives ---- */

/* Writes into data, or only counts when data is NULL. */
typedef struct writer {
    char *data;
    size_t n;
} writer;

static void put_bytes(writer *w, const void *bytes, size_t n)
{
    if (w->data && n > 0) /* an absent string is no pointer, which memcpy() must not be given */
        memcpy(w->data + w->n, bytes, n);
    w->n += n;
}

static void put_number(writer *w, uint32_t v)
{
    unsigned char bytes[4] = {v, v >> 8, v >> 16, v >> 24};
    put_bytes(w, bytes, sizeof bytes);
}

static void put_string(writer *w, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    put_number(w, n);
    put_bytes(w, s, n);
}

static void put_facts(writer *w, const apr_table_t *facts)
{
    const apr_array_header_t *entries = apr_table_elts(facts);
    put_number(w, entries->nelts);
    for (int i = 0; i < entries->nelts; i++) {
        put_string(w, APR_ARRAY_IDX(entries, i, apr_table_entry_t).key);
        put_string(w, APR_ARRAY_IDX(entries, i, apr_table_entry_t).val);
    }
}

static uint32_t put_servers(writer *w, server_rec *main_server)
{
    uint32_t n = 0;
    for (server_rec *s = main_server; s; s = s->next)
        n++;
    put_number(w, n);
    for (server_rec *s = main_server; s; s = s->next) {
        put_string(w, s->server_hostname);
        put_number(w, s->port);
        put_string(w, s->defn_name);
        put_number(w, s->defn_line_number);
        put_number(w, s->is_virtual ? 1 : 0);
    }
    return n;
}

static void put_records(writer *w, const apr_array_header_t *records, server_rec *main_server)
{
    put_number(w, records->nelts);
    const server_rec *server = main_server; /* records come server by server: continue where the last one was found */
    uint32_t number = 0;
    for (int i = 0; i < records->nelts; i++) {
        const mw_record *r = &APR_ARRAY_IDX(records, i, mw_record);
        if (main_server && r->server != server) {
            for (server = main_server, number = 0; server && server != r->server; server = server->next)
                number++;
        }
        put_number(w, number);
        put_number(w, r->leaf);
        put_number(w, r->directive);
        put_number(w, r->context);
        put_string(w, r->args);
        put_string(w, r->file);
        put_number(w, r->line);
        put_string(w, r->section);
    }
}

/* What a recording is made of. main_server and facts: NULL for the directives of .htaccess files. */
typedef struct content {
    const apr_array_header_t *records;
    const apr_table_t *facts;
    server_rec *main_server;
} content;

static void put_recording(writer *w, const content *c)
{
    put_bytes(w, "MWR1", 4);
    put_string(w, MW_DIRECTIVES_FINGERPRINT);
    if (c->main_server) {
        put_facts(w, c->facts);
        put_servers(w, c->main_server);
    } else {
        put_number(w, 0);
        put_number(w, 1); /* the server is known where this goes; the format wants one */
        for (int i = 0; i < 5; i++)
            put_number(w, 0);
    }
    put_records(w, c->records, c->main_server);
}

static mw_blob encode(apr_pool_t *pool, const content *c)
{
    writer counter = {NULL, 0};
    put_recording(&counter, c);
    writer w = {apr_palloc(pool, counter.n), 0};
    put_recording(&w, c);
    return (mw_blob){w.data, w.n};
}

mw_blob mw_encode_recording(apr_pool_t *pool, server_rec *main_server, const apr_table_t *facts)
{
    return encode(pool, &(content){recording.records, facts, main_server});
}

mw_blob mw_encode_local(apr_pool_t *pool, const apr_array_header_t *records)
{
    return encode(pool, &(content){records, NULL, NULL});
}
