/* For make sanitize, in front of each of our C files: what they take from APR's pools comes from malloc() piece by piece, and goes with its
 * pool. A pool hands out parts of large blocks, in which AddressSanitizer sees neither an overrun nor a use after the pool's end. */
#if !defined MW_POOLS_H && !defined __ASSEMBLER__
#define MW_POOLS_H

#include <apr_pools.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

static inline apr_status_t mw_pools_free(void *p)
{
    free(p);
    return APR_SUCCESS;
}

static inline void *mw_pools_own(apr_pool_t *pool, void *p)
{
    if (p)
        apr_pool_cleanup_register(pool, p, mw_pools_free, apr_pool_cleanup_null);
    return p;
}

static inline char *mw_pools_text(apr_pool_t *pool, const char *text)
{
    return text ? (char *)mw_pools_own(pool, strdup(text)) : NULL;
}

static inline void *mw_pools_copy(apr_pool_t *pool, const void *from, size_t n, size_t room)
{
    return from ? memcpy(mw_pools_own(pool, calloc(1, room)), from, n) : NULL;
}

#undef apr_pcalloc
#define apr_palloc(pool, n) mw_pools_own(pool, malloc(n))
#define apr_pcalloc(pool, n) mw_pools_own(pool, calloc(1, n))
#define apr_pmemdup(pool, from, n) mw_pools_copy(pool, from, n, n)
#define apr_pstrmemdup(pool, from, n) ((char *)mw_pools_copy(pool, from, n, (n) + 1))
#define apr_pstrdup(pool, text) mw_pools_text(pool, text)
#define apr_pstrndup(pool, text, n) ((text) ? (char *)mw_pools_own(pool, strndup(text, n)) : NULL)
#define apr_pstrcat(pool, ...) mw_pools_text(pool, apr_pstrcat(pool, __VA_ARGS__))
#define apr_psprintf(pool, ...) mw_pools_text(pool, apr_psprintf(pool, __VA_ARGS__))

#endif
