"""The Things Stack v3 messages as JSON: an uplink for its profile to read; all else is housekeeping.

What is zero, false or empty is left out: the first frame after a join has no f_cnt, and f_cnt 0 is meant.
"""

import re

import msgspec
from msgspec import Struct

from ingest.codecs.lorawan import Counter, Object, Port, base64_frame, eui_of, keys, parsed, uplink
from ingest.codecs.record import Decoded, Housekeeping, Rejected, Times, epoch_us
from schemas.reasons import Reason

_TOPIC = re.compile(r"(?:^|/)devices/([^/]+)/[^/]+(?:/[^/]+)?$")
_DEVICE_ID = re.compile(r"[a-z0-9](?:-?[a-z0-9]){1,35}")  # as The Things Stack names devices
_EVENTS = {
    "join_accept": "join",
    "downlink_queued": "downlink_queued",
    "downlink_sent": "downlink_sent",
    "downlink_ack": "downlink_ack",
    "downlink_nack": "downlink_nack",
    "downlink_failed": "downlink_failed",
    "downlink_queue_invalidated": "downlink_queue_invalidated",
    "downlinks": "downlink",  # what an application asks to be sent
    "location_solved": "location",
    "service_data": "service_data",
    "uplink_normalized": "normalized",  # the same uplink once more
}


class _Ids(Struct):
    device_id: str | None = None
    dev_eui: str | None = None


class _Versions(Struct):
    model_id: str | None = None


class _Uplink(Struct):
    f_port: Port = 0
    f_cnt: Counter = 0
    frm_payload: str | None = None
    decoded_payload: Object | None = None
    received_at: str | None = None
    version_ids: _Versions | None = None


class _Message(Struct):
    end_device_ids: _Ids | None = None
    received_at: str | None = None
    uplink_message: _Uplink | None = None
    simulated: bool = False


_message = msgspec.json.Decoder(_Message)


def decode(topic: str, payload: bytes) -> Decoded:
    """Read one message of an application. The device is its EUI in lower case, or its id where it has no EUI."""
    message = parsed(_message, payload, "The Things Stack must be set to JSON, not Protobuf")
    if isinstance(message, Rejected):
        return message
    device = _device(topic, message.end_device_ids or _Ids())
    if isinstance(device, Rejected):
        return device
    if message.simulated:
        return Housekeeping("simulated", device)
    if message.uplink_message is not None:
        return _uplink(device, message, message.uplink_message)
    kind = next((_EVENTS[key] for key in keys(payload) if key in _EVENTS), None)
    if kind is None:
        return Rejected(Reason.WRONG_SHAPE, "this is no message of The Things Stack v3")
    return Housekeeping(kind, device)


def _uplink(device: str | None, message: _Message, sent: _Uplink) -> Decoded:
    if device is None:
        return Rejected(Reason.WRONG_SHAPE, "neither the topic nor end_device_ids names the device")
    return uplink(
        device,
        base64_frame(sent.frm_payload),
        sent.decoded_payload,
        seq=sent.f_cnt,
        port=sent.f_port,
        next_best=_times(sent.received_at, message.received_at),
        model=sent.version_ids.model_id if sent.version_ids else None,
    )


def _device(topic: str, ids: _Ids) -> str | Rejected | None:
    found = _TOPIC.search(topic)
    said = found[1] if found else None
    if said is not None and ids.device_id is not None and said != ids.device_id:
        detail = f"the topic says {said[:40]!r}, end_device_ids says {ids.device_id[:40]!r}"
        return Rejected(Reason.DEVICE_MISMATCH, detail)
    if ids.dev_eui:
        return eui_of(ids.dev_eui)
    name = ids.device_id or said
    if name is not None and not _DEVICE_ID.fullmatch(name):
        return Rejected(Reason.WRONG_SHAPE, f"{name[:40]!r} is no device id of The Things Stack")
    return name


def _times(*texts: str | None) -> Times:
    """When the network server had it, before when the application server had it."""
    found = (epoch_us(text) for text in texts if text is not None)
    return tuple(("network_server", time) for time in found if time is not None)[:1]
