"""What the codecs of all LoRaWAN network servers share: JSON with a true reason, EUIs, frames, uplinks."""

import base64
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from ingest.codecs.record import DEEPEST, Decoded, Rejected, Times, Uplink, too_deep
from schemas.reasons import Reason

Counter = Annotated[int, Meta(ge=0, lt=2**32)]
Port = Annotated[int, Meta(ge=0, lt=2**8)]
Object = dict[str, Any]
T = TypeVar("T")

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EUI = re.compile(r"[0-9a-f]{16}")


def parsed(decoder: msgspec.json.Decoder[T], payload: bytes, hint: str) -> T | Rejected:
    """The message, or why it is none. `hint` is for a person whose server sends something else than JSON."""
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        return Rejected(Reason.WRONG_SHAPE, str(error)[:200])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejected(Reason.NOT_JSON, str(error) if payload.lstrip()[:1] == b"{" else f"{error}; {hint}")
    except RecursionError:
        return Rejected(Reason.WRONG_SHAPE, "nested too deeply")


def keys(payload: bytes) -> Sequence[str]:
    """The names in an object, in their order; none where one is no text: typed decoding skips unknown ones."""
    try:
        return list(_fields.decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def eui_of(text: str) -> str | Rejected:
    """An EUI in lower case without separators: servers write it in either case."""
    found = text.lower()
    if not _EUI.fullmatch(found):
        found = re.sub("[:-]", "", found)
    return (
        found
        if _EUI.fullmatch(found)
        else Rejected(Reason.WRONG_SHAPE, f"device EUI {text[:40]!r} is not 16 hexadecimal digits")
    )


def base64_frame(text: str | None) -> bytes | Rejected | None:
    """The bytes of a frame in base64."""
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except ValueError:
        return Rejected(Reason.BAD_FRAME, "the frame is not base64")


def hex_frame(text: str | None) -> bytes | Rejected | None:
    """The bytes of a frame in hexadecimal."""
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        return Rejected(Reason.BAD_FRAME, "the frame is not hexadecimal")


def uplink(
    device: str,
    data: bytes | Rejected | None,
    found: Object | None,
    *,
    seq: int | None,
    port: int | None,
    next_best: Times,
    model: str | None,
) -> Decoded:
    """One uplink; Rejected where its frame or its object cannot be taken."""
    if isinstance(data, Rejected):
        return data
    if too_deep(found):
        return Rejected(Reason.WRONG_SHAPE, f"the decoded object is nested more than {DEEPEST} levels deep")
    return [Uplink(device, None, seq, port, data, found, next_best, model)]
