"""Made registers with every kind of dirt, as hypothesis draws them: (µs since 1970, m³) in the order of time."""

from decimal import Decimal

from hypothesis import strategies as st

LITRE = Decimal("0.001")
_RISE = st.one_of(st.integers(0, 500), st.integers(0, 100_000), st.just(0))
_MOVES = st.one_of(
    *[st.tuples(st.just("rise"), _RISE)] * 3,
    st.tuples(st.just("fall"), st.integers(1, 60)),  # backflow, or a little more
    st.tuples(st.just("to"), st.one_of(st.just(0), st.integers(0, 10**8))),  # a spike, a glitch, a reset
    st.tuples(st.just("stale"), st.integers(1, 5)),  # an old value again
)
_HOUR = 3600
BESIDE = [_HOUR] * 6 + [1, 60, 900, 2 * _HOUR, 24 * _HOUR]  # seconds between readings: mostly hours
APART = [_HOUR] * 3 + [6 * _HOUR, 12 * _HOUR] + [d * 24 * _HOUR for d in (1, 1, 1, 2, 6, 8, 20, 22, 30, 32)]


@st.composite
def dirty_series(draw, start, full=0, seconds=BESIDE, size=40):
    """A register in litres that mostly rises, modulo `full` where it is not 0."""
    between = st.one_of(st.sampled_from(seconds), st.integers(1, 40 * 86_400))
    at, true, found = start, draw(st.integers(0, 99_999_000)), []
    for length, (kind, by) in draw(st.lists(st.tuples(between, _MOVES), min_size=2, max_size=size)):
        at += length * 1_000_000 + draw(st.sampled_from([0, 0, 1]))
        true = true + by if kind == "rise" else max(true - by, 0) if kind == "fall" else true
        said = true % full if full else true
        if kind == "to":
            said = by
        elif kind == "stale" and len(found) >= by:
            said = int(found[-by][1] / LITRE)
        found.append((at, said * LITRE))
    return found
