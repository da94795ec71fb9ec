/* The REQUEST frame of a request. */
#ifndef MWD_REQUEST_FRAME_H
#define MWD_REQUEST_FRAME_H

#include "../wire.h"
#include "client.h"

/* Builds the frame, with as much of the body as there is, or as hooks->collect waits for. Sets report->queue_start, and adds the time that it took to
 * *received: receiving a body is not waiting for a process. False: there is no memory. */
bool mwd_build_request(mwd_buffer *b, const mw_call *call, const mwd_hooks *hooks, mwd_report *report, double *received);

#endif
