"""A coverage-guided fuzzer: inputs that reach new lines of our code are kept and changed further.

Every input must give a value: no exception, no second of CPU time, no memory that stays. The seed is fixed, so a run
repeats; 2,000 inputs a target by default, 200,000 under `make soak`.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

QUICK, LONG = 2_000, 200_000
SECONDS = 1.0
BLOCKS = 20_000  # small objects of Python that may stay (caches of texts and types): about 1 MB
LONGEST = 4_096
OURS = str(Path(__file__).parents[3])
Read = Callable[[str, bytes], object]

# What has broken decoders elsewhere: ends of number ranges, odd numbers of JSON, endless nesting, times at the ends.
WORDS = (
    b"null", b"true", b"NaN", b"-1", b"1e999", b"-0.0", b"9223372036854775808", b"18446744073709551616", b"[]", b"{}",
    b'""', b'"\\ud800"', b"[" * 600, b'{"a":' * 600, b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"',
    b'"1111-11-11T11:11:11Z"', b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff", b"\x80\x00", b"\x00\x00\xc0\x7f", b"9" * 400,
)  # fmt: skip


class _Lines:
    """Which lines of our code a call reaches."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, int]] = set()
        self.new = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            return self if frame.f_code.co_filename.startswith(OURS) else None
        if event == "line":
            place = (id(frame.f_code), frame.f_lineno)
            if place not in self.seen:
                self.seen.add(place)
                self.new = True
        return self


def changed(random: Random, data: bytes, other: bytes, words: Sequence[bytes]) -> bytes:
    """One to four small changes: a bit, a byte, a cut, a word, a repeat, a piece of another input."""
    made = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(made))
        to = min(len(made), at + random.choice((1, 2, 4, 8, 32)))
        match random.randrange(7):
            case 0 if at < len(made):
                made[at] ^= 1 << random.randrange(8)
            case 1 if at < len(made):
                made[at] = random.randrange(256)
            case 2:
                del made[at:to]
            case 3:
                made[at:to] = random.choice(words)
            case 4:
                made[at:at] = made[at:to] * random.randint(1, 8)
            case 5:
                begin = random.randint(0, len(other))
                made[at:to] = other[begin : begin + random.choice((1, 4, 16, 64))]
            case _:
                del made[at:]
    return bytes(made[:LONGEST])


def fuzz(
    read: Read,
    seeds: Iterable[bytes],
    count: int = QUICK,
    *,
    topics: Sequence[str] = ("",),
    words: Sequence[bytes] = (),
    fits: Callable[[object], bool] = lambda _: True,
) -> int:
    """Give `count` inputs to `read`; return how many lines of our code they reached. Fails with the input it fails on.

    `seeds` are good inputs to begin with, `words` further pieces to put in; `fits` says whether what came is a value.
    """
    random, lines = Random(4), _Lines()
    corpus, pieces = [*seeds, b""], [*WORDS, *words]
    slowest, blocks = 0.0, 0
    for number in range(count):
        if number == count // 2:  # what is loaded and remembered once is there now
            blocks = _blocks()
        data, other = random.choices(corpus, k=2)
        data = corpus[number] if number < len(corpus) else changed(random, data, other, pieces)
        topic = random.choice(topics)
        lines.new = False
        sys.settrace(lines)
        start = time.thread_time()
        try:
            found = read(topic, data)
        except BaseException as error:
            error.add_note(f"topic {topic!r}, payload {data!r}")
            raise
        finally:
            sys.settrace(None)
        slowest = max(slowest, time.thread_time() - start)
        assert slowest < SECONDS, f"{slowest:.1f} s of CPU for topic {topic!r}, payload {data!r}"
        assert fits(found), f"{found!r} from topic {topic!r}, payload {data!r}"
        if lines.new and number < count // 2:  # later finds would count as memory that stays
            corpus.append(data)
    stayed = _blocks() - blocks
    assert stayed < BLOCKS, f"{stayed} objects stayed of the last {count - count // 2} inputs"
    return len(lines.seen)


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
