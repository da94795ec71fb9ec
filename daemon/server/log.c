/* The error log of a daemon process for what belongs to no request: descriptor 2, in the format of the server's ErrorLogFormat. In C because it
 * has to work in forked copies of the process. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 8192 /* bytes of a record, as Apache's */ };

static const mwd_log_format *format;

void mwd_log_set_format(const mwd_log_format *wanted)
{
    format = wanted;
}

static const char *level_name(int level)
{
    static const char *const names[] = {"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
                                        "trace1", "trace2", "trace3", "trace4", "trace5", "trace6", "trace7", "trace8"};
    return level >= 0 && level < (int)(sizeof names / sizeof *names) ? names[level] : "error";
}

typedef struct line {
    char text[LONGEST];
    size_t n;
} line;

static void add(line *l, const char *text, size_t n)
{
    size_t room = sizeof l->text - 1 - l->n; /* the newline */
    if (n > room)
        n = room;
    memcpy(l->text + l->n, text, n);
    l->n += n;
}

static void add_time(line *l, mwd_log_piece_kind kind)
{
    struct timespec now;
    struct tm t;
    char text[64], fraction[16];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &t);
    snprintf(fraction, sizeof fraction, ".%06u", (unsigned)(now.tv_nsec / 1000) % 1000000);
    if (kind == MWD_LOG_TIME_COMPACT) {
        add(l, text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &t));
        add(l, fraction, 7);
        return;
    }
    add(l, text, strftime(text, sizeof text, "%a %b %d %H:%M:%S", &t));
    if (kind == MWD_LOG_TIME_MICROSECONDS)
        add(l, fraction, 7);
    add(l, text, strftime(text, sizeof text, " %Y", &t));
}

static void add_number(line *l, long number)
{
    char text[24];
    add(l, text, snprintf(text, sizeof text, "%ld", number));
}

/* As Apache does: control characters and backslashes are escaped, so that a record stays a line. */
static void add_message(line *l, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = text[i];
        char escaped[8];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            add(l, text + i, 1);
        else if (c == '\\')
            add(l, "\\\\", 2);
        else if (c == '\t')
            add(l, "\\t", 2);
        else if (c == '\r')
            add(l, "\\r", 2);
        else
            add(l, escaped, snprintf(escaped, sizeof escaped, "\\x%02x", c));
    }
}

static void add_piece(line *l, const mwd_log_piece *piece, int level, const char *text, size_t n)
{
    const char *name = level_name(level);
    switch (piece->kind) {
    case MWD_LOG_TEXT:
        add(l, piece->text, strlen(piece->text));
        break;
    case MWD_LOG_TIME:
    case MWD_LOG_TIME_MICROSECONDS:
    case MWD_LOG_TIME_COMPACT:
        add_time(l, piece->kind);
        break;
    case MWD_LOG_LEVEL:
        add(l, name, strlen(name));
        break;
    case MWD_LOG_PID:
        add_number(l, getpid());
        break;
    case MWD_LOG_TID:
        add_number(l, syscall(SYS_gettid));
        break;
    case MWD_LOG_MODULE:
        add(l, "wsgi", 4);
        break;
    case MWD_LOG_MESSAGE:
        add_message(l, text, n);
        break;
    }
}

static const mwd_log_format *current_format(void)
{
    static const mwd_log_piece plain[] = {
        {MWD_LOG_TEXT, "["}, {MWD_LOG_TIME_MICROSECONDS, NULL}, {MWD_LOG_TEXT, "] [wsgi:"}, {MWD_LOG_LEVEL, NULL}, {MWD_LOG_TEXT, "] [pid "},
        {MWD_LOG_PID, NULL}, {MWD_LOG_TEXT, "] "}, {MWD_LOG_MESSAGE, NULL},
    };
    static const mwd_log_format unset = {plain, sizeof plain / sizeof *plain, MW_LOG_INFO};
    return format ? format : &unset;
}

int mwd_log_level(void)
{
    return current_format()->level;
}

void mwd_log_write(int level, const char *text, size_t n)
{
    const mwd_log_format *f = current_format();
    if (level > f->level)
        return;
    line l;
    l.n = 0;
    for (size_t i = 0; i < f->n; i++)
        add_piece(&l, &f->pieces[i], level, text, n);
    l.text[l.n++] = '\n';
    while (write(2, l.text, l.n) < 0 && errno == EINTR)
        ;
}
