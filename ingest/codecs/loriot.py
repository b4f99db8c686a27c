"""LORIOT messages as JSON: an uplink (`rx`; `gw` with all its gateways) for its profile; all else is housekeeping."""

import msgspec
from msgspec import Struct

from ingest.codecs.lorawan import Counter, Object, Port, eui_of, hex_frame, parsed, uplink
from ingest.codecs.record import Decoded, Housekeeping, Rejected, Times
from schemas.reasons import Reason

_UPLINKS = {"rx", "gw"}  # the same uplink comes as both where both are switched on
_OTHERS = {"tx": "downlink", "txd": "downlink_sent", "join": "join", "devices": "devices", "location": "location"}
_LATEST_MS = 2**53


class _Message(Struct):
    cmd: str | None = None
    eui: str | None = msgspec.field(name="EUI", default=None)
    ts: int | None = None  # ms since 1970
    fcnt: Counter | None = None
    port: Port | None = None
    data: str | None = None
    encdata: str | None = None
    decoded: Object | None = None


_message = msgspec.json.Decoder(_Message)


def decode(topic: str, payload: bytes) -> Decoded:  # noqa: ARG001 - the topic is whatever the operator chose
    """Read one message of an application. The device is its EUI in lower case."""
    message = parsed(_message, payload, "LORIOT must be set to JSON")
    if isinstance(message, Rejected):
        return message
    device = None if message.eui is None else eui_of(message.eui)
    if isinstance(device, Rejected):
        return device
    if message.cmd in _OTHERS:
        return Housekeeping(_OTHERS[message.cmd], device)
    if message.cmd not in _UPLINKS:
        return Rejected(Reason.WRONG_SHAPE, "this is no message of LORIOT: cmd is neither rx nor gw")
    if device is None:
        return Rejected(Reason.WRONG_SHAPE, "EUI is missing: no device is named")
    return _uplink(device, message)


def _uplink(device: str, message: _Message) -> Decoded:
    if message.data is None and message.encdata is not None:
        return Rejected(Reason.BAD_FRAME, "the frame is still encrypted: give LORIOT the device's application key")
    return uplink(
        device,
        hex_frame(message.data),
        message.decoded,
        seq=message.fcnt,
        port=message.port,
        next_best=_times(message.ts),
        model=None,
    )


def _times(milliseconds: int | None) -> Times:
    if milliseconds is None or not 0 <= milliseconds < _LATEST_MS:
        return ()
    return (("network_server", milliseconds * 1000),)
