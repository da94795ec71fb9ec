/* Data that waits for a slow client, or comes from one: in memory at first, then in a file without a name. In C because it is part of the
 * steady path of slow clients, and of Apache's buckets.
 *
 * Memory means a file in memory (memfd): what is in it can be handed to Apache as a file, which needs no thread to be sent. */
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KEPT = 1 << 20 /* bytes already used that may stay in a file which is still in use */ };

static apr_status_t close_descriptor(void *fd)
{
    close((int)(intptr_t)fd);
    return APR_SUCCESS;
}

static int keep(mw_spool *s, int fd)
{
    if (fd >= 0)
        apr_pool_cleanup_register(s->pool, (void *)(intptr_t)fd, close_descriptor, apr_pool_cleanup_null);
    return fd;
}

static int unnamed_file(const char *folder)
{
    char path[PATH_MAX];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    apr_snprintf(path, sizeof path, "%s/wsgi-XXXXXX", folder); /* a file system that can't */
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

void mw_spool_init(mw_spool *s, const mw_process_group *group, apr_pool_t *pool)
{
    *s = (mw_spool){.memory = -1, .file = -1, .memory_size = group->buffer_memory, .folder = group->buffer_directory, .pool = pool};
}

/* Where a position lies: the descriptor, the offset in it, and how much of it there is room for or lies there. */
typedef struct place {
    int fd;
    off_t offset;
    size_t n;
} place;

static place place_of(const mw_spool *s, int64_t at, size_t n)
{
    if (at >= s->memory_size)
        return (place){s->file, at - s->memory_size, n};
    int64_t left = s->memory_size - at;
    return (place){s->memory, at, (int64_t)n < left ? n : (size_t)left};
}

/* Makes what the end of the spool needs. False: s->error says why not. */
static bool open_at_end(mw_spool *s)
{
    if (s->end < s->memory_size && s->memory < 0 && (s->memory = keep(s, memfd_create("wsgi-buffer", MFD_CLOEXEC))) < 0)
        s->memory_size = s->end; /* everything goes to the file, then */
    if (s->end >= s->memory_size && s->file < 0 && (s->file = keep(s, unnamed_file(s->folder))) < 0)
        s->error = errno;
    return s->error == 0;
}

size_t mw_spool_put(mw_spool *s, const char *data, size_t n)
{
    size_t done = 0;
    while (done < n && open_at_end(s)) {
        place to = place_of(s, s->end, n - done);
        ssize_t put = pwrite(to.fd, data + done, to.n, to.offset);
        if (put > 0) {
            done += put;
            s->end += put;
        } else if (put < 0 && errno == EINTR) {
            continue;
        } else if (s->end < s->memory_size) {
            s->memory_size = s->end; /* there is no more memory; there may be room in the file */
        } else {
            s->error = put < 0 ? errno : ENOSPC;
            break;
        }
    }
    return done;
}

size_t mw_spool_get(mw_spool *s, char *buffer, size_t n)
{
    size_t done = 0;
    while (done < n && s->start < s->end) {
        size_t wanted = s->end - s->start < (int64_t)(n - done) ? (size_t)(s->end - s->start) : n - done;
        place from = place_of(s, s->start, wanted);
        ssize_t got = pread(from.fd, buffer + done, from.n, from.offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            s->error = got < 0 ? errno : EIO;
            break;
        }
        done += got;
        s->start += got;
    }
    return done;
}

apr_status_t mw_spool_hand_over(mw_spool *s, apr_bucket_brigade *to, int64_t most, bool sendfile, apr_pool_t *pool)
{
    enum { AT_ONCE = 1 << 30 };
    for (int64_t end = s->end - s->start > most ? s->start + most : s->end; s->start < end;) {
        place from = place_of(s, s->start, end - s->start < AT_ONCE ? (size_t)(end - s->start) : AT_ONCE);
        apr_os_file_t fd = from.fd;
        apr_file_t *file; /* one for each bucket: whoever keeps a bucket takes it over */
        apr_status_t status = apr_os_file_put(&file, &fd, APR_READ | (sendfile ? APR_SENDFILE_ENABLED : 0), pool);
        if (status != APR_SUCCESS)
            return status;
        apr_bucket *bucket = apr_brigade_insert_file(to, file, from.offset, from.n, pool);
        apr_bucket_file_enable_mmap(bucket, 0); /* a slow client's data would be this process' memory, and the file may be cut */
        s->start += from.n;
        s->in_flight = s->in_flight || sendfile;
    }
    return APR_SUCCESS;
}

static void forget(int fd, int64_t n)
{
    if (fd >= 0 && n > 0)
        (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, n); /* a file system that can't keeps it */
}

void mw_spool_used(mw_spool *s)
{
    if (s->start == s->end) {
        if (s->memory >= 0 && s->end > 0)
            (void)!ftruncate(s->memory, 0);
        if (s->file >= 0 && s->end > s->memory_size)
            (void)!ftruncate(s->file, 0);
        s->start = s->end = s->forgotten = 0;
        s->in_flight = false; /* the pages stay as they are for who looks at them; they are this file's no more */
    } else if (s->start - s->forgotten >= KEPT && !s->in_flight) {
        forget(s->memory, s->start < s->memory_size ? s->start : s->memory_size);
        forget(s->file, s->start - s->memory_size);
        s->forgotten = s->start;
    }
}

const char *mw_spool_failure(const mw_spool *s, apr_pool_t *pool, const mw_process_group *group)
{
    char reason[256];
    return apr_pstrcat(pool, group->way.name, "\n", s->folder, ": ", apr_strerror(APR_FROM_OS_ERROR(s->error), reason, sizeof reason), NULL);
}
