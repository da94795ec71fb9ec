/* Descriptors that are the process's alone. A copy that the application forks lives on when the process ends, a worker of multiprocessing's for
 * instance: while it has a connection open too, Apache's child can't see that nobody will answer. In C because it happens in the copy. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 1 << 16 /* descriptors beyond that are not closed in copies */, BITS = 64 };
static _Atomic uint64_t own[MOST / BITS];

void mwd_own(int fd)
{
    if (fd >= 0 && fd < MOST)
        atomic_fetch_or(&own[fd / BITS], UINT64_C(1) << fd % BITS);
}

void mwd_disown(int fd)
{
    if (fd >= 0 && fd < MOST)
        atomic_fetch_and(&own[fd / BITS], ~(UINT64_C(1) << fd % BITS));
}

/* In a copy. One that was closed meanwhile and became another file's is not in the set: it is disowned before it is closed. */
static void close_own(void)
{
    for (int i = 0; i < MOST / BITS; i++)
        for (uint64_t bits = atomic_load(&own[i]); bits; bits &= bits - 1)
            close(i * BITS + __builtin_ctzll(bits));
}

int mwd_close_own_in_copies(void)
{
    return pthread_atfork(NULL, NULL, close_own);
}

/* ---- How many descriptors ---- */

static struct rlimit inherited;

/* Go allows itself as many as it may when it starts, which is after this; applications and what they start are to have what the server was
 * given. */
__attribute__((constructor)) static void remember_limit(void)
{
    if (getrlimit(RLIMIT_NOFILE, &inherited) != 0)
        inherited.rlim_max = 0;
}

int mwd_restore_descriptor_limit(void)
{
    return inherited.rlim_max == 0 || setrlimit(RLIMIT_NOFILE, &inherited) == 0 ? 0 : errno;
}
