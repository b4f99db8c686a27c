"""ChirpStack v4 events as JSON: an uplink for its profile to read; all else is housekeeping."""

import re

import msgspec
from msgspec import Struct

from ingest.codecs.lorawan import Counter, Object, Port, base64_frame, eui_of, keys, parsed, uplink
from ingest.codecs.record import Decoded, Housekeeping, Rejected, Times, epoch_us
from schemas.reasons import Reason

_TOPIC = re.compile(r"(?:^|/)device/([^/]+)/event/[^/]+$")
_KINDS = frozenset({"up", "status", "join", "ack", "txack", "log", "location", "integration"})
# An operator may set other topics. Then the fields tell the events apart; the first that fits, in this order.
_SIGNS = {
    "log": {"level", "code", "description"},
    "integration": {"integrationName", "eventType"},
    "txack": {"downlinkId", "gatewayId"},
    "ack": {"acknowledged", "queueItemId"},
    "location": {"location"},
    "status": {"margin", "batteryLevel", "externalPowerSource", "batteryLevelUnavailable"},
    "up": {"data", "object", "fPort", "fCnt", "rxInfo"},
    "join": {"devAddr"},
}


class _Device(Struct, rename="camel"):
    dev_eui: str | None = None
    device_profile_name: str | None = None


class _Receiver(Struct, rename="camel"):
    gw_time: str | None = None
    ns_time: str | None = None
    time: str | None = None  # what gwTime was called until 2023


class _Event(Struct, rename="camel"):
    """Every field may be missing: versions differ, and zero values are left out in places."""

    time: str | None = None
    device_info: _Device | None = None
    f_cnt: Counter | None = None
    f_port: Port | None = None
    data: str | None = None
    object: Object | None = None
    rx_info: list[_Receiver] | None = None


_event = msgspec.json.Decoder(_Event)


def decode(topic: str, payload: bytes) -> Decoded:
    """Read one event of an application. The device is its EUI in lower case."""
    event = parsed(_event, payload, "ChirpStack must be set to JSON, not Protobuf")
    if isinstance(event, Rejected):
        return event
    device = _device(topic, event)
    if isinstance(device, Rejected):
        return device
    kind = _kind(topic, payload)
    if kind is None:
        return Rejected(Reason.WRONG_SHAPE, "this is no event of ChirpStack v4")
    return _uplink(device, event) if kind == "up" else Housekeeping(kind, device)


def _uplink(device: str | None, event: _Event) -> Decoded:
    if device is None:
        return Rejected(Reason.WRONG_SHAPE, "neither the topic nor deviceInfo.devEui names the device")
    return uplink(
        device,
        base64_frame(event.data),
        event.object,
        seq=event.f_cnt,
        port=event.f_port,
        next_best=_times(event),
        model=event.device_info.device_profile_name if event.device_info else None,
    )


def _kind(topic: str, payload: bytes) -> str | None:
    levels = topic.split("/")
    if levels[-2:-1] == ["event"]:
        return levels[-1] if levels[-1] in _KINDS else None
    said = set(keys(payload))
    return next((kind for kind, signs in _SIGNS.items() if signs & said), None)


def _device(topic: str, event: _Event) -> str | Rejected | None:
    found = _TOPIC.search(topic)
    stated = event.device_info.dev_eui if event.device_info else None
    name = stated if stated is not None else found[1] if found else None
    if name is None:
        return None
    eui = eui_of(name)
    if isinstance(eui, str) and found and found[1].lower() != eui:
        return Rejected(Reason.DEVICE_MISMATCH, f"the topic says {found[1][:40]!r}, deviceInfo says {eui!r}")
    return eui


def _times(event: _Event) -> Times:
    """The event's own time: a gateway's where one knows it, else the network server's. Without it, the first heard."""
    heard = event.rx_info or []
    own = _time(event.time)
    if own is not None:
        return (("gateway" if any((rx.gw_time or rx.time) == event.time for rx in heard) else "network_server", own),)
    gateway = [found for rx in heard if (found := _time(rx.gw_time or rx.time)) is not None]
    server = [found for rx in heard if (found := _time(rx.ns_time)) is not None]
    best = (("gateway", min(gateway)),) if gateway else ()
    return (*best, ("network_server", server[0])) if server else best


def _time(text: str | None) -> int | None:
    return None if text is None else epoch_us(text)
