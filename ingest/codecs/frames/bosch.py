"""Bosch TPS110 parking sensor: whether a space is occupied."""

from ingest.codecs.frames.frame import Found, bad, unknown_port
from ingest.codecs.record import Housekeeping

_ABOUT = {3: "startup", 4: "device_information", 5: "device_usage", 6: "debug"}
_PORTS = {1: "parking status", 2: "heartbeat"}
_STARTUP = 17
_BY_LENGTH = {1: 1, 2: 2, _STARTUP: 3}  # of a bare frame


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame. A start-up frame tells of the device: its state is not yet measured."""
    port = _BY_LENGTH.get(len(data)) if port is None else port
    if port in _ABOUT:
        short = port == 3 and len(data) != _STARTUP  # noqa: PLR2004 - the start-up
        return bad(f"a start-up frame has {_STARTUP} bytes, not {len(data)}") if short else Housekeeping(_ABOUT[port])
    if port not in _PORTS:
        return unknown_port(port, _PORTS | _ABOUT)
    if not 1 <= len(data) <= port:
        return bad(f"a {_PORTS[port]} has at most {port} bytes and one at least, not {len(data)}")
    found = {"type": _PORTS[port], "occupied": bool(data[0] & 1)}
    return found | {"temperature": int.from_bytes(data[1:], signed=True)} if len(data) > 1 else found
