"""ChirpStack v4 events as JSON: an uplink for its profile to read; all else is housekeeping."""

import base64
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ingest.codecs.record import DEEPEST, Decoded, Housekeeping, Rejected, Times, Uplink, epoch_us, too_deep
from schemas.reasons import Reason

_EUI = re.compile(r"[0-9a-f]{16}")
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


class _Receiver(Struct, rename="camel"):
    gw_time: str | None = None
    ns_time: str | None = None
    time: str | None = None  # what gwTime was called until 2023


class _Event(Struct, rename="camel"):
    """Every field may be missing: versions differ, and zero values are left out in places."""

    time: str | None = None
    device_info: _Device | None = None
    f_cnt: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    f_port: Annotated[int, Meta(ge=0, lt=2**8)] | None = None
    data: str | None = None
    object: dict[str, Any] | None = None
    rx_info: list[_Receiver] | None = None


_event = msgspec.json.Decoder(_Event)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(topic: str, payload: bytes) -> Decoded:
    """Read one event of an application. The device is its EUI in lower case."""
    try:
        return _event_of(_kind(topic, payload), topic, _event.decode(payload))
    except msgspec.ValidationError as error:
        return Rejected(Reason.WRONG_SHAPE, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejected(Reason.NOT_JSON, f"{error}; ChirpStack must be set to JSON, not Protobuf")
    except RecursionError:
        return Rejected(Reason.WRONG_SHAPE, "nested too deeply")


def _event_of(kind: str | None, topic: str, event: _Event) -> Decoded:
    device = _device(topic, event)
    if isinstance(device, Rejected):
        return device
    if kind is None:
        return Rejected(Reason.WRONG_SHAPE, "this is no event of ChirpStack v4")
    return _uplink(device, event) if kind == "up" else Housekeeping(kind, device)


def _uplink(device: str | None, event: _Event) -> Decoded:
    if device is None:
        return Rejected(Reason.WRONG_SHAPE, "neither the topic nor deviceInfo.devEui names the device")
    if too_deep(event.object):
        return Rejected(Reason.WRONG_SHAPE, f"object is nested more than {DEEPEST} levels deep")
    try:
        data = None if event.data is None else base64.b64decode(event.data, validate=True)
    except ValueError:
        return Rejected(Reason.BAD_FRAME, "data is not base64")
    return [Uplink(device, None, event.f_cnt, event.f_port, data, event.object, _times(event))]


def _kind(topic: str, payload: bytes) -> str | None:
    levels = topic.split("/")
    if levels[-2:-1] == ["event"]:
        return levels[-1] if levels[-1] in _KINDS else None
    keys = _fields.decode(payload).keys()
    return next((kind for kind, signs in _SIGNS.items() if signs & keys), None)


def _device(topic: str, event: _Event) -> str | Rejected | None:
    found = _TOPIC.search(topic)
    said = found[1].lower() if found else None
    stated = event.device_info.dev_eui if event.device_info else None
    eui = said if stated is None else stated.lower()
    if eui is not None and not _EUI.fullmatch(eui):
        return Rejected(Reason.WRONG_SHAPE, f"device EUI {eui[:40]!r} is not 16 hexadecimal digits")
    if said not in {None, eui}:
        return Rejected(Reason.DEVICE_MISMATCH, f"the topic says {str(said)[:40]!r}, deviceInfo says {eui!r}")
    return eui


def _times(event: _Event) -> Times:
    """Gateway before network server; of several gateways the first to hear, whatever their order."""
    heard = event.rx_info or []
    gateway = [found for rx in heard if (found := _time(rx.gw_time or rx.time)) is not None]
    server = [found for text in (event.time, *(rx.ns_time for rx in heard)) if (found := _time(text)) is not None]
    best = (("gateway", min(gateway)),) if gateway else ()
    return (*best, ("network_server", server[0])) if server else best


def _time(text: str | None) -> int | None:
    return None if text is None else epoch_us(text)
