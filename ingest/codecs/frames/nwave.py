"""Nwave G4 parking sensors: whether a space is occupied, and for how long it was as before."""

from ingest.codecs.frames.frame import Found, Values, bad, unknown_port
from ingest.codecs.record import Housekeeping

_ABOUT = {3: "startup", 6: "debug"}
_PORTS = {1: "parking_status", 2: "heartbeat", 10: "user_registration"}
_HEARTBEAT, _REGISTRATION = (3, 6), 5
_OVERFLOW = 127
_BY_LENGTH = {1: 1, 3: 2, 6: 2}  # of a bare frame


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame. The tag of a registered driver is not given on: it names a person."""
    port = _BY_LENGTH.get(len(data)) if port is None else port
    if port in _ABOUT:
        return Housekeeping(_ABOUT[port])
    if port not in _PORTS:
        return unknown_port(port, _PORTS | _ABOUT)
    if port == 2:  # noqa: PLR2004 - the ports are told above
        return _heartbeat(data)
    size = 1 if port == 1 else _REGISTRATION
    if len(data) != size:
        return bad(f"a {_PORTS[port]} has {size} bytes, not {len(data)}")
    if port == 10 and not data[0] & 1:  # noqa: PLR2004
        return Housekeeping("user_registration")
    return {"type": _PORTS[port], "occupied": bool(data[0] & 1)} | _before(data[0] >> 1)


def _before(code: int) -> Values:
    """Minutes that the state before lasted: exact up to 89, then in steps of 5 and of 60."""
    if code < 90:  # noqa: PLR2004
        minutes, error = code, 0
    elif code < 120:  # noqa: PLR2004
        minutes, error = 90 + (code - 90) * 5, 4
    else:
        minutes, error = 240 + (code - 120) * 60, 59
    return {
        "previous_state_duration": minutes,
        "previous_state_duration_error": None if code == _OVERFLOW else error,
        "previous_state_duration_overflow": code == _OVERFLOW,
    }


def _heartbeat(data: bytes) -> Found:
    if len(data) not in _HEARTBEAT:
        return bad(f"a heartbeat has {_HEARTBEAT[0]} or {_HEARTBEAT[1]} bytes, not {len(data)}")
    temperature = int.from_bytes(data[2:3], signed=True) / 2 + 10
    millivolts = 2500 + data[1] * 4
    low = 3000 if temperature >= -5 else 2900  # noqa: PLR2004 - cold cells sag
    health = "normal" if millivolts >= low else "low" if millivolts >= low - 100 else "critical"
    return {
        "type": "heartbeat",
        "occupied": bool(data[0] & 1),
        "hw_health_status": data[0] & 0x7F,
        "temperature": temperature,
        "battery_voltage": millivolts / 1000,
        "battery_health": health,
    }
