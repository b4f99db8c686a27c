"""A network server's broker as a source: a bridge of our Mosquitto that keeps what it gets, tested, and its route.

A QoS 0 message is promised to nobody: what is published while the bridge is down is lost, and only the frame counters
tell. From the bridge on nothing is: `upgrade_outgoing_qos` makes it QoS 1 for Drava, queued while Drava is away.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ingest import mqtt311
from ingest.codecs import load
from ingest.codecs.record import Decoded, Housekeeping, Rejected
from ingest.credentials import failure, password, tls
from schemas.errors import DravaError
from schemas.settings import NAME, Broker

PLAIN_PORT, TLS_PORT = 1883, 8883
AUTHORITIES = "/etc/ssl/certs"
_SAFE = re.compile(r"[^\s\"'\\\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Kind:
    """What is known of a network server: its topics, its codec, and what its QoS promises."""

    title: str
    filters: tuple[str, ...]
    codec: str
    promise: Mapping[str, str]
    better: Mapping[str, str]


KINDS: dict[str, Kind] = {
    "chirpstack": Kind(
        "ChirpStack v4",
        ("application/+/device/+/event/+",),
        "chirpstack",
        {
            "en": "ChirpStack publishes at QoS 0 unless told otherwise: what comes while this bridge is down is lost.",
            "sl": "ChirpStack objavlja s QoS 0, če ni nastavljen drugače: kar pride, ko most ne deluje, je izgubljeno.",
        },
        {
            "en": "Set qos = 1 under [integration.mqtt] of chirpstack.toml: its broker then waits for the bridge.",
            "sl": "V chirpstack.toml pod [integration.mqtt] nastavite qos = 1: njegov posrednik nato počaka na most.",
        },
    ),
    "tts": Kind(
        "The Things Stack v3",
        ("v3/+/devices/+/up", "v3/+/devices/+/join", "v3/+/devices/+/down/+", "v3/+/devices/+/location/solved"),
        "tts",
        {
            "en": "The Things Stack has QoS 0 only: what it publishes while this bridge is down is lost.",
            "sl": "The Things Stack pozna samo QoS 0: kar objavi, ko most ne deluje, je izgubljeno.",
        },
        {
            "en": "Switch its Storage Integration on: what the frame counters show as missing can be fetched there.",
            "sl": "Vklopite Storage Integration: od tam lahko prenesete, kar po števcih okvirjev manjka.",
        },
    ),
    "mqtt": Kind(
        "MQTT",
        (),
        "json",
        {
            "en": "What is published at QoS 0 while this bridge is down is lost.",
            "sl": "Kar je objavljeno s QoS 0, ko most ne deluje, je izgubljeno.",
        },
        {
            "en": "Let the devices publish at QoS 1: their broker then keeps messages for the bridge.",
            "sl": "Naprave naj objavljajo s QoS 1: njihov posrednik nato sporočila hrani za most.",
        },
    ),
}


@dataclass(frozen=True)
class Source:
    """One foreign broker: where it is, what we want to hear, and which codec reads it."""

    name: str
    kind: Kind
    broker: Broker
    filters: tuple[str, ...]
    codec: str
    home: Path

    def check(self) -> None:
        """Raise DravaError where a part cannot stand in Mosquitto's configuration, or the codec is not there."""
        if not re.match(NAME, self.name):
            raise DravaError(f"{self.name!r} is no name of a source", "Small letters, digits, - and _")
        load(self.codec)
        if not self.filters:
            raise DravaError("no topics are named", "Say --filter, such as --filter 'sensors/+/state'")
        secret = (password(self.broker, self.home) or b"").decode("utf-8", "replace")
        for text in (*self.filters, self.broker.username, secret, self.broker.ca_file):
            if text and not _SAFE.fullmatch(text):
                raise DravaError("a topic, user or password has a space or a quote", "Mosquitto cannot write it so")

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        found = urlsplit(self.broker.url)
        return found.hostname or "", found.port or (TLS_PORT if found.scheme == "mqtts" else PLAIN_PORT)


@dataclass(frozen=True)
class Tried:
    """What a foreign broker granted, and what each message that came is to the codec."""

    granted: dict[str, int | None]
    heard: list[tuple[str, int, str]]  # topic, QoS, what the codec makes of it


def attempt(source: Source, listen: float) -> Tried:
    """Connect as the bridge will. Raises DravaError where the broker does not let us in or refuses a topic."""
    try:
        answer = mqtt311.ask(
            source.place,
            source.filters,
            username=source.broker.username,
            password=password(source.broker, source.home),
            tls=tls(source.broker, source.home),
            listen=listen,
        )
    except OSError as error:
        what, hint = failure(error)
        raise DravaError(f"{source.broker.url} does not answer: {what}", hint or "Check address and port") from None
    granted = dict(zip(source.filters, answer.granted, strict=False))
    refused = [one for one in source.filters if granted.get(one) is None]
    if refused:
        raise DravaError(f"the broker refuses the topics {', '.join(refused)}", "Check the user's rights there")
    codec = load(source.codec)
    return Tried(granted, [(topic, qos, _word(codec(topic, payload))) for topic, payload, qos in answer.heard])


def _word(made: Decoded) -> str:
    """Sniffing only checks a route: a message that its codec cannot read tells that the route is wrong."""
    if isinstance(made, Housekeeping):
        return made.kind
    wrong = made if isinstance(made, Rejected) else next((one for one in made if isinstance(one, Rejected)), None)
    return f"{wrong.reason.value}: {wrong.detail}" if wrong else "readings"


def bridge(source: Source, municipality: str) -> str:
    """The part of Mosquitto's configuration that fetches this source. It holds the password."""
    host, port = source.place
    name = f"drava-{municipality}-{source.name}"
    secret = password(source.broker, source.home)
    lines = [
        f"# {source.kind.title} for {municipality}, written by drava sources add. Keep it to root and mosquitto: 0640.",
        "# It must come after drava.conf, whose upgrade_outgoing_qos it takes the place of: its name sees to that.",
        "# QoS 0 from the bridge becomes QoS 1 for Drava: queued while Drava is away, acknowledged when journalled.",
        "upgrade_outgoing_qos true",
        "queue_qos0_messages true",
        "",
        f"connection {name}",
        f"address {host}:{port}",
        "# 3.1.1: what every broker speaks; some know no other.",
        "bridge_protocol_version mqttv311",
        "try_private false",
        "# A fixed name and a session that stays: what the other side has at QoS 1 waits there while we are away.",
        f"remote_clientid {name}",
        "cleansession false",
        "notifications false",
        "keepalive_interval 30",
        "restart_timeout 1 30",
    ]
    if source.broker.username:
        lines += [f"remote_username {source.broker.username}"]
        lines += [f"remote_password {secret.decode('utf-8', 'replace')}"] if secret else []
    if source.broker.url.startswith("mqtts://"):
        own = source.home / source.broker.ca_file if source.broker.ca_file else None
        lines += [f"bridge_cafile {own}" if own else f"bridge_capath {AUTHORITIES}", "bridge_tls_version tlsv1.2"]
    return "\n".join([*lines, *(f"topic {one} in 1" for one in source.filters), ""])


def file_name(source: Source, municipality: str) -> str:
    """Mosquitto reads a folder by name: after drava.conf."""
    return f"drava_source_{municipality}_{source.name}.conf"


def route(source: Source, known: Sequence[tuple[str, str]]) -> str:
    """The routes that drava.toml still needs, as TOML; empty where it has them all. `known`: filter and codec."""
    taken = dict(known)
    wrong = [one for one in source.filters if taken.get(one, source.codec) != source.codec]
    if wrong:
        raise DravaError(
            f"drava.toml routes {wrong[0]!r} to codec {taken[wrong[0]]!r}", f"Change it there to {source.codec!r}"
        )
    missing = [one for one in source.filters if one not in taken]
    return "".join(
        f"\n[[route]]  # {source.name}\nfilter = {_quoted(one)}\ncodec = {_quoted(source.codec)}\n" for one in missing
    )


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
