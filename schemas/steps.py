"""Named steps at which a fault test may kill the process; in service they cost one dictionary look-up."""

import os
import signal

_WANTED, _, _TIMES = os.environ.get("DRAVA_TEST_KILL_AT", "").partition(":")
_left = int(_TIMES or 1)

RECEIVE = ("received", "journalled", "acknowledged")
COMMIT = ("files_written", "plan_written", "delta_first", "delta_committed", "snapshot_made", "published", "trimmed")


def reached(step: str) -> None:
    """Say that a step is done. Kills the process (SIGKILL) where a test asked for it: `DRAVA_TEST_KILL_AT=step:3`."""
    global _left  # noqa: PLW0603 - counts down over the process's life
    if step == _WANTED:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
