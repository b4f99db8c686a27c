"""Whatever bytes come on whatever port, each decoder gives a value, in time, and keeps nothing."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.profiles import profiles
from ingest.codecs.frames import DECODERS
from ingest.codecs.record import Housekeeping, Rejected
from schemas.reasons import Reason
from tests.ingest.codecs.fuzzing import LONG, QUICK, fuzz

PORTS = ("1", "2", "3", "10", "14", "23", "24", "25", "26", "61", "85", "100", "103", "")
FRAMES = {p.decoder: [base64.b64decode(e.data) for e in p.example if e.data] for p in profiles().values()}
SEEDS = [frame for frames in FRAMES.values() for frame in frames]
TARGETS = {name: [name] for name in DECODERS if not name.startswith("decentlab")}
TARGETS["decentlab"] = [name for name in DECODERS if name.startswith("decentlab")]  # one engine, many tables


def fits(found: object) -> bool:
    """A value that can go on: JSON without odd numbers, or a reason with words."""
    if isinstance(found, Rejected):
        return found.reason is Reason.BAD_FRAME and bool(found.detail)
    if isinstance(found, Housekeeping):
        return bool(found.kind)
    json.dumps(found, allow_nan=False)
    return isinstance(found, dict) and all(isinstance(past, dict) for past in found.get("history", []))


def run(target: str, count: int) -> int:
    def read(topic: str, data: bytes) -> object:
        name, _, port = topic.partition(":")
        return DECODERS[name](data[:255], int(port) if port else None)

    names = TARGETS[target]
    own = [frame for name in names for frame in FRAMES.get(name, [])]
    topics = [f"{name}:{port}" for name in names for port in PORTS]
    return fuzz(read, own or SEEDS, count, topics=topics, fits=fits)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_two_thousand_frames(target):
    assert run(target, QUICK) > 5


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_two_hundred_thousand_frames(target):
    assert run(target, LONG) > 5


@settings(deadline=None)
@given(st.sampled_from(sorted(DECODERS)), st.sampled_from(SEEDS), st.sampled_from(PORTS), st.integers(0, 255))
def test_the_same_frame_always_gives_the_same_value(name, data, port, cut):
    number = int(port) if port else None
    assert DECODERS[name](data[:cut], number) == DECODERS[name](data[:cut], number)
