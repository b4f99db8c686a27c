"""`drava decode`: what a codec makes of bytes, one JSON object a line. Needs no home."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from commands.context import Context, plain
from devices.profiles import Profiles, brought, in_force
from devices.words import Profile
from ingest import codecs
from ingest.codecs.declared import Paths
from ingest.codecs.frames import DECODERS
from ingest.codecs.frames.frame import Decoder
from ingest.codecs.json import time_of
from ingest.codecs.record import Codec, Decoded, Housekeeping, Reading, Rejected, Uplink
from ingest.codecs.vectors import frames
from ingest.uplink import readings
from schemas.errors import DravaError
from schemas.reasons import Reason
from schemas.settings import Settings

Line = dict[str, object]
FRAMES = "frames"  # bare frames of the device that --model names
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAREST = 5  # names that a person may have meant
_SHORTEST = 2  # bytes: a single one fits anything


def add(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command("decode")(decode)


def decode(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Files with one message each; - for standard input.")],
    codec: Annotated[
        str, typer.Option(help="What reads them: chirpstack, tts, json, …; or a device type, for bare frames.")
    ],
    topic: Annotated[str, typer.Option(help="The topic on which the message came.")] = "",
    model: Annotated[str, typer.Option("--model", "--profile", help="The device type.")] = "",
    path: Annotated[
        list[str] | None, typer.Option(help="Of foreign JSON: device=PATH, time=PATH, MEASURE=PATH (repeatable).")
    ] = None,
) -> None:
    """Print what a codec makes of messages, as JSON Lines: readings, housekeeping, or why it was rejected.

    With --home its own profiles and its time zone count, too.
    """
    run = ctx.find_object(Context)
    home = run.home if run and run.path else None
    said = _Interpreter(
        in_force(home.profiles) if home else brought(),
        ZoneInfo(home.settings.timezone if home else Settings.model_fields["timezone"].default),
    )
    codec = said.named(codec)
    read = said.codec(codec, Paths.of(path) if path else None)
    named = model if codec in codecs.names() or codec == FRAMES else codec
    for file in files:
        for line in said.lines(read(topic, _bytes(file)), named):
            sys.stdout.write(json.dumps(line, default=plain, ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class _Interpreter:
    """What devices say, by the profiles in force; local clocks are those of `zone`."""

    known: Profiles
    zone: ZoneInfo

    def codec(self, name: str, paths: Paths | None) -> Codec:
        """A network server's codec, or bare frames where the name is a device type's. Raises DravaError."""
        if name == FRAMES or self.profile(name) is not None or _decoder(name) is not None:
            return lambda _, payload: frames(payload)
        if name not in codecs.names():
            known = ", ".join([*codecs.names(), FRAMES])
            near = self._near(name)
            meant = f"Did you mean {' or '.join(near)}? " if near else ""
            raise DravaError(
                f"there is no codec {name!r}",
                f"{meant}Choose one of: {known}; or a device type: {', '.join(self._types())}",
            )
        return codecs.load(name, paths)

    def named(self, name: str) -> str:
        """The one device type that has this in its name (axioma, em310); else the name as it is."""
        if name in codecs.names() or name == FRAMES or self.profile(name) is not None or _decoder(name) is not None:
            return name
        found = [one for one in self._types() if _letters(name) and _letters(name) in _letters(one)]
        return found[0] if len(found) == 1 else name

    def _types(self) -> list[str]:
        return sorted({*self.known.by_id, *DECODERS})

    def _near(self, name: str) -> list[str]:
        wanted, known = _letters(name), [*codecs.names(), *self._types()]
        alike = [one for one in known if wanted and (wanted in _letters(one) or _letters(one) in wanted)]
        return alike[:_NEAREST] or get_close_matches(name.casefold(), known, _NEAREST)

    def profile(self, name: str) -> Profile | None:
        """By its id, or by a model that it knows."""
        return self.known.by_id.get(name) or self.known.by_model(name)

    def lines(self, decoded: Decoded | Reading | Uplink, model: str) -> Iterator[Line]:
        """Turn what a codec gave into lines; uplinks are read by the profile of `model`."""
        match decoded:
            case Reading():
                yield _reading(decoded)
            case Uplink():
                yield from self._uplink(decoded, model)
            case Housekeeping():
                yield {"housekeeping": decoded.kind, "device": decoded.device or None}
            case Rejected():
                yield {"rejected": decoded.reason, "detail": decoded.detail}
            case _:
                for record in decoded:
                    yield from self.lines(record, model)

    def _uplink(self, uplink: Uplink, model: str) -> Iterator[Line]:
        """By the profile; else the decoder's own fields; else what the network server made of the frame."""
        wanted = model or uplink.model or ""
        profile = self.profile(wanted)
        if profile is not None:
            for line in self.lines(readings(profile, uplink, self.zone), ""):
                yield line | {"profile": profile.id}
            return
        decoder = _decoder(wanted)
        found = decoder(uplink.data, uplink.port) if uplink.data and decoder else uplink.object
        if isinstance(found, Rejected | Housekeeping):
            yield from self.lines(found, "")
        elif found:
            yield from map(_reading, _untold(uplink, found))
        elif found is not None and decoder:
            yield {"housekeeping": "device_info", "device": uplink.device or None}
        elif uplink.data and (assumed := [] if model else self._assumed(uplink)):
            yield from assumed
        elif uplink.data:
            yield {"rejected": Reason.NO_PROFILE, "detail": _unknown(uplink, wanted)}
        else:
            yield {"rejected": Reason.NO_MEASURE, "detail": "the uplink carries neither a frame nor an object"}

    def _assumed(self, uplink: Uplink) -> list[Line]:
        """What all device types that can read this frame agree upon, where nobody names a model; never stored.

        A layout that fits the inverted bytes as well fits whatever is as long, and proves nothing.
        """
        data = uplink.data or b""
        if len(data) < _SHORTEST or any(letter.isdigit() for letter in uplink.model or ""):
            return []  # a name with a digit is a model, of which we know nothing
        found = _fitting(data, uplink.port)
        if _fitting(bytes(byte ^ 0xFF for byte in data), uplink.port).keys() & found.keys():
            return []
        made = {name: [line | {"assumed": name} for line in self._uplink(uplink, name)] for name in found}
        said = [[_bare(line) for line in lines] for lines in made.values()]
        return next(iter(made.values()), []) if all(one == said[0] for one in said) else []


def _bare(line: Line) -> Line:
    return {key: value for key, value in line.items() if key not in {"profile", "assumed"}}


def _decoder(name: str) -> Decoder | None:
    """A decoder by its name, or by the end of it that is the model's: DL-CWS is decentlab_dl_cws."""
    wanted = _letters(name)
    found = [decoder for key, decoder in DECODERS.items() if wanted and _letters(key).endswith(wanted)]
    return DECODERS.get(name) or (found[0] if len(found) == 1 else None)


def _letters(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def _untold(uplink: Uplink, found: dict[str, object]) -> Iterator[Reading]:
    """The device's own fields, which no profile explains; what it kept from earlier stands under `history`."""
    past = found.get("history")
    kept = [one for one in past if isinstance(one, dict)] if isinstance(past, list) else []
    live = {key: value for key, value in found.items() if key != "history" or not kept}
    if live:
        yield Reading(uplink.device, _clock(live), live, uplink.seq, uplink.next_best)
    for record in kept:
        yield Reading(uplink.device, _clock(record), record, uplink.seq, history=True)


def _clock(record: dict[str, object]) -> int | None:
    """The device's own time; None where it has none, or one without an offset, whose zone only a profile knows."""
    return time_of(record["timestamp"]) or None if "timestamp" in record else None


def _fitting(data: bytes, port: int | None) -> dict[str, object]:
    read = {name: decoder(data, port) for name, decoder in DECODERS.items()}
    return {name: found for name, found in read.items() if found and isinstance(found, dict)}


def _unknown(uplink: Uplink, wanted: str) -> str:
    """Why nothing reads this frame, and which decoders could: sniffing helps a person to choose, it never chooses."""
    said = f"no profile reads the model {wanted!r}" if wanted else "only a profile can read the frame: say --model"
    could = _fitting(uplink.data or b"", uplink.port)
    device = f"{uplink.device}: " if uplink.device else ""
    return f"{device}{said}; it could be: {', '.join(could)}" if could else f"{device}{said}; none that we have fits"


def _reading(reading: Reading) -> Line:
    """The time is the best the message holds; which of them is trusted needs a clock, and is decided later."""
    times = ((("device", reading.time),) if reading.time is not None else ()) + reading.next_best
    source, time = times[0] if times else (None, None)
    line: Line = {"device": reading.device or None, "time": _rfc3339(time), "values": reading.values}
    if source:
        line["time_source"] = source
    if reading.seq is not None:
        line["seq"] = reading.seq
    if reading.history:
        line["history"] = True
    return line | ({"extra": reading.extra} if reading.extra else {})


def _rfc3339(time: int | None) -> str | None:
    if time is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
    except OverflowError:  # a device may claim any year; ours end with 9999
        return None


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise DravaError(f"{file} cannot be read: {error.strerror}", "Name a file that holds one message") from None
