/* The supervisor of daemon processes, as Apache's parent sees it: `mod_wsgi-daemon supervise`, one for each configuration that declares a
 * process group. In C because it runs in the parent, where Go does not live. What the descriptors mean is in package
 * daemon/supervisor.
 *
 * A configuration's supervisor outlives it: after a graceful restart it serves the old children until they are gone. */
#include "edge.h"

#include "../daemon/board.h"
#include "../daemon/client/bell.h"
#include "../daemon/wire.h"

#include <ap_mpm.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unixd.h>

enum {
    START_SECONDS = 10,                /* until it has sockets and first processes */
    RESPAWN_SECONDS = 10,              /* least time between two starts */
    STOP_MILLISECONDS = 3500,          /* that a stop of Apache waits for it */
    CONTROL_FD = 0, BOARD_FD = 3, USERS_FD = 4, FORMER_FD = 5, /* in the supervisor */
    LEND_SECONDS = 10,                 /* that processes wait for children of the next configuration which may need them */
};

/* The one of the configuration in force: Apache's hooks force it to be global. Reset when the configuration is over. */
static struct {
    pid_t owner;          /* the parent: children, too, run the cleanups of its pools when they exit */
    server_rec *server;
    bool running, present; /* present: there is a board */
    apr_time_t expected;  /* it was started and not waited for: until when the board should be made. 0: it was waited for */
    bool watched;         /* Apache is to tell of its end */
    int control, board;
    int users[2];         /* its end tells that every child of this configuration is gone; they ring the bell with it (daemon/client/bell.h) */
    apr_proc_t process;
    apr_time_t repaired;  /* when it was started again last */
    uint64_t fingerprint; /* of the recording */
    int former;           /* the board of the last configuration, if its processes may be used until this one's are ready; or -1 */
    int generation, former_generation;
} current;

/* What a configuration leaves for the next one, which may be this module loaded anew. */
typedef struct heritage {
    bool present;
    int board, generation;
    uint64_t fingerprint;
} heritage;

static heritage *left_behind(void)
{
    static const char key[] = "mod_wsgi-heritage";
    heritage *left = ap_retained_data_get(key);
    return left ? left : ap_retained_data_create(key, sizeof *left);
}

/* Supervisors of earlier configurations which have not ended. Apache would report their end as that of a "long lost child"; it calls
 * functions of this library for those it is told of, and unloads it at a restart. So each configuration tells it again. */
typedef struct elder {
    apr_proc_t process;
} elder;
typedef struct elders {
    elder of[256];
} elders;

static elders *all_elders(void)
{
    static const char key[] = "mod_wsgi-supervisors";
    elders *list = ap_retained_data_get(key);
    return list ? list : ap_retained_data_create(key, sizeof *list);
}

static void remember_elder(pid_t pid)
{
    elders *list = all_elders();
    for (size_t i = 0; i < sizeof list->of / sizeof *list->of; i++)
        if (list->of[i].process.pid == 0) {
            list->of[i].process.pid = pid;
            return;
        }
}

static void elder_ended(int reason, void *data, int status)
{
    (void)status;
    elder *one = data;
    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST)
        return;
    apr_proc_other_child_unregister(one);
    one->process.pid = 0;
}

static void watch_elders(apr_pool_t *pconf)
{
    elders *list = all_elders();
    for (size_t i = 0; i < sizeof list->of / sizeof *list->of; i++)
        if (list->of[i].process.pid != 0)
            apr_proc_other_child_register(&list->of[i].process, elder_ended, &list->of[i], NULL, pconf);
}

/* ---- Starting ---- */

static void close_all(void)
{
    int *fds[] = {&current.control, &current.board, &current.users[0], &current.users[1], &current.former};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* Out of the way of the numbers that the supervisor finds its descriptors under. */
static bool move_up(int *fd)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, BOARD_FD + 8);
    if (moved < 0)
        return false;
    close(*fd);
    *fd = moved;
    return true;
}

/* What every supervisor of this configuration gets: the board, and the pipe that its children hold. */
static bool make_shared(void)
{
    current.board = memfd_create("mod_wsgi-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (current.board < 0 || ftruncate(current.board, sizeof(mwd_board)) != 0 || pipe2(current.users, O_CLOEXEC) != 0)
        return false;
    return move_up(&current.board) && move_up(&current.users[0]) && move_up(&current.users[1]) &&
           fcntl(current.users[1], F_SETFL, O_NONBLOCK) == 0; /* a child never waits for the supervisor */
}

/* 0, or an errno. */
static int spawn(const char *path, int control)
{
    char *arguments[] = {(char *)path, "supervise", NULL};
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t every, none;
    sigfillset(&every);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &every);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, control, CONTROL_FD);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, current.board, BOARD_FD);
    posix_spawn_file_actions_adddup2(&actions, current.users[0], USERS_FD);
    posix_spawn_file_actions_adddup2(&actions, current.former >= 0 ? current.former : current.board, FORMER_FD);
#if __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&actions, FORMER_FD + 1);
#endif
    int failed = posix_spawn(&current.process.pid, path, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

static const char *send_recording(int control, apr_time_t end)
{
    mw_blob recording = mw_current_recording();
    unsigned char length[4] = {recording.n, recording.n >> 8, recording.n >> 16, recording.n >> 24};
    const char *reason = mw_send(control, length, sizeof length, end);
    return reason ? reason : mw_send(control, recording.data, recording.n, end);
}

/* Waits until daemon processes can be reached. */
static const char *wait_until_started(int control, apr_time_t end)
{
    char started;
    if (!mw_ready(control, POLLIN, end))
        return "it did not say within 10 seconds that daemon processes are started";
    return read(control, &started, 1) == 1 ? NULL : "it ended (what it says is above); is it of the same build as the module?";
}

static void ended(int reason, void *data, int status);

/* NULL, or why daemon processes can't be reached yet. */
static const char *start(apr_pool_t *pool, apr_pool_t *pconf, bool wait)
{
    const char *path = mw_daemon_path(pool), *reason;
    apr_time_t end = apr_time_now() + apr_time_from_sec(START_SECONDS);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return apr_pstrcat(pool, "no socket for it: ", strerror(errno), NULL);
    int failed = move_up(&ends[1]) ? spawn(path, ends[1]) : errno;
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return apr_pstrcat(pool, "cannot run ", path, ": ", strerror(failed), NULL);
    }
    current.control = ends[0];
    current.running = true;
    current.watched = true;
    apr_proc_other_child_register(&current.process, ended, &current, NULL, pconf);
    reason = send_recording(current.control, end);
    if (!reason && wait)
        reason = wait_until_started(current.control, end);
    return reason ? apr_pstrcat(pool, path, ": ", reason, NULL) : NULL;
}

static void start_and_tell(apr_pool_t *pool, apr_pool_t *pconf, bool wait)
{
    const char *reason = start(pool, pconf, wait);
    if (reason)
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, current.server,
            "WSGI0024: the supervisor of daemon processes is not at work, and requests for process groups are answered with 503: %s", reason);
    else
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, current.server, "the supervisor of daemon processes is process %" APR_PID_T_FMT, current.process.pid);
}

/* ---- Its end ---- */

static bool stopping(void)
{
    int state;
    return ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_RUN_MPM || (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING);
}

/* One that dies at once is not started in a loop. */
static bool too_early(void)
{
    return apr_time_now() - current.repaired < apr_time_from_sec(RESPAWN_SECONDS);
}

static void start_again(void)
{
    apr_pool_t *pool;
    if (current.running || stopping() || too_early())
        return;
    current.repaired = apr_time_now();
    apr_pool_create(&pool, current.server->process->pconf);
    start_and_tell(pool, current.server->process->pconf, false);
    apr_pool_destroy(pool);
}

/* Apache's parent met its end. Its processes end by themselves; another one starts new ones. */
static void ended(int reason, void *data, int status)
{
    if (reason == APR_OC_REASON_UNREGISTER) /* by us, or because the pool ends */
        current.watched = false;
    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST)
        return;
    apr_proc_other_child_unregister(data);
    current.running = false;
    close(current.control);
    current.control = -1;
    if (stopping())
        return;
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, current.server,
        "the supervisor of daemon processes, process %" APR_PID_T_FMT ", has ended unexpectedly (status %d): it is started again%s", current.process.pid, status,
        too_early() ? " in some seconds" : "");
    start_again();
}

int mw_watch_supervisor(apr_pool_t *pool, server_rec *s)
{
    (void)pool, (void)s;
    if (current.present && current.owner == getpid())
        start_again();
    return OK;
}

static void wait_for_end(pid_t pid)
{
    apr_time_t end = apr_time_now() + apr_time_from_msec(STOP_MILLISECONDS);
    while (waitpid(pid, NULL, WNOHANG) == 0 && apr_time_now() < end)
        apr_sleep(5000);
}

/* ---- From one configuration to the next ---- */

/* FNV-1a. What is not in the recording and must not differ either is how the two sides talk. */
static uint64_t fingerprint(mw_blob recording)
{
    uint64_t hash = 0xcbf29ce484222325u ^ MWD_BOARD_MAGIC ^ sizeof(mwd_slot) << 32 ^ (uint64_t)MWD_VERSION << 48;
    for (size_t i = 0; i < recording.n; i++)
        hash = (hash ^ ((const unsigned char *)recording.data)[i]) * 0x100000001b3u;
    return hash;
}

/* How long the next configuration may use the processes of a board; 0: no longer. */
static void lend(int board, unsigned seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    mwd_board *first = mmap(NULL, sizeof *first, PROT_READ | PROT_WRITE, MAP_SHARED, board, 0);
    if (first == MAP_FAILED)
        return;
    atomic_store(&first->lent, seconds ? ((uint64_t)t.tv_sec + seconds) * UINT64_C(1000000000) + t.tv_nsec : 0);
    munmap(first, sizeof *first);
}

static int generation(void)
{
    int number = 0;
    return ap_mpm_query(AP_MPMQ_GENERATION, &number) == APR_SUCCESS ? number : 0;
}

/* At a graceful restart the processes stay until those of the next configuration are ready, if that is the same one. */
static void bequeath(void)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING || !ap_unixd_mpm_get_retained_data()->was_graceful)
        return;
    lend(current.board, LEND_SECONDS);
    *left_behind() = (heritage){.present = true, .board = current.board, .generation = current.generation, .fingerprint = current.fingerprint};
    current.board = -1;
}

static void inherit(void)
{
    heritage *left = left_behind();
    if (!left->present)
        return;
    left->present = false;
    if (left->fingerprint == current.fingerprint && mw_declared_groups() > 0) {
        current.former = left->board;
        current.former_generation = left->generation;
        return;
    }
    lend(left->board, 0);
    close(left->board);
}

/* The configuration is over: a restart, or the end of Apache. */
static apr_status_t leave(void *nothing)
{
    (void)nothing;
    if (current.owner != getpid()) /* a child that exits */
        return APR_SUCCESS;
    bool running = current.running;
    current.expected = 0;
    if (running)
        bequeath();
    if (current.watched) /* not twice: APR would crash. A supervisor that was started again may have been let go before */
        apr_proc_other_child_unregister(&current);
    if (running)
        shutdown(current.control, SHUT_RDWR); /* whoever else was forked with a copy of it */
    close_all();
    current.running = current.present = false;
    if (running && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING)
        wait_for_end(current.process.pid);
    else if (running)
        remember_elder(current.process.pid);
    return APR_SUCCESS;
}

/* Last of all hooks of this phase: what other modules fork in it should not hold a copy of our descriptors. */
int mw_start_supervisor(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        return OK;
    watch_elders(pconf);
    current.former = -1;
    current.fingerprint = fingerprint(mw_current_recording());
    inherit();
    mw_complete_recording(pconf, s);
    if (mw_declared_groups() == 0)
        return OK;
    current.owner = getpid();
    current.server = s;
    current.generation = generation();
    current.control = current.board = current.users[0] = current.users[1] = -1;
    if (!make_shared()) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, s, "WSGI0024: no daemon processes are started, and requests for process groups are answered with 503: cannot make what they share");
        close_all();
        return OK;
    }
    current.present = true;
    current.repaired = 0;
    /* With processes that serve until then, a restart goes on: clients wait for Apache's children. If it fails, that is told when it has ended. */
    current.expected = current.former >= 0 ? apr_time_now() + apr_time_from_sec(START_SECONDS) : 0;
    start_and_tell(ptemp, pconf, current.expected == 0);
    if (!current.running)
        current.expected = 0;
    apr_pool_cleanup_register(pconf, NULL, leave, apr_pool_cleanup_null); /* after the registration of the process: runs before its */
    return OK;
}

/* ---- In a child ---- */

/* Address space: the supervisor gives the file its size, perhaps later. Until its first word is there, nothing else may be touched. */
static mwd_board *map(int board)
{
    void *mapped = mmap(NULL, MW_MOST_BOARD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, board, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

mwd_board *mw_inherit_former_board(int *generation)
{
    if (!current.present || current.former < 0)
        return NULL;
    *generation = current.former_generation;
    return map(current.former);
}

mwd_board *mw_inherit_board(void)
{
    if (!current.present)
        return NULL;
    mwd_board *board = map(current.board);
    if (current.owner != getpid()) { /* the writing end of the users' pipe stays open for as long as this process lives */
        close(current.control);
        close(current.board);
        close(current.users[0]);
        if (current.former >= 0)
            close(current.former);
    }
    return board;
}

int mw_bell(void)
{
    return current.present ? current.users[1] : 0;
}

apr_interval_time_t mw_supervisor_comes_within(void)
{
    apr_interval_time_t left = current.present && current.expected ? current.expected - apr_time_now() : 0;
    return left > 0 ? left : 0;
}

/* The supervisor leaves the processors to the first child while processes of the former configuration serve. */
void mw_tell_supervisor_of_child(void)
{
    static const uint32_t word = MWD_BELL_CHILD;
    ssize_t n;
    while (mw_supervisor_comes_within() > 0 && (n = write(current.users[1], &word, sizeof word)) < 0 && errno == EINTR)
        ;
}
