"""`drava decode`: what a codec makes of bytes, one JSON object a line. Needs no home."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from commands.context import plain
from devices.profiles import by_model
from ingest import codecs
from ingest.codecs.record import Decoded, Housekeeping, Reading, Rejected, Uplink
from ingest.uplink import readings
from schemas.errors import DravaError
from schemas.reasons import Reason

Line = dict[str, object]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def add(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command("decode")(decode)


def decode(
    files: Annotated[list[Path], typer.Argument(help="Files with one message each; - for standard input.")],
    codec: Annotated[str, typer.Option(help="Which codec reads them: chirpstack, json, …")],
    topic: Annotated[str, typer.Option(help="The topic on which the message came.")] = "",
    model: Annotated[str, typer.Option(help="The device's model, where only a profile can read it.")] = "",
) -> None:
    """Print what a codec makes of messages, as JSON Lines: readings, housekeeping, or why it was rejected."""
    read = codecs.load(codec)
    for file in files:
        for line in lines(read(topic, _bytes(file)), model):
            sys.stdout.write(json.dumps(line, default=plain, ensure_ascii=False) + "\n")


def lines(decoded: Decoded | Reading | Uplink, model: str) -> Iterator[Line]:
    """Turn what a codec gave into lines; uplinks are read by the profile of `model`."""
    match decoded:
        case Reading():
            yield _reading(decoded)
        case Uplink():
            yield from lines(_applied(decoded, model), model)
        case Housekeeping():
            yield {"housekeeping": decoded.kind, "device": decoded.device}
        case Rejected():
            yield {"rejected": decoded.reason, "detail": decoded.detail}
        case _:
            for record in decoded:
                yield from lines(record, model)


def _applied(uplink: Uplink, model: str) -> Decoded:
    profile = by_model(model)
    if profile is None:
        said = f"no profile reads the model {model!r}" if model else "only a profile can read it: say --model"
        return Rejected(Reason.NO_PROFILE, f"{uplink.device}: {said}")
    return readings(profile, uplink)


def _reading(reading: Reading) -> Line:
    """The time is the best the message holds; which of them is trusted needs a clock, and is decided later."""
    times = ((("device", reading.time),) if reading.time is not None else ()) + reading.next_best
    source, time = times[0] if times else (None, None)
    line: Line = {"device": reading.device, "time": _rfc3339(time), "values": reading.values}
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
