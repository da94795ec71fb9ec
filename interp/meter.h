/* What request threads are doing and have done, counted by meter.c; read by metrics.c (sums) and slow.c (single requests). */
#ifndef MW_METER_H
#define MW_METER_H

#include "python.h"

enum { MW_PHASES = 8, MW_BUCKETS = 65, MW_CLASSES = 5 };
enum { MW_SERVER_TIME, MW_QUEUE_TIME, MW_DAEMON_TIME, MW_APPLICATION_TIME, MW_REQUEST_TIME, MW_INPUT_TIME, MW_OUTPUT_TIME, MW_GIL_WAIT_TIME };

typedef struct mw_phase {
    double sum, shortest, longest; /* seconds; the last two mean something if a request was recorded */
    uint32_t buckets[MW_BUCKETS];
} mw_phase;

/* What has happened since somebody last looked. Requests are recorded if they came as far as the application. */
typedef struct mw_window {
    int64_t since;       /* nanoseconds of CLOCK_MONOTONIC */
    uint64_t completed, recorded;
    int64_t busy, longest; /* nanoseconds in requests: without the one that runs, and of the longest that was completed */
    mw_phase phases[MW_PHASES];
    uint64_t gil_waits, input_bytes, input_reads, output_bytes, output_writes, classes[MW_CLASSES];
} mw_window;

/* One for each request thread. Never freed; that of a thread that has ended goes to the next new one. The lock is taken with or without a GIL
 * and held for a few instructions, never while something is waited for, except the end of a pin. */
struct mw_meter {
    mw_meter *next;          /* in the order of their slots */
    pthread_mutex_t lock;    /* guards what follows */
    bool taken;              /* by a thread that lives */
    unsigned thread_id;      /* of it, mod_wsgi.thread_id */
    unsigned long python_id; /* of it, threading.get_ident() */
    clockid_t clock;         /* its processor time, while it is taken */
    int64_t cpu_before;      /* nanoseconds: what was told of that */
    int64_t cpu_left;        /* and what threads have left behind that have ended */
    uint64_t requests;       /* recorded, of this thread */
    mw_window now;

    /* The request that runs. */
    int64_t began;           /* nanoseconds of CLOCK_MONOTONIC; 0: there is none */
    mw_counter number;       /* counts beginnings and ends: odd while one runs */
    const mw_request *request; /* its call does not change while it runs; of the rest nothing may be read elsewhere */
    double waited;           /* seconds from Apache's receipt of the request to `began` */
    double application_start; /* seconds since the epoch, 0 before */
    uint64_t active;         /* requests that this process had when it began, this one counted */
    bool cpu_known;          /* its thread's processor time at `began`: */
    mw_cpu cpu;
    unsigned pins;           /* somebody uses the request's transport: it does not end */
    pthread_cond_t unpinned;
};

/* The list of meters, which only grows, and what is summed up. Its lock is taken before a meter's. */
typedef struct mw_meters {
    pthread_mutex_t lock;        /* guards what follows, up to `started` */
    mw_meter *_Atomic first;
    unsigned threads;            /* that have been given a meter so far */
    uint64_t requests;           /* of threads that have ended */
    int64_t busy;                /* of all, up to the last look; nanoseconds */
    int64_t looked;              /* when somebody last did, or recording began; nanoseconds of CLOCK_MONOTONIC */
    double cpu_user, cpu_system; /* of the process at the last look */
    mw_counter started, finished; /* requests, whatever they are counted for */
} mw_meters;
extern mw_meters mw_all_meters;

/* What one thread has done since the last look, in seconds. */
typedef struct mw_slot_sum {
    uint64_t completed;
    double busy, cpu, elapsed, longest;
} mw_slot_sum;

/* What all have done since the last look. */
typedef struct mw_sum {
    mw_window total;
    double now;                  /* seconds since the epoch */
    double period;               /* since the last look */
    double cpu_user, cpu_system; /* of the process, in that time */
    size_t slots, active;        /* threads that there can be, and that did anything */
    unsigned threads;            /* that have been seen so far */
    uint64_t requests;           /* since recording began */
    mw_slot_sum *each;           /* slots of them */
} mw_sum;

/* metrics.c. Starts recording for mod_wsgi's functions (MW_METER_API) or for telemetry. */
void mw_metrics_record(unsigned kind);
/* Empties the windows. NULL when out of memory; free with mw_sum_free(). */
mw_sum *mw_metrics_drain(void);
void mw_sum_free(mw_sum *sum);
/* meter.c. */
int64_t mw_cpu_of(clockid_t clock); /* nanoseconds */
static inline double mw_seconds(int64_t nanoseconds)
{
    return nanoseconds / 1e9;
}

/* ---- Single requests (slow.c) ---- */

/* A request as it is seen from outside, while it runs or at its end. Texts that do not fit end in "...". */
typedef struct mw_glimpse {
    mw_meter *meter;
    uint64_t number;             /* of the meter while it runs */
    unsigned thread_id;
    unsigned long python_id;
    long server_pid;
    double elapsed;              /* seconds since Apache received it */
    double request_start, queue_start, daemon_start, application_start; /* seconds since the epoch, 0 where not known */
    uint64_t active_at_start;
    char application_group[128], script[512], uri[1024];
    char log_id[64], method[16], scheme[16], host[262], script_name[256], path_info[512], protocol[16], peer[46], user_agent[512];
    /* Only at its end. */
    int status;
    double application_finish;   /* 0: it did not come as far as the application */
    double gil_wait, input_time, output_time, cpu_user, cpu_system; /* seconds */
    uint64_t gil_waits, input_bytes, input_reads, output_bytes, output_writes, active_at_end;
} mw_glimpse;

typedef struct mw_running {
    mw_meter *meter;
    uint64_t number;
    double elapsed; /* seconds since Apache received the request */
} mw_running;

extern _Atomic double mw_slow_limit; /* seconds: requests that took that long are told to Go at their end */
void mw_slow_watch(double limit);
/* Lists requests that run, as many as there is room for; how many there are. No GIL needed, nor for the others. */
size_t mw_running_requests(mw_running *list, size_t room);
/* False if it is over. */
bool mw_glimpse_of(mw_meter *meter, uint64_t number, mw_glimpse *glimpse);
/* The stack of a request's thread, malloc'ed, or NULL. Takes its interpreter's GIL: may wait for ever. */
char *mw_glimpse_stack(const mw_glimpse *glimpse);
/* Writes a record to the request's log, from another thread. False if it is over. */
bool mw_glimpse_log(const mw_glimpse *glimpse, int level, const char *text, size_t n);
/* For meter.c: a request is over that took so long. On its thread, while its transport is still there. */
void mw_slow_finished(mw_meter *meter, const mw_request *request, double elapsed);

/* Go: says what to log of it, malloc'ed, NULL: nothing. */
extern char *goMwSlowRequest(mw_glimpse *glimpse);

#endif
