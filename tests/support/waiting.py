"""waiting — bounded waits on conditions, so that no test sleeps and none hangs."""
import time


def wait_for(condition, seconds=15, what="the condition", step=0.02):
    """Calls `condition` until it gives something true, and returns that. Raises AssertionError with `what` when time is up."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"waited {seconds} s in vain for {what() if callable(what) else what}")
        time.sleep(step)
