"""Milesight's frames: items of channel, type and value, one after the other, little-endian.

Formats are those of the vendor's user guides; where guide and recorded frames differ, the frames decide. The items of
each model are in `milesight_models.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import NamedTuple

from ingest.codecs.frames.frame import Decoder, Found, Values, bad

CELLULAR = 86  # header of a frame over NB-IoT: serial number, IMEI, IMSI and ICCID, which nobody needs to keep


class Item(NamedTuple):
    """The layout of one item's value, and what its numbers mean."""

    layout: Struct
    read: Callable[..., Values]


def item(layout: str, read: Callable[..., Values]) -> Item:
    """Make an item of a layout as `struct` writes it."""
    return Item(Struct(f"<{layout}"), read)


def decoder(items: Mapping[bytes, Item]) -> Decoder:
    """Make the decoder of a model of its items. The port may be set by the owner, so it says nothing."""

    def decode(data: bytes, port: int | None = None) -> Found:  # noqa: ARG001 - one signature for all decoders
        return _decode(items, data)

    return decode


def cellular(items: Mapping[bytes, Item]) -> Decoder:
    """Make the decoder of a model that also comes as an NB-IoT device, whose frame wraps the same items."""

    def decode(data: bytes, port: int | None = None) -> Found:  # noqa: ARG001
        wrapped = data[:3] == b"\x02\x00\x01" and len(data) >= CELLULAR
        return _wrapped(items, data) if wrapped else _decode(items, data)

    return decode


def _wrapped(items: Mapping[bytes, Item], data: bytes) -> Found:
    length = int.from_bytes(data[CELLULAR - 2 : CELLULAR], "big")
    inside = data[CELLULAR:]
    if len(inside) != length:
        return bad(f"{length} bytes of items are announced, {len(inside)} are there")
    seen: set[bytes] = set()
    for head in _heads(items, inside):
        if head in seen:
            return bad(f"{head.hex(' ')} comes twice: several records without a time of their own")
        seen.add(head)
    found = _decode(items, inside)
    return found | {"csq": data[CELLULAR - 3]} if isinstance(found, dict) else found


def _heads(items: Mapping[bytes, Item], data: bytes) -> Iterator[bytes]:
    at = 0
    while (found := items.get(data[at : at + 2])) is not None:
        yield data[at : at + 2]
        at += 2 + found.layout.size


def _decode(items: Mapping[bytes, Item], data: bytes) -> Found:
    found: Values = {}
    history: list[object] = []
    at = 0
    while at < len(data):
        head = data[at : at + 2]
        one = items.get(head)
        if one is None:
            if not any(data[at:]):
                break  # some models fill their frame up with zeros
            return bad(f"byte {at}: channel and type {head.hex(' ')} are not of this model")
        at += 2
        if at + one.layout.size > len(data):
            return bad(f"byte {at}: {head.hex(' ')} is cut off")
        values = one.read(*one.layout.unpack_from(data, at))
        history += [values.pop("history")] if "history" in values else []
        found |= values
        at += one.layout.size
    return found | {"history": history} if history else found
