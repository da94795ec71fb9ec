"""What the garbage collector of one interpreter does, for telemetry. Run once in each, in a namespace of its own."""

import gc
import time

MOST_KEPT, MOST_TOLD = 256, 64
pauses = []  # (start, duration, generation, collected, uncollectable), the oldest first
dropped = 0
began = None


def note(phase, info):
    """Called by the collector, before and after it works."""
    global began, dropped
    if phase == "start":
        began = time.time(), time.perf_counter()
    elif began is not None:
        if len(pauses) >= MOST_KEPT:
            del pauses[0]
            dropped += 1
        pauses.append((began[0], time.perf_counter() - began[1], info["generation"], info["collected"], info["uncollectable"]))
        began = None


def look():
    """The state of the collector, and its pauses since the last call (MOST_TOLD of them; the others are for the next): numbers in a text."""
    global dropped
    told = [pauses.pop(0) for _ in range(min(MOST_TOLD, len(pauses)))]
    numbers = [int(gc.isenabled()), gc.get_freeze_count(), dropped, *gc.get_count(), *gc.get_threshold()]
    dropped = 0
    for generation in gc.get_stats():
        numbers += generation["collections"], generation["collected"], generation["uncollectable"]
    for pause in told:
        numbers += pause
    return " ".join(map(repr, numbers))


gc.callbacks.append(note)
