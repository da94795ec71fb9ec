/* The frames of the wire protocol for C: docs/protocol.md. protocol.go and payload.go are the same for Go, and the tests hold this to them. */
#ifndef MWD_WIRE_H
#define MWD_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    MWD_VERSION = 3,
    MWD_HEADER = 8,                /* bytes of a frame's header */
    MWD_MAX_REQUEST = 16 << 20,    /* payload of REQUEST, bytes */
    MWD_MAX_PAYLOAD = 1 << 20,     /* of every other frame */
    MWD_FIRST_WINDOW = 64 << 10,   /* bytes of the body that travel with REQUEST at most */
    MWD_HELLO = 4,                 /* payload of a hello */
    MWD_AT_CONNECTS = 32,          /* in the payload of REQUEST: what the child learns on the way. Number of attempts, */
    MWD_AT_RESTARTS = 36,          /* and of processes that sent the request back */
};

enum {
    MWD_CLIENT_HELLO = 0x01,
    MWD_REQUEST = 0x02,
    MWD_BODY = 0x03,
    MWD_BODY_END = 0x04,
    MWD_BODY_FAILED = 0x05,
    MWD_SERVER_HELLO = 0x81,
    MWD_WANT = 0x82,
    MWD_START = 0x83,
    MWD_DATA = 0x84,
    MWD_FILE = 0x85,
    MWD_LOG = 0x86,
    MWD_END = 0x87,
    MWD_ABORT = 0x88,
    MWD_FAIL = 0x89,
    MWD_AGAIN = 0x8a,
};

enum { MWD_FLUSH = 1 /* of DATA */, MWD_SHORT = 2 /* of END */, MWD_ELSEWHERE = 4 /* of AGAIN */ };

static const uint32_t mwd_no_value = 0xffffffffu; /* in place of the length of None */

static inline void mwd_put16(unsigned char *to, uint16_t v)
{
    to[0] = v;
    to[1] = v >> 8;
}

static inline void mwd_put32(unsigned char *to, uint32_t v)
{
    mwd_put16(to, v);
    mwd_put16(to + 2, v >> 16);
}

static inline void mwd_put64(unsigned char *to, uint64_t v)
{
    mwd_put32(to, v);
    mwd_put32(to + 4, v >> 32);
}

static inline uint16_t mwd_get16(const unsigned char *from)
{
    return from[0] | (uint16_t)from[1] << 8;
}

static inline uint32_t mwd_get32(const unsigned char *from)
{
    return mwd_get16(from) | (uint32_t)mwd_get16(from + 2) << 16;
}

static inline uint64_t mwd_get64(const unsigned char *from)
{
    return mwd_get32(from) | (uint64_t)mwd_get32(from + 4) << 32;
}

static inline void mwd_put_header(unsigned char *to, uint8_t type, uint8_t flags, uint32_t length)
{
    to[0] = type;
    to[1] = flags;
    mwd_put16(to + 2, 0);
    mwd_put32(to + 4, length);
}

typedef struct mwd_header {
    uint8_t type, flags;
    uint32_t length;
} mwd_header;

/* Reads a header and holds it to the limits of its type. False: it is garbage. */
static inline bool mwd_get_header(const unsigned char *from, mwd_header *h)
{
    static const struct {
        uint8_t type, flags;
        uint32_t min, max;
    } layouts[] = {
        {MWD_CLIENT_HELLO, 0, MWD_HELLO, MWD_HELLO}, {MWD_REQUEST, 0, 73, MWD_MAX_REQUEST}, {MWD_BODY, 0, 0, MWD_MAX_PAYLOAD},
        {MWD_BODY_END, 0, 0, 0}, {MWD_BODY_FAILED, 0, 2, MWD_MAX_PAYLOAD}, {MWD_SERVER_HELLO, 0, MWD_HELLO, MWD_HELLO},
        {MWD_WANT, 0, 4, 4}, {MWD_START, 0, 17, MWD_MAX_PAYLOAD}, {MWD_DATA, MWD_FLUSH, 1, MWD_MAX_PAYLOAD}, {MWD_FILE, 0, 16, 16},
        {MWD_LOG, 0, 10, MWD_MAX_PAYLOAD}, {MWD_END, MWD_SHORT, 0, 0}, {MWD_ABORT, 0, 2, MWD_MAX_PAYLOAD}, {MWD_FAIL, 0, 2, MWD_MAX_PAYLOAD},
        {MWD_AGAIN, MWD_ELSEWHERE, 0, 0},
    };
    h->type = from[0];
    h->flags = from[1];
    h->length = mwd_get32(from + 4);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].type == h->type)
            return !(h->flags & ~layouts[i].flags) && from[2] == 0 && from[3] == 0 && h->length >= layouts[i].min && h->length <= layouts[i].max;
    return false;
}

/* ---- Payloads ---- */

/* Takes a payload apart in place. After a failure everything reads as zero or an empty text. */
typedef struct mwd_parser {
    unsigned char *at, *end;
    bool failed;
} mwd_parser;

static inline unsigned char *mwd_take(mwd_parser *p, size_t n)
{
    static unsigned char nothing[8];
    if (p->failed || (size_t)(p->end - p->at) < n) {
        p->failed = true;
        return memset(nothing, 0, sizeof nothing);
    }
    p->at += n;
    return p->at - n;
}

/* A string, which has a NUL behind it and none in it: where it lies. NULL for None, or after a failure. */
static inline char *mwd_take_value(mwd_parser *p)
{
    uint32_t n = mwd_get32(mwd_take(p, 4));
    if (n == mwd_no_value || p->failed)
        return NULL;
    if ((size_t)(p->end - p->at) <= n || memchr(p->at, '\0', (size_t)n + 1) != p->at + n) {
        p->failed = true;
        return NULL;
    }
    p->at += (size_t)n + 1;
    return (char *)p->at - n - 1;
}

static inline const char *mwd_take_string(mwd_parser *p)
{
    const char *text = mwd_take_value(p);
    p->failed = p->failed || !text;
    return text ? text : "";
}

/* Bytes that grow. `n` of them are in use; after failing to get memory, `failed` is set and nothing more is added. */
typedef struct mwd_buffer {
    unsigned char *data;
    size_t n, size;
    bool failed;
} mwd_buffer;

/* Room for n bytes more, which count as used; NULL if there is no memory. */
static inline unsigned char *mwd_grow(mwd_buffer *b, size_t n)
{
    if (b->size - b->n < n) {
        size_t size = b->size + b->size / 2;
        if (size < b->n + n)
            size = b->n + n;
        unsigned char *data = b->failed ? NULL : realloc(b->data, size);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->size = size;
    }
    b->n += n;
    return b->data + b->n - n;
}

static inline void mwd_add32(mwd_buffer *b, uint32_t v)
{
    unsigned char *to = mwd_grow(b, 4);
    if (to)
        mwd_put32(to, v);
}

static inline void mwd_add64(mwd_buffer *b, uint64_t v)
{
    unsigned char *to = mwd_grow(b, 8);
    if (to)
        mwd_put64(to, v);
}

/* A string; NULL is None. */
static inline void mwd_add_string(mwd_buffer *b, const char *text)
{
    if (!text) {
        mwd_add32(b, mwd_no_value);
        return;
    }
    size_t n = strlen(text);
    unsigned char *to = n < UINT32_MAX ? mwd_grow(b, n + 5) : NULL;
    b->failed = b->failed || !to;
    if (!to)
        return;
    mwd_put32(to, n);
    memcpy(to + 4, text, n + 1);
}

#endif
