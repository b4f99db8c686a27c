"""Actility ThingPark documents as JSON: DevEUI_uplink for its profile to read; all else is housekeeping.

Numbers may be written as texts: "FPort": "1".
"""

import msgspec
from msgspec import Struct

from ingest.codecs.lorawan import Counter, Object, Port, eui_of, hex_frame, parsed, uplink
from ingest.codecs.record import Decoded, Housekeeping, Rejected, epoch_us
from schemas.reasons import Reason

_OTHERS = {
    "DevEUI_downlink_Sent": "downlink_sent",
    "DevEUI_downlink": "downlink",
    "DevEUI_location": "location",
    "DevEUI_multicast_summary": "downlink_sent",
    "DevEUI_downlink_Rejected": "downlink_failed",
}


class _Named(Struct):
    device: str | None = msgspec.field(name="DevEUI", default=None)
    type: str | None = msgspec.field(name="Type", default=None)


class _Module(Struct):
    model: str | None = msgspec.field(name="mId", default=None)


class _Driver(Struct):
    mod: _Module | None = None


class _Uplink(_Named):
    time: str | None = msgspec.field(name="Time", default=None)
    port: Port | str | None = msgspec.field(name="FPort", default=None)
    counter: Counter | str | None = msgspec.field(name="FCntUp", default=None)
    data: str | None = msgspec.field(name="payload_hex", default=None)
    encrypted: int = msgspec.field(name="PayloadEncryption", default=0)
    payload: Object | None = None  # what ThingPark's driver made of the frame
    driver: _Driver | None = msgspec.field(name="DriverCfg", default=None)


class _Document(Struct):
    uplink: _Uplink | None = msgspec.field(name="DevEUI_uplink", default=None)
    notification: _Named | None = msgspec.field(name="DevEUI_notification", default=None)


_document = msgspec.json.Decoder(_Document)
_others = msgspec.json.Decoder(dict[str, _Named])


def decode(topic: str, payload: bytes) -> Decoded:  # noqa: ARG001 - the topic is whatever the operator chose
    """Read one document. The device is its EUI in lower case."""
    document = parsed(_document, payload, "ThingPark must be set to JSON, not XML")
    if isinstance(document, Rejected):
        return document
    if document.uplink is not None:
        return _uplink(document.uplink)
    if document.notification is not None:
        return _housekeeping(document.notification.type or "notification", document.notification)
    others = parsed(_others, payload, "")
    if not isinstance(others, Rejected):
        for name, other in others.items():
            if name in _OTHERS:
                return _housekeeping(_OTHERS[name], other)
    return Rejected(Reason.WRONG_SHAPE, "this is no document of ThingPark: DevEUI_uplink is missing")


def _housekeeping(kind: str, named: _Named) -> Decoded:
    device = None if named.device is None else eui_of(named.device)
    return device if isinstance(device, Rejected) else Housekeeping(kind[:64], device)


def _uplink(sent: _Uplink) -> Decoded:
    device = Rejected(Reason.WRONG_SHAPE, "DevEUI is missing") if sent.device is None else eui_of(sent.device)
    if isinstance(device, Rejected):
        return device
    port, counter = _number(sent.port, 2**8), _number(sent.counter, 2**32)
    if isinstance(port, Rejected):
        return port
    if isinstance(counter, Rejected):
        return counter
    if sent.encrypted:
        return Rejected(Reason.BAD_FRAME, "the frame is still encrypted: ThingPark must decrypt it")
    time = epoch_us(sent.time) if sent.time else None
    return uplink(
        device,
        hex_frame(sent.data),
        sent.payload,
        seq=counter,
        port=port,
        next_best=() if time is None else (("network_server", time),),
        model=sent.driver.mod.model if sent.driver and sent.driver.mod else None,
    )


def _number(value: int | str | None, end: int) -> int | Rejected | None:
    if not isinstance(value, str):
        return value
    if value.isascii() and value.isdigit() and len(value) <= 10 and int(value) < end:  # noqa: PLR2004 - digits of 2^32
        return int(value)
    return Rejected(Reason.WRONG_SHAPE, f"{value[:40]!r} is no number below {end}")
