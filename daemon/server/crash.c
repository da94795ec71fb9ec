/* Crashes: they end the process as they would without Go, by the signal, with a core dump where the system makes one. Before that the log is told
 * where Python's threads are, if that is possible. In C because it runs in signal handlers. */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { CRASHES = sizeof crashes / sizeof *crashes, PATIENCE = 500 /* ms for the log */ };

static struct {
    pid_t pid;                    /* 0: nobody reads what is written */
    int fd;
    const char *directory;        /* for core dumps, NULL: where the process is */
    struct sigaction of_go[NSIG];
    atomic_flag begun;
    atomic_bool told;
} report = {.begun = ATOMIC_FLAG_INIT};

static void say(const char *text)
{
    if (write(report.fd, text, strlen(text)) < 0) {
        /* the pipe is full: nobody reads it */
    }
}

/* The number as a line. */
static void say_number(int number)
{
    char text[] = MWD_CRASH_BEGIN "00\n";
    text[sizeof text - 4] += number / 10 % 10;
    text[sizeof text - 3] += number % 10;
    say(text);
}

/* Go's threads go on meanwhile. */
static void wait_for_log(void)
{
    struct timespec pause = {0, 1000000};
    for (int i = 0; i < PATIENCE && !atomic_load(&report.told); i++)
        nanosleep(&pause, NULL);
}

static void tell(int number)
{
    if (report.pid != getpid()) /* a copy of the process, or nobody reads */
        return;
    if (!atomic_flag_test_and_set(&report.begun)) {
        atomic_store(&report.told, false); /* a dump of a stuck process may have been there before */
        say_number(number);
        mw_stacks_dump();
        mwd_crash_end();
    }
    wait_for_log(); /* another thread that crashes must not end the process before */
    if (report.directory && chdir(report.directory) != 0) {
        /* then the core dump is made here */
    }
}

void mwd_crash_end(void)
{
    say(MWD_CRASH_END "\n");
}

void mwd_crash_told(void)
{
    atomic_store(&report.told, true);
}

static void crash(int number)
{
    int before = errno;
    tell(number);
    signal(number, SIG_DFL); /* and again: the instruction is repeated */
    if (number == SIGABRT)
        raise(number);
    errno = before;
}

/* Before Go's runtime, which passes on what did not happen in its code (package os/signal, "Go programs that use cgo or SWIG"). */
__attribute__((constructor)) static void catch_crashes(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = crash;
    action.sa_flags = SA_ONSTACK;
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &action, NULL);
}

/* After Go's runtime, which does not pass on what somebody sends. */
static void crash_or_sent(int number, siginfo_t *info, void *context)
{
    if (info->si_code > 0) {
        report.of_go[number].sa_sigaction(number, info, context);
        return;
    }
    tell(number);
    signal(number, SIG_DFL);
    raise(number);
}

bool mwd_crash_handles(const struct sigaction *action)
{
    return action->sa_sigaction == crash_or_sent || action->sa_handler == crash;
}

int mwd_crash_catch(void)
{
    for (size_t i = 0; i < CRASHES; i++) {
        struct sigaction action;
        if (sigaction(crashes[i], NULL, &action) != 0)
            return errno;
        if (!(action.sa_flags & SA_SIGINFO))
            continue;
        report.of_go[crashes[i]] = action;
        action.sa_sigaction = crash_or_sent;
        if (sigaction(crashes[i], &action, NULL) != 0)
            return errno;
    }
    /* abort() of Python's, or of a library's: Go would call it its own. */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = crash;
    action.sa_flags = SA_ONSTACK;
    return sigaction(SIGABRT, &action, NULL) != 0 || signal(SIGQUIT, SIG_DFL) == SIG_ERR ? errno : 0;
}

void mwd_crash_report(int fd)
{
    report.fd = fd;
    report.pid = getpid();
}

void mwd_crash_directory(const char *path)
{
    report.directory = path;
}
