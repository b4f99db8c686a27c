"""Axioma Qalcosonic W1: the register of a water meter, its last hours, and what the meter says is wrong.

Two kinds of readings come on port 100, little-endian, volumes in litres, times in seconds since 1970. "Extended": time,
status, register, where the firmware measures it the temperature, then a register of an earlier full hour and the
hourly increments after it. "Enhanced", 51 bytes that begin with 1: time, status, the register at 01:00 of the day
before, and 23 hourly increments of 14 bits, which lead to the register at midnight. Port 103 brings alarms at once.
"""

from collections.abc import Iterable
from itertools import accumulate
from struct import Struct, unpack_from

from ingest.codecs.frames.frame import Found, Values, bad, unknown_port
from ingest.codecs.record import Housekeeping

HOUR = 3600
DAY = 24 * HOUR
LONGEST_LOG = 31 * DAY  # what lies further back is no log of this meter
PADDING = 0x2F
_COLDEST, _HOTTEST = -2000, 12000  # hundredths of a degree: what the meter can survive

_STATUS = {0x04: "low_battery", 0x08: "permanent_error", 0x10: "temporary_error"}
_STATES = ("leakage", "burst", "backflow", "low_temperature")
_BY_CODE = {0b000: (), 0b001: ("leakage",), 0b101: ("burst",), 0b011: ("backflow",), 0b100: ("low_temperature",)}

_ALARM = Struct("<IB")
_PLAIN = Struct("<IBIII")
_WARM = Struct("<IBIhII")
_DAILY = Struct("<BIBI")
_DAILY_SIZE = 51
_PORTS = {100: "readings", 101: "settings", 103: "alarm"}


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame. Past registers are `history`; a frame that fits two layouts, or none, is not read."""
    if port is None:  # a bare frame, shown to us by a person: its length tells
        return _alarm(data) if len(data) == _ALARM.size else _readings(data)
    if port == 101:  # noqa: PLR2004 - the vendor's ports are told above
        return Housekeeping("settings")
    if port == 103:  # noqa: PLR2004
        return _alarm(data)
    return _readings(data) if port == 100 else unknown_port(port, _PORTS)  # noqa: PLR2004


def _alarm(data: bytes) -> Found:
    if len(data) != _ALARM.size:
        return bad(f"an alarm has {_ALARM.size} bytes, not {len(data)}")
    time, status = _ALARM.unpack(data)
    return {"timestamp": time} | _flags(status)


def _readings(data: bytes) -> Found:
    if len(data) in {_DAILY_SIZE, _DAILY_SIZE + 1} and data[0] == 1:
        return _daily(data)
    layouts = [found for layout in (_plain, _warm) if (found := layout(data)) is not None]
    if len(layouts) != 1:
        return bad(f"{len(data)} bytes fit {len(layouts)} of the layouts of this meter, not one")
    return layouts[0]


def _daily(data: bytes) -> Found:
    if len(data) > _DAILY_SIZE and data[_DAILY_SIZE] != PADDING:
        return bad(f"byte {_DAILY_SIZE} is no padding")
    _, time, status, litres = _DAILY.unpack_from(data)
    packed = int.from_bytes(data[_DAILY.size : _DAILY_SIZE], "little")
    if packed >> 23 * 14:
        return bad("the increments are scaled by a factor that no document explains")
    first = time - time % DAY - DAY + HOUR
    steps = [packed >> 14 * hour & 0x3FFF for hour in range(23)]
    return {"timestamp": time} | _flags(status) | {"history": _registers(first, litres, steps)}


def _plain(data: bytes) -> Values | None:
    if len(data) < _PLAIN.size:
        return None
    time, status, litres, logged, before = _PLAIN.unpack_from(data)
    past = _log(data[_PLAIN.size :], time, logged, before)
    return None if past is None else {"timestamp": time, "volume": litres / 1000} | _flags(status) | {"history": past}


def _warm(data: bytes) -> Values | None:
    if len(data) < _WARM.size:
        return None
    time, status, litres, hundredths, logged, before = _WARM.unpack_from(data)
    past = _log(data[_WARM.size :], time, logged, before)
    if past is None or not _COLDEST <= hundredths <= _HOTTEST:
        return None
    live: Values = {"timestamp": time, "volume": litres / 1000, "temperature": hundredths / 100}
    return live | _flags(status) | {"history": past}


def _log(data: bytes, time: int, logged: int, before: int) -> list[object] | None:
    """Registers of full hours; None where the bytes can be no log: it never runs past the frame's own time."""
    if len(data) % 2:
        if data[-1] != PADDING:
            return None
        data = data[:-1]
    first = logged - logged % HOUR  # always a full hour, says the vendor; the clock is some minutes late
    if not 0 <= time - first <= LONGEST_LOG:
        return None
    steps = list(unpack_from(f"<{len(data) // 2}H", data))
    while steps and first + len(steps) * HOUR > time and not steps[-1]:
        steps.pop()  # a young log: the hours to come are zero
    return None if first + len(steps) * HOUR > time else _registers(first, before, steps)


def _registers(first: int, litres: int, steps: Iterable[int]) -> list[object]:
    registers = accumulate(steps, initial=litres)
    return [{"timestamp": first + hour * HOUR, "volume": register / 1000} for hour, register in enumerate(registers)]


def _flags(status: int) -> Values:
    """Bits 2 to 4 stand alone; bits 5 to 7 are one code. An unknown code says nothing about any of its states."""
    flags: Values = {name: bool(status & bit) for bit, name in _STATUS.items()}
    flags["status"] = status
    code = status >> 5
    if code not in _BY_CODE:
        return flags
    return flags | {name: name in _BY_CODE[code] for name in _STATES} | {"pipe_empty": status & 0xF0 == 0x10}  # noqa: PLR2004
