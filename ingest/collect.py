"""Python's garbage collector, set for batches: a batch makes tens of thousands of objects that all go at its end."""

import gc

YOUNG = 100_000


def rare_collections() -> None:
    """Collect seldom: by default every 700 new objects ask for a look at all the others, a third of decoding's time."""
    gc.set_threshold(YOUNG, 20, 50)
