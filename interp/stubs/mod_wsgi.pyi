"""The module mod_wsgi, which applications find wherever mod_wsgi runs them."""

from collections.abc import Callable, Iterator
from logging import Handler as _Handler
from types import TracebackType as _TracebackType
from typing import Any, Protocol, TypedDict, TypeVar

version: tuple[int, int, int]
process_group: str
application_group: str
maximum_processes: int
threads_per_process: int

# ---- Requests ----

active_requests: dict[str, dict[str, Any]]

def request_data() -> dict[str, Any]: ...

class RequestTimeout(BaseException): ...

class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

class FileWrapper:
    def __init__(self, filelike: _Readable, blksize: int = 8192) -> None: ...
    @property
    def filelike(self) -> _Readable: ...
    @property
    def blksize(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None: ...

# ---- Logging ----

class LogHandler(_Handler): ...

# ---- Events ----

# Called as callback(name, **payload). A dict that it returns is merged into the payload.
_Callback = TypeVar("_Callback", bound=Callable[..., Any])

event_callbacks: list[Callable[..., Any]]
shutdown_callbacks: list[Callable[..., Any]]
signal_callbacks: list[Callable[..., Any]]

def subscribe_events(callback: _Callback, /) -> _Callback: ...
def subscribe_shutdown(callback: _Callback, /) -> _Callback: ...
def subscribe_signals(callback: _Callback, /) -> _Callback: ...

_ExceptionInfo = tuple[type[BaseException], BaseException, _TracebackType | None]

class _RequestEvent(TypedDict, total=False):
    request_id: str
    request_data: dict[str, Any]

class _RequestStarted(_RequestEvent):
    thread_id: int
    daemon_connects: int
    daemon_restarts: int
    server_pid: int
    request_start: float
    queue_start: float
    daemon_start: float
    application_start: float
    application_object: Any
    callable_object: str
    request_environ: dict[str, Any]

class _ResponseStarted(_RequestEvent):
    response_status: Any
    response_headers: Any
    exception_info: Any

class _RequestException(_RequestEvent):
    exception_info: _ExceptionInfo

class _RequestFinished(_RequestEvent, total=False):
    thread_id: int
    server_pid: int
    request_start: float
    queue_start: float
    daemon_start: float
    application_finish: float
    application_time: float
    input_reads: int
    input_length: int
    input_time: float
    output_writes: int
    output_length: int
    output_time: float
    status: int
    cpu_user_time: float
    cpu_system_time: float
    cpu_time: float
    gil_wait_time: float
    gil_wait_count: int

class _ProcessSignal(TypedDict):
    signame: str
    signum: int

class _ProcessStopping(TypedDict):
    shutdown_reason: str

# ---- Metrics ----

def start_recording_metrics() -> None: ...

class _RequestMetrics(TypedDict):
    pid: int
    start_time: float
    stop_time: float
    sample_period: float
    request_count: int
    request_throughput: float
    request_threads_maximum: int
    request_threads_started: int
    request_threads_active: int
    capacity_utilization: float
    request_threads_completed: list[int]
    request_threads_buckets: list[int]
    request_threads_busy_time: list[float]
    request_threads_cpu_time: list[float]
    request_threads_current_elapsed: list[float]
    request_threads_max_duration: list[float]
    server_time: float
    server_time_min_us: int | None
    server_time_max_us: int | None
    server_time_buckets: list[int]
    queue_time: float | None
    queue_time_min_us: int | None
    queue_time_max_us: int | None
    queue_time_buckets: list[int]
    daemon_time: float | None
    daemon_time_min_us: int | None
    daemon_time_max_us: int | None
    daemon_time_buckets: list[int]
    application_time: float
    application_time_min_us: int | None
    application_time_max_us: int | None
    application_time_buckets: list[int]
    request_time: float
    request_time_min_us: int | None
    request_time_max_us: int | None
    request_time_buckets: list[int]
    input_read_time: float
    input_read_time_min_us: int | None
    input_read_time_max_us: int | None
    input_read_time_buckets: list[int]
    output_write_time: float
    output_write_time_min_us: int | None
    output_write_time_max_us: int | None
    output_write_time_buckets: list[int]
    gil_wait_time: float
    gil_wait_time_min_us: int | None
    gil_wait_time_max_us: int | None
    gil_wait_time_buckets: list[int]
    gil_wait_count: int
    input_bytes: int
    input_reads: int
    output_bytes: int
    output_writes: int
    status_1xx: int
    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    cpu_user_utilization: float
    cpu_system_utilization: float
    cpu_utilization: float
    cpu_user_time: float
    cpu_system_time: float
    cpu_time: float
    memory_rss: int
    memory_max_rss: int

def request_metrics() -> _RequestMetrics | None: ...

class _ThreadMetrics(TypedDict):
    thread_id: int
    request_count: int

class _ProcessMetrics(TypedDict):
    pid: int
    request_busy_time: float
    request_count: int
    memory_max_rss: int
    memory_rss: int
    cpu_user_time: float
    cpu_system_time: float
    cpu_time: float
    restart_time: float
    current_time: float
    running_time: int
    request_threads: int
    active_requests: int
    threads: list[_ThreadMetrics]

def process_metrics() -> _ProcessMetrics | None: ...

class _WorkerMetrics(TypedDict):
    thread_num: int
    generation: int
    status: str
    access_count: int
    bytes_served: int
    start_time: float
    stop_time: float
    last_used: float
    client: str
    request: str
    vhost: str

class _ServerProcessMetrics(TypedDict):
    process_num: int
    pid: int
    generation: int
    quiescing: bool
    workers: list[_WorkerMetrics]

class _ServerMetrics(TypedDict):
    server_limit: int
    thread_limit: int
    running_generation: int
    restart_time: float
    current_time: float
    running_time: int
    processes: list[_ServerProcessMetrics]

def server_metrics() -> _ServerMetrics | None: ...
