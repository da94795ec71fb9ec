/* The client: how a child of Apache's has a request run by a daemon process. Plain C, without Apache's and CPython's headers; on the steady
 * path of a request, so that nothing here enters Go. */
#ifndef MWD_CLIENT_H
#define MWD_CLIENT_H

#include <stdbool.h>

#include "../../interp/gateway.h"
#include "../board.h"

/* A process group as this child sees it: made by Go from the configuration, immutable, never freed. Times are in milliseconds; 0 is no
 * limit unless noted. */
typedef struct mwd_group {
    const char *name;
    const char *socket;          /* path of its processes' sockets without the serial: "%s.%u.sock" */
    mwd_part *part;              /* of the board, NULL if there is none */
    uint32_t slots;              /* in it */
    const mwd_children *children; /* of the board */
    struct mwd_self *self;       /* among them, mwd_self_new() */
    uint32_t backlog;            /* requests that may wait for as long as they like */
    uint32_t uid;                /* of its processes */
    int64_t connect_timeout;     /* how long others may, and all of them while there is no process; 0: one attempt */
    int64_t socket_timeout;      /* of one read or write; 0: the server's Timeout, which the caller gives */
    int64_t queue_timeout;       /* since the request was received */
    int64_t flush_delay;         /* 0: flush whenever the process has nothing more at the moment */
    size_t response_buffer;      /* bytes of the answer after which a flush is forced */
    size_t header_buffer;        /* longest header line plus 2 */
    int send_buffer, receive_buffer; /* of the socket; 0: the system's */
    unsigned processes;          /* at most */
    int bell;                    /* the pipe that tells the supervisor of requests that wait; 0: there is none */
    uint32_t number;             /* of the group, for the supervisor */
    struct mwd_pool *pool;       /* connections, mwd_pool_new() */
} mwd_group;

/* Connections to the processes in so many slots. NULL: out of memory. */
struct mwd_pool *mwd_pool_new(uint32_t slots);

/* This child for the groups of a board. It is entered there when a request has to wait for the first time. NULL: out of memory. */
struct mwd_self *mwd_self_new(mwd_children *children);

/* What the client tells of a request beside its outcome. */
typedef struct mwd_report {
    int code;              /* WSGI#### of what went wrong here, 0 if nothing did */
    char detail[256];      /* what it says, for Go's wording (module.Fault) */
    unsigned connects, restarts; /* attempts to get a process, and processes that sent the request back */
    unsigned retry_after;  /* seconds after which it is worth trying again; 0: not known */
    double queue_start;    /* seconds since the epoch */
} mwd_report;

/* What a transport has to do in addition when the answer comes from a daemon process. Each may be NULL. */
typedef struct mwd_hooks {
    /* Looks at status and headers before they count. 0: go on; otherwise an HTTP status: the answer is dropped, and mwd_run() returns it.
     * headers: NULL-terminated pairs of name and value. Called before anything of the answer is handed to the transport. */
    int (*inspect)(void *transport, int status, const char *const *headers);
    /* Called before a process is asked for when a body has not arrived as a whole: `got` bytes of it are in the window, which has room for
     * `size`. May wait for more; returns how much is in the window. What else it keeps is what ops->read gives first. */
    size_t (*collect)(void *transport, char *window, size_t size, size_t got);
    /* Waits until the process has sent something, while the client takes what the transport has: returns 1 then, or at once if there is
     * nothing for the client; 0 when so many milliseconds have passed (0: no limit); -1 when the client is gone. */
    int (*await)(void *transport, int fd, int64_t milliseconds);
    /* Asked while the request waits for a permit: the group to wait for from now on, or NULL. It is asked again when somebody lets all look who
     * wait (Board.Wake), and every now and then. */
    const struct mwd_group *(*elsewhere)(void *transport);
} mwd_hooks;

/* Runs one request in a process of the group, like mw_run(): the answer goes to call->ops, the result is one of its. On a failure of
 * the way to the process, report->code says which; the result is then MW_CUT if something of the answer was handed over, and otherwise
 * the status that Go's wording of the code will give (the caller asks for it): 0 here. timeout: the server's, in milliseconds. */
int mwd_run(const mwd_group *group, mw_call *call, const mwd_hooks *hooks, int64_t timeout, mwd_report *report);

#endif
