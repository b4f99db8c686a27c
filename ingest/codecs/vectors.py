"""Frames as people hand them on: hexadecimal, base64, bytes, a vendor's test vectors, the examples of a read-me."""

import base64
import re
from collections.abc import Iterator

import msgspec

from ingest.codecs.record import Rejected, Uplink, too_deep
from schemas.reasons import Reason

MOST = 10_000  # frames in one file
_FRAME = ("hex", "bytes", "payload_hex", "frm_payload", "data", "payload", "frame")
_PORT = ("fPort", "f_port", "FPort", "port")
_OBJECT = ("decoded", "object", "decoded_payload", "output")
_LISTS = ("examples", "tests", "vectors", "uplinks")
_COMMENT = re.compile(r"^\s*//\s*((?:(?:0x)?[0-9A-Fa-f]{2}[\s,]*)+)$", re.MULTILINE)
_SEPARATORS = re.compile(r"0x|[\s,:_|-]")


def frames(payload: bytes) -> list[Uplink | Rejected] | Rejected:
    """Every frame of a file, in its order, with the port and the object that stand beside it. No device is named."""
    if payload.lstrip()[:1] in (b"{", b"["):
        return _vectors(payload)
    try:
        text = payload.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return [_uplink(payload)]
    if not text:
        return Rejected(Reason.BAD_FRAME, "the file is empty")
    if examples := _COMMENT.findall(text):
        return [_read(example) for example in examples[:MOST]]
    whole = _bytes(text)
    if whole is not None:
        return [_uplink(whole)]
    return [_read(line) for line in text.splitlines()[:MOST] if line.strip()]


def _vectors(payload: bytes) -> list[Uplink | Rejected] | Rejected:
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(Reason.NOT_JSON, str(error)[:200])
    if too_deep(document):
        return Rejected(Reason.WRONG_SHAPE, "nested too deeply")
    listed = _list(document)
    return [_vector(one) for one in listed[:MOST]] or Rejected(Reason.WRONG_SHAPE, "no test vector is in the list")


def _list(document: object) -> list[object]:
    if isinstance(document, dict):
        return next((document[key] for key in _LISTS if isinstance(document.get(key), list)), [document])
    return document if isinstance(document, list) else [document]


def _vector(vector: object) -> Uplink | Rejected:
    """One test vector: {"hex" | "bytes" | …, "fPort", "decoded" | …}, also with `input` and `output` apart."""
    if not isinstance(vector, dict):
        return _read(vector) if isinstance(vector, str) else _no_vector()
    sent = vector["input"] if isinstance(vector.get("input"), dict) else vector
    found = next((frame for key in _FRAME if (frame := _frame(sent.get(key))) is not None), None)
    made = next((vector[key] for key in _OBJECT if isinstance(vector.get(key), dict)), None)
    if made and isinstance(made.get("data"), dict):
        made = made["data"]
    if found is None and not made:
        return _no_vector()
    port = next((sent[key] for key in _PORT if type(sent.get(key)) is int), None)
    return Uplink("", None, None, port, found, made)


def _no_vector() -> Rejected:
    return Rejected(Reason.WRONG_SHAPE, f"no test vector: none of {', '.join(_FRAME)} holds a frame")


def _frame(value: object) -> bytes | None:
    if isinstance(value, list) and all(type(one) is int and 0 <= one < 256 for one in value):  # noqa: PLR2004 - a byte
        return bytes(value)
    return _bytes(value) if isinstance(value, str) else None


def _read(text: str) -> Uplink | Rejected:
    found = _bytes(text)
    if found is None:
        return Rejected(Reason.BAD_FRAME, f"{text.strip()[:40]!r} is neither hexadecimal nor base64")
    return _uplink(found)


def _bytes(text: str) -> bytes | None:
    """Hexadecimal with or without separators, else base64."""
    return next(_readings(text), None)


def _readings(text: str) -> Iterator[bytes]:
    for read, plain in ((bytes.fromhex, _SEPARATORS.sub("", text)), (_base64, "".join(text.split()))):
        try:
            yield read(plain)
        except ValueError:
            continue


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _uplink(data: bytes) -> Uplink:
    return Uplink("", None, None, None, data, None)
