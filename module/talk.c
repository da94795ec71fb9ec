/* Conversations of Apache's parent with the programs that it starts: never longer than the caller allows. In C because it runs in the
 * parent. */
#include "edge.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

bool mw_ready(int fd, short events, apr_time_t end)
{
    for (;;) {
        apr_interval_time_t left = end - apr_time_now();
        struct pollfd wait = {fd, events, 0};
        int n = poll(&wait, 1, left > 0 ? (int)apr_time_as_msec(left) : 0);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

const char *mw_send(int fd, const void *data, size_t n, apr_time_t end)
{
    const char *from = data;
    while (n > 0) {
        if (!mw_ready(fd, POLLOUT, end))
            return "it does not read in time";
        ssize_t sent = send(fd, from, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return "it stopped reading";
        if (sent > 0) {
            from += sent;
            n -= sent;
        }
    }
    return NULL;
}
