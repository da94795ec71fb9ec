"""What mod_wsgi.request_metrics() and its like say, made of what the C code has counted. Run in the namespace of bootstrap.py, before it."""


def resident_memory():
    """What the process has in memory and the most that it ever had, in bytes."""
    import os
    import resource

    try:
        with open("/proc/self/statm", "rb") as statm:
            pages = int(statm.read().split()[1])
    except OSError:
        pages = 0  # there is no /proc below this process's root
    return pages * os.sysconf("SC_PAGE_SIZE"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def phase_metrics(name, phase, recorded):
    """The mean, the extremes and the distribution of one phase of the requests."""
    total, shortest, longest, buckets = phase
    return {
        name: total / recorded if recorded else 0.0,
        f"{name}_min_us": round(shortest * 1e6) if recorded else None,
        f"{name}_max_us": round(longest * 1e6) if recorded else None,
        f"{name}_buckets": buckets,
    }


def make_metrics(record, drain, totals, server, in_daemon_process):
    """The functions of mod_wsgi. Without in_daemon_process no request has waited for a process."""

    def start_recording_metrics():
        """Has the requests of this process counted from now on, for request_metrics() and process_metrics()."""
        record()

    def request_metrics():
        """What has happened since the last call, in any interpreter of this process: a dict, or None if nothing is recorded."""
        import os

        seen = drain()
        if seen is None:
            return None
        period, recorded, maximum = seen["period"], seen["recorded"], seen["maximum"]
        rate = 1 / period if period > 0 else 0.0
        rss, max_rss = resident_memory()
        user, system = seen["cpu_user"] * rate, seen["cpu_system"] * rate
        metrics = {
            "pid": os.getpid(),
            "start_time": seen["now"] - period,
            "stop_time": seen["now"],
            "sample_period": period,
            "request_count": seen["completed"],
            "request_throughput": seen["completed"] * rate,
            "request_threads_maximum": maximum,
            "request_threads_started": seen["started"],
            "request_threads_active": seen["active"],
            "capacity_utilization": seen["busy"] * rate / maximum if maximum else 0.0,
            "request_threads_completed": seen["slots_completed"],
            "request_threads_buckets": seen["slots_completed"],
            "request_threads_busy_time": seen["slots_busy"],
            "request_threads_cpu_time": seen["slots_cpu"],
            "request_threads_current_elapsed": seen["slots_elapsed"],
            "request_threads_max_duration": seen["slots_longest"],
        }
        for name, phase in seen["phases"].items():
            metrics.update(phase_metrics(name, phase, recorded))
        if not in_daemon_process:
            for name in ("queue_time", "daemon_time"):
                metrics[name] = metrics[f"{name}_min_us"] = metrics[f"{name}_max_us"] = None
        for count in ("input_bytes", "input_reads", "output_bytes", "output_writes"):
            metrics[count] = seen[count]
        metrics["gil_wait_count"] = seen["gil_waits"]
        metrics.update((f"status_{n}xx", count) for n, count in enumerate(seen["classes"], 1))
        for key, value in (("cpu_user", user), ("cpu_system", system), ("cpu", user + system)):
            metrics[f"{key}_utilization"] = metrics[f"{key}_time"] = value
        metrics.update(memory_rss=rss, memory_max_rss=max_rss)
        return metrics

    def process_metrics():
        """What this process has done since recording began: a dict, or None if nothing is recorded."""
        import os

        seen = totals()
        if seen is None:
            return None
        rss, max_rss = resident_memory()
        threads = [{"thread_id": number, "request_count": count} for number, count in sorted(seen["threads"])]
        return {
            "pid": os.getpid(),
            "request_busy_time": seen["busy"],
            "request_count": seen["requests"],
            "memory_max_rss": max_rss,
            "memory_rss": rss,
            "cpu_user_time": seen["cpu_user"],
            "cpu_system_time": seen["cpu_system"],
            "cpu_time": seen["cpu_user"] + seen["cpu_system"],
            "restart_time": seen["started"],
            "current_time": seen["now"],
            "running_time": int(seen["now"] - seen["started"]),
            "request_threads": len(threads),
            "active_requests": seen["active"],
            "threads": threads,
        }

    def server_metrics():
        """What all processes of the server and their workers are doing: a dict, or None where the configuration keeps that from applications."""
        import json

        text = server()
        return None if text is None else json.loads(text)

    return start_recording_metrics, request_metrics, process_metrics, server_metrics
