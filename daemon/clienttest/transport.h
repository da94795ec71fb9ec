/* A request as a child of Apache's would have it, in memory: what the client does with it is written down. */
#ifndef CT_TRANSPORT_H
#define CT_TRANSPORT_H

#include "../client/client.h"

typedef struct ct_text {
    char *data;
    size_t n, size;
} ct_text;

typedef struct ct_request {
    const char *body;       /* of the request */
    size_t n_body, at_once; /* of it, so much may be had without blocking */
    int fail_read, fail_write_after; /* the body can't be read; the client goes after so many bytes (-1: never) */
    int drop_with;          /* what inspect answers */
    int collect;            /* the body is complete before a process is asked for: so many milliseconds later */
    const mwd_group *elsewhere; /* to be waited for instead as soon as a process of it is ready; or NULL */
    int await;              /* what that answers while there is something for the client: 1, 0: the time is up, -1: it is gone */
    ct_text trace, answer;  /* words of what happened; the answer's body */
} ct_request;

typedef struct ct_outcome {
    int result;
    mwd_report report;
} ct_outcome;

/* Runs the request; pairs is a NULL-terminated list of environ keys and values. */
ct_outcome ct_run(const mwd_group *group, ct_request *request, const char *const *pairs, int64_t content_length, int64_t timeout);
void ct_free(ct_request *request);

#endif
