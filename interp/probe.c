/* Is the GIL stuck? Whoever asks finds out by how long this takes. In C because it is CPython's API. */
#include "python.h"

bool mw_probe(void)
{
    int code;
    mw_thread *thread = mw_this.running ? mw_thread_self() : NULL;
    mw_interp *interp = thread ? mw_interp_get("", &code) : NULL;
    if (!interp || !mw_enter(interp, thread))
        return false;
    mw_leave();
    return true;
}
