/* Apache's scoreboard for Go: its structs are Apache's. In a child only, on any thread. */
#include "edge.h"

#include <scoreboard.h>
#include <string.h>

bool mw_scoreboard_limits(mw_server_score *score)
{
    const global_score *global = ap_exists_scoreboard_image() ? ap_get_scoreboard_global() : NULL;
    if (!global)
        return false;
    score->server_limit = global->server_limit;
    score->thread_limit = global->thread_limit;
    score->generation = global->running_generation;
    score->restart_time = global->restart_time;
    return true;
}

void mw_scoreboard_process(int process, mw_process_score *score)
{
    const process_score *p = ap_get_scoreboard_process(process);
    memset(score, 0, sizeof *score);
    if (!p)
        return;
    score->pid = p->pid;
    score->generation = p->generation;
    score->quiescing = p->quiescing != 0;
}

void mw_scoreboard_worker(int process, int thread, mw_worker_score *score)
{
    worker_score w;
    memset(score, 0, sizeof *score);
    memset(&w, 0, sizeof w);
    ap_copy_scoreboard_worker(&w, process, thread);
    score->generation = w.generation;
    score->status = w.status;
    score->access_count = w.access_count;
    score->bytes_served = w.bytes_served;
    score->start_time = w.start_time;
    score->stop_time = w.stop_time;
    score->last_used = w.last_used;
    apr_cpystrn(score->client, w.client64, sizeof score->client);
    apr_cpystrn(score->request, w.request, sizeof score->request);
    apr_cpystrn(score->vhost, w.vhost, sizeof score->vhost);
}
