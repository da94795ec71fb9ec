/* What this process has loaded, so that its successor can load the same before it takes over, and which changes of scripts it passes over
 * because no process could be made of them. In C because a request whose script has changed looks at both. */
#include "python.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

uint64_t mw_applications_known;

/* Appended to at the front, never shortened: there are as many as a configuration names. */
static _Atomic(const mw_application *) applications;

const mw_application *mw_applications(void)
{
    return atomic_load_explicit(&applications, memory_order_acquire);
}

static void push(mw_application *a)
{
    const mw_application *first = atomic_load_explicit(&applications, memory_order_relaxed);
    do
        a->next = first;
    while (!atomic_compare_exchange_weak_explicit(&applications, &first, a, memory_order_release, memory_order_relaxed));
    __atomic_fetch_add(&mw_applications_known, 1, __ATOMIC_RELAXED);
}

void mw_note_application(mw_interp *interp, mw_script *script, const char *callable)
{
    for (const mw_known *k = script->known; k; k = k->next)
        if (strcmp(k->application.callable, callable) == 0)
            return;
    mw_known *k = calloc(1, sizeof *k);
    if (!k || !(k->application.callable = strdup(callable))) {
        free(k);
        return; /* its successor loads it when it is asked for */
    }
    k->application.script = script->path;
    k->application.group = interp->group;
    k->application.version = script->version;
    k->next = script->known;
    script->known = k;
    push(&k->application);
}

mw_version mw_version_of(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return (mw_version){0};
    return (mw_version){.modified = about.st_mtim.tv_sec * INT64_C(1000000000) + about.st_mtim.tv_nsec, .size = about.st_size, .inode = about.st_ino};
}

bool mw_same_version(mw_version a, mw_version b)
{
    return a.modified == b.modified && a.size == b.size && a.inode == b.inode;
}

/* ---- Changes that are passed over ---- */

typedef struct held {
    const char *script; /* of an application: lives as long as the process */
    mw_version version;
} held;

/* Written when the supervisor says so, read by requests that find their script changed. */
static struct {
    pthread_rwlock_t lock;
    held *scripts;
    size_t n;
    char *culprit;      /* the script that could not be loaded, NULL if that is not known */
    mw_version version; /* of the culprit */
    unsigned count;     /* of mw_hold(); from 1, so that no script awaits anything at first */
} hold = {.lock = PTHREAD_RWLOCK_INITIALIZER, .count = 1};

static const held *find(const char *script)
{
    for (size_t i = 0; i < hold.n; i++)
        if (strcmp(hold.scripts[i].script, script) == 0)
            return &hold.scripts[i];
    return NULL;
}

void mw_hold(const char *culprit, mw_version version)
{
    uint64_t room = __atomic_load_n(&mw_applications_known, __ATOMIC_ACQUIRE);
    pthread_rwlock_wrlock(&hold.lock);
    free(hold.scripts);
    free(hold.culprit);
    hold.n = 0;
    hold.count++;
    hold.scripts = calloc(room + 1, sizeof *hold.scripts);
    hold.culprit = culprit ? strdup(culprit) : NULL;
    hold.version = version;
    for (const mw_application *a = mw_applications(); a && hold.scripts && hold.n < room; a = a->next)
        if (!find(a->script))
            hold.scripts[hold.n++] = (held){a->script, culprit && strcmp(culprit, a->script) == 0 ? version : mw_version_of(a->script)};
    pthread_rwlock_unlock(&hold.lock);
}

static bool is_held(const char *script, mw_version version)
{
    const held *h = hold.n ? find(script) : NULL;
    return h && mw_same_version(h->version, version) && (!hold.culprit || mw_same_version(hold.version, mw_version_of(hold.culprit)));
}

static bool is_awaited(const mw_script *script, mw_version version)
{
    return script->holds == hold.count && mw_same_version(script->awaited, version);
}

bool mw_passes_over(mw_script *script)
{
    mw_version version = mw_version_of(script->path);
    pthread_rwlock_rdlock(&hold.lock);
    bool passes = is_awaited(script, version) || is_held(script->path, version);
    pthread_rwlock_unlock(&hold.lock);
    if (passes)
        return true;
    pthread_rwlock_wrlock(&hold.lock);
    passes = is_awaited(script, version) || is_held(script->path, version);
    script->awaited = version;
    script->holds = hold.count;
    pthread_rwlock_unlock(&hold.lock);
    return passes;
}
