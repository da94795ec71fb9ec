/* Connections to daemon processes, kept for the next request, and the memory that a request needs meanwhile. */
#ifndef MWD_POOL_H
#define MWD_POOL_H

#include "../wire.h"
#include "client.h"

enum { MWD_INPUT = 128 << 10, MWD_KEEP_OUTPUT = 256 << 10, MWD_BODY_BLOCK = 256 << 10 };

typedef struct mwd_connection {
    struct mwd_connection *next;
    int fd;
    uint32_t serial; /* of the process at the other end */
    bool greeted;    /* its hello was read */
    bool used;       /* it has served a request */
} mwd_connection;

/* Memory of a request: reused by the next one. */
typedef struct mwd_scratch {
    struct mwd_scratch *next;
    mwd_buffer request;        /* the REQUEST frame, kept until the process has accepted it */
    unsigned char *body;       /* MWD_BODY_BLOCK bytes, made on first use */
    mwd_buffer headers;        /* of an answer */
    unsigned char *input;      /* input_size bytes; start to end are frames not yet dealt with */
    size_t input_size, start, end;
} mwd_scratch;

mwd_scratch *mwd_pool_scratch(struct mwd_pool *pool); /* NULL: out of memory */
void mwd_pool_keep_scratch(struct mwd_pool *pool, mwd_scratch *scratch);
/* A connection to the process with that serial in the slot, or NULL. Closes those to its predecessors. */
mwd_connection *mwd_pool_connection(struct mwd_pool *pool, uint32_t slot, uint32_t serial);
void mwd_pool_keep_connection(struct mwd_pool *pool, uint32_t slot, mwd_connection *connection);
void mwd_connection_close(mwd_connection *connection);

#endif
