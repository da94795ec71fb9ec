# What the modules mod_wsgi and apache give an application, one case per path: the reference's section 4.
import json
import threading

import apache
import mod_wsgi

told = []

# Release 4.9.4 has no more than these; a query string `common` leaves out the others.
COMMON = {subject: names.split() for subject, names in {
    "module": "FileWrapper active_requests application_group event_callbacks maximum_processes process_group process_metrics request_data "
              "request_metrics server_metrics shutdown_callbacks subscribe_events subscribe_shutdown threads_per_process version",
    "request_metrics": "application_time application_time_buckets capacity_utilization cpu_system_time cpu_user_time daemon_time "
                       "daemon_time_buckets memory_max_rss memory_rss pid queue_time queue_time_buckets request_count request_threads_active "
                       "request_threads_buckets request_threads_maximum request_threads_started request_throughput sample_period server_time "
                       "server_time_buckets start_time stop_time",
    "process_metrics": "active_requests cpu_system_time cpu_user_time current_time memory_max_rss memory_rss pid request_busy_time "
                       "request_count request_threads restart_time running_time threads",
    "request_started": "application_object application_start daemon_connects daemon_restarts daemon_start queue_start request_data "
                       "request_environ request_id request_start thread_id",
    "request_finished": "application_finish application_time input_length input_reads input_time output_length output_time output_writes "
                        "request_data request_id",
}.items()}


def kept(subject, names, environ):
    everything = environ["QUERY_STRING"] != "common" or subject not in COMMON
    return [name for name in sorted(names) if everything or name in COMMON[subject]]


def tell(name, **payload):
    told.append((name, payload))


def application(environ, start_response):
    case = environ["PATH_INFO"].strip("/")
    if case.startswith("do_"):
        return globals()[case](environ, start_response)
    body = json.dumps(globals()["case_" + case](environ), sort_keys=True).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def case_attributes(environ):
    return [repr(mod_wsgi.process_group), repr(mod_wsgi.application_group), mod_wsgi.maximum_processes, mod_wsgi.threads_per_process]


def case_apache(environ):
    return [apache.version[:2], apache.maximum_processes, apache.threads_per_process, apache.mpm_name, apache.build_date, apache.description.split()[0]]


def case_names(environ):
    return kept("module", (name for name in dir(mod_wsgi) if not name.startswith("_")), environ)


def case_request_data(environ):
    data, found = mod_wsgi.request_data(), []
    data["key"] = "value"

    def elsewhere():
        try:
            mod_wsgi.request_data()
        except RuntimeError:
            found.append("RuntimeError")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    return [mod_wsgi.request_data(), mod_wsgi.request_data() is data, found]


def case_active_requests(environ):
    mod_wsgi.request_data()["mine"] = True
    return [list(mod_wsgi.active_requests) == [environ["mod_wsgi.request_id"]], list(mod_wsgi.active_requests.values())]


def case_file_wrapper(environ):
    return [environ["wsgi.file_wrapper"] is mod_wsgi.FileWrapper]


def case_metrics_before(environ):
    return [mod_wsgi.request_metrics(), mod_wsgi.process_metrics()]


def case_start(environ):
    getattr(mod_wsgi, "start_recording_metrics", mod_wsgi.request_metrics)()


def kinds(metrics, subject=None, environ={"QUERY_STRING": ""}):
    return {key: type(metrics[key]).__name__ for key in kept(subject, metrics, environ)}


def case_request_metrics(environ):
    return kinds(mod_wsgi.request_metrics(), "request_metrics", environ)


def case_process_metrics(environ):
    return kinds(mod_wsgi.process_metrics(), "process_metrics", environ)


def case_server_metrics(environ):
    metrics = mod_wsgi.server_metrics()
    if metrics is None:
        return None
    workers = [worker for process in metrics["processes"] for worker in process["workers"]]
    return [kinds(metrics), kinds(metrics["processes"][0]), kinds(workers[0]), len(metrics["processes"]) == metrics["server_limit"],
            len(workers) == metrics["server_limit"] * metrics["thread_limit"], sorted({len(worker["status"]) for worker in workers})]


def case_subscribe(environ):
    returned = [mod_wsgi.subscribe_events(tell), mod_wsgi.subscribe_shutdown(tell)]
    return [len(mod_wsgi.event_callbacks), len(mod_wsgi.shutdown_callbacks)] + (environ["QUERY_STRING"] != "common") * [r is tell for r in returned]


def case_told(environ):
    "The events of the requests before this one."
    seen = [(name, payload) for name, payload in told if payload["request_id"] != environ["mod_wsgi.request_id"]]
    told.clear()
    # Whether processor time is known depends on how much a thread has used.
    return [[name, [key for key in kept(name, payload, environ) if not key.startswith("cpu_")]] for name, payload in seen]


def case_totals(environ):
    "What is known of the one request before this one."
    finished = [payload for name, payload in told if name == "request_finished"][-1]
    started = [payload for name, payload in told if name == "request_started" and payload["request_id"] == finished["request_id"]][0]
    told.clear()
    return [started["daemon_restarts"], started["daemon_connects"], started["daemon_start"] > 0, finished["input_length"], finished["output_length"],
            finished["output_writes"], started["request_data"] is finished["request_data"], started["application_object"] is application,
            started["request_environ"]["REQUEST_METHOD"], finished["application_time"] >= 0.0]


def do_work(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (block for block in [b"a", b"bcd"])


def do_fail(environ, start_response):
    raise ValueError("as it should")


def do_replace(environ, start_response):
    "The application is replaced for requests with the query string `replaced`."
    def replace(name, **payload):
        if name == "request_started" and payload["request_environ"]["QUERY_STRING"] == "replaced":
            inner = payload["application_object"]
            return {"application_object": lambda environ, start_response: [b"replaced: "] + list(inner(environ, start_response))}

    mod_wsgi.subscribe_events(replace)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"subscribed"]
