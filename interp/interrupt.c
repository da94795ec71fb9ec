/* Ending a request that takes too long: an exception is raised in its thread. In C because it is CPython's API, and because which request the
 * thread serves may be asked only while the interpreter's GIL keeps it from ending. */
#include "python.h"

#include <stdlib.h>
#include <string.h>

bool mw_interrupt(const char *application_group, unsigned long python_id, const mw_counter *request, uint64_t number, bool tell)
{
    mw_thread *thread = mw_thread_self();
    mw_interp *interp = mw_interp_known(application_group);
    if (!thread || !interp || !mw_enter(interp, thread))
        return false;
    char *stack = NULL;
    bool raised = false;
    /* Asked again: looking at the stack lets go of the GIL now and then. The exception is referred to, not taken over; any other result
     * means that the thread has no state here. */
    if (atomic_load(request) == number && (stack = mw_stack_of(python_id)) && atomic_load(request) == number)
        raised = PyThreadState_SetAsyncExc(python_id, interp->request_timeout) == 1;
    mw_leave();
    for (char *line = stack, *end; tell && raised && line && *line; line = end) {
        end = line + strcspn(line, "\n");
        mw_this.ops->log(NULL, MW_LOG_INFO, NULL, line, end - line);
        end += *end == '\n';
    }
    free(stack);
    return raised;
}
