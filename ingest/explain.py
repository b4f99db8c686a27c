"""One message walked through route, codec, registry, profile, units and tests: what happens, fits and is missing.

The walk asks the same functions as ingestion does. Where a step is missing it says the line that adds it, and goes on
as if that line were there. Sniffing is for people: it proposes and never decides.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec
import polars as pl
import pyarrow as pa

from catalog.registry import Device, Registry
from devices.profiles import Profiles
from devices.words import Profile
from ingest import codecs
from ingest.codecs.record import Decoded, Housekeeping, Reading, Rejected, Uplink
from ingest.decode import decode, with_ids
from ingest.edge import Edge, without
from ingest.example import read
from ingest.journal import MESSAGES
from ingest.known import Known
from ingest.normalise import normalise
from ingest.route import Router
from ingest.topics import matches
from schemas.clock import micros
from schemas.quality import Test
from schemas.reasons import Reason
from schemas.settings import Lang, Route, Settings
from schemas.vocabulary import Text, families

MOST = 3  # proposals
Say = Callable[..., str]  # the name of a text, and what stands in it
_NUMBERED = re.compile(r"[0-9a-fA-F]{8,}|\d+")


class State(StrEnum):
    """How a step ended."""

    DONE = "done"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class Step:
    """One step: a word for it, how it ended, what happened, and the line that helps where it did not."""

    name: str
    state: State
    said: str
    line: str = ""


class Walk:
    """Explains one message by the settings, the registry and the profiles in force."""

    def __init__(self, settings: Settings, registry: Registry, profiles: Profiles, now: datetime) -> None:
        """Nothing is read or written but these."""
        self.settings = settings
        self.registry = registry
        self.profiles = profiles
        self.now = now
        self.say = _say(settings.lang)

    def steps(self, topic: str, payload: bytes) -> Iterator[Step]:
        """Walk. The last step says what would stand in the lake."""
        payload, dropped = self._edge(topic, payload)
        if dropped:
            yield Step("edge", State.DONE, self.say("edge", names=", ".join(dropped)))
        router = Router(self.settings, Known(self.registry), self.profiles)
        source = router[topic]
        settings = self.settings
        if source.codec is None:
            found = _fitting_codecs(topic, payload)
            yield Step("route", State.MISSING, _no_route(self.say, topic, found), _route_line(topic, found))
            if not found:
                return
            settings = settings.model_copy(update={"route": [*settings.route, Route(filter=topic, codec=found[0])]})
            router = Router(settings, router.known, self.profiles)
            source = router[topic]
        else:
            yield Step("route", State.DONE, _route_said(self.say, settings, topic))
        sent = source.codec(topic, payload) if source.codec else []
        yield _codec_step(self.say, sent)
        if isinstance(sent, Rejected | Housekeeping):
            return
        one = next((item for item in sent if not isinstance(item, Rejected)), None)
        if one is None:
            return
        device = router.known.find(one.device)
        profile = self.profiles.by_model((device.model if device else None) or "")
        if profile is None:
            profile = self._proposed(one)
        family = source.family.name if source.family else profile.family if profile else "FAMILY"
        step = self._device(device, one, family, profile)
        yield step
        if device is None or step.state is State.WRONG:
            device = Device(0, one.device, family, profile.id if profile else None, source.gateway, {}, 0)
        yield from self._meaning(device, one, profile)
        if device.family in families():
            model = profile.recognise.models[0] if profile else None
            assumed = Registry(0, {device.device_id: replace(device, num=0, model=model)})
            yield from self._kept(Router(settings, Known(assumed), self.profiles), topic, payload)

    def _edge(self, topic: str, payload: bytes) -> tuple[bytes, list[str]]:
        """What is left of a message at the edge, and the names of the fields that are taken out there."""
        names = sorted(Edge.of(self.settings, self.profiles).fields(topic))
        left = without(payload, frozenset(names)) if names else payload
        return left, [] if left == payload else names

    def _proposed(self, one: Reading | Uplink) -> Profile | None:
        """The profile that makes most of what the device says, if any does."""
        found = _fitting_profiles(self.profiles, one)
        return found[0] if found else None

    def _device(self, device: Device | None, one: Reading | Uplink, family: str, profile: Profile | None) -> Step:
        if device is not None:
            model = device.model or self.say("no_model")
            said = self.say("registered", device=device.device_id, family=device.family, model=model)
            if profile is not None and profile.family != device.family:
                return Step(
                    "device",
                    State.WRONG,
                    self.say("other_family", said=said, profile=profile.id, family=profile.family),
                )
            return Step("device", State.DONE, said)
        model = profile.recognise.models[0] if profile and isinstance(one, Uplink) else ""
        head = "device_id,family,thing_id,valid_from,model"
        row = f"{one.device},{family},THING,{self.now.date()},{model}"
        return Step("device", State.MISSING, self.say("unregistered", device=one.device), f"{head}\n{row}")

    def _meaning(self, device: Device, one: Reading | Uplink, profile: Profile | None) -> Iterator[Step]:
        """What the profile makes of it."""
        registered = self.profiles.by_model(device.model or "")
        if profile is None:
            if isinstance(one, Reading):
                yield Step("profile", State.DONE, self.say("profile_needless"))
                return
            names = ", ".join(one.object or {}) or self.say("no_object")
            yield Step("profile", State.MISSING, self.say("profile_missing", names=names)[:300], _skeleton(one))
            return
        others = [p.id for p in _fitting_profiles(self.profiles, one) if p is not profile][: MOST - 1]
        also = self.say("also_fits", profiles=", ".join(others)) if others else ""
        if registered is profile:
            yield Step("profile", State.DONE, f"{profile.id}: {profile.title.to(self.settings.lang)}")
        elif isinstance(one, Uplink):
            line = f"model: {profile.recognise.models[0]}"
            yield Step("profile", State.MISSING, self.say("profile_fits", profile=profile.id) + also, line)
        made = read(profile, one)
        if isinstance(made, Rejected):
            yield Step("fields", State.WRONG, f"{made.reason.value}: {made.detail}")
        elif isinstance(made, Housekeeping):
            yield Step("fields", State.DONE, self.say("nothing_measured", kind=made.kind))
        else:
            extra = sorted({key for reading in made for key in reading.extra})
            told = [f"{reading.family or profile.family}: {_values(reading.values)}" for reading in made]
            kept = self.say("extra", names=", ".join(extra)) if extra else ""
            yield Step("fields", State.DONE, "; ".join(told) + kept)

    def _kept(self, router: Router, topic: str, payload: bytes) -> Iterator[Step]:
        """What would stand in the lake: the real path, for this message alone."""
        now = micros(self.now)
        columns = [[now], [topic], [payload], [1], [False], [False]]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, MESSAGES, strict=True)]
        batch = decode(with_ids(pa.record_batch(arrays, schema=MESSAGES), 0), router)
        for refusal in batch.refused:
            yield Step("lake", State.WRONG, self.say("quarantine", reason=f"{refusal.reason.value} ({refusal.detail})"))
        facts = pl.DataFrame(batch.messages.select(["received_at", "retain", "duplicate", "message_id"]))
        limits = self.settings.ingest
        for name, rows in batch.rows.items():
            if not rows.records:
                continue
            made = normalise(
                rows.family,
                rows.frame(),
                facts,
                router.known,
                future_minutes=limits.future_minutes,
                too_old_days=limits.too_old_days,
                ingested_at=now,
            )
            for row in made.refused.iter_rows(named=True):
                yield Step("lake", State.WRONG, self.say("quarantine", reason=row["reason"]))
            for row in made.rows.iter_rows(named=True):
                yield _row(self.say, name, rows.family.measures, row)


def _row(say: Say, family: str, measures: Sequence[str], row: dict[str, object]) -> Step:
    values = {name: row[name] for name in measures if row[name] is not None}
    tests = [test.name.lower() for test in Test if int(str(row["quality_tests"])) & test and test.name]
    when = pl.Series([row["observed_at"]], dtype=pl.Datetime("us", "UTC"))[0].isoformat().replace("+00:00", "Z")
    said = say(
        "row",
        family=family,
        values=_values(values),
        time=when,
        source=row["time_source"],
        quality=row["quality"],
        tests=say("failed", tests=", ".join(tests)) if tests else say("passed"),
    )
    return Step("lake", State.DONE, said)


def _values(values: dict[str, object]) -> str:
    return ", ".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else value}" for name, value in values.items()
    )


def _codec_step(say: Say, sent: Decoded) -> Step:
    match sent:
        case Rejected():
            return Step("codec", State.WRONG, f"{sent.reason.value}: {sent.detail}")
        case Housekeeping():
            return Step("codec", State.DONE, say("housekeeping", kind=sent.kind))
    wrong = [item for item in sent if isinstance(item, Rejected)]
    if wrong:
        reason, detail = wrong[0].reason.value, wrong[0].detail
        said = say("wrong_elements", count=len(sent), wrong=len(wrong), reason=reason, detail=detail)
        return Step("codec", State.WRONG, said)
    first = next(item for item in sent if not isinstance(item, Rejected))
    if isinstance(first, Uplink):
        parts = [say("port", port=first.port)] if first.port is not None else []
        parts += [say("frame", bytes=len(first.data))] if first.data else []
        parts += [say("object", names=", ".join(first.object))[:200]] if first.object else []
        return Step("codec", State.DONE, say("uplink", device=first.device, parts="; ".join(parts) or say("empty")))
    name = "readings" if len(sent) > 1 else "one_reading"
    return Step("codec", State.DONE, say(name, count=len(sent), device=first.device))


def _route_said(say: Say, settings: Settings, topic: str) -> str:
    levels = topic.split("/")
    route = next((route for route in settings.route if matches(route.filter, levels)), None)
    return say("route", filter=route.filter, codec=route.codec) if route else say("own_topic")


def _no_route(say: Say, topic: str, found: Sequence[str]) -> str:
    levels = topic.split("/")
    own = levels[3:] == ["telemetry"] and levels[1] not in families()
    said = say("no_family", family=levels[1][:64]) if own else say("no_route")
    return say("readable", why=said, codecs=", ".join(found)) if found else say("unreadable", why=said)


@cache
def _texts() -> dict[str, Text]:
    said = tomllib.loads((files("ingest") / "explain.toml").read_text("utf-8"))
    return {name: Text(**text) for name, text in said.items()}


def _say(lang: Lang) -> Say:
    return lambda name, **told: _texts()[name].to(lang).format(**told)


def _route_line(topic: str, found: Sequence[str]) -> str:
    if not found:
        return ""
    if found[0] == "json":
        return f'[[route]]\nfilter = "{_general(topic)}"\ncodec = "json"\ndevice = "topic.{_place(topic)}"'
    return f'[[route]]\nfilter = "{_general(topic)}"\ncodec = "{found[0]}"'


def _general(topic: str) -> str:
    """The topic with its numbers and names of devices left open."""
    return "/".join("+" if _NUMBERED.fullmatch(level) else level for level in topic.split("/"))


def _place(topic: str) -> int:
    levels = topic.split("/")
    numbered = [place for place, level in enumerate(levels, 1) if _NUMBERED.fullmatch(level)]
    return numbered[-1] if numbered else max(len(levels) - 1, 1)


def _fitting_codecs(topic: str, payload: bytes) -> list[str]:
    """Codecs that read this payload, the most particular first."""
    found = []
    for name in codecs.names():
        sent = codecs.load(name)(topic, payload)
        if isinstance(sent, Rejected):
            fits = sent.reason not in (Reason.NOT_JSON, Reason.WRONG_SHAPE)
        else:
            fits = isinstance(sent, Housekeeping) or any(isinstance(one, Uplink) for one in sent)
        if fits and name != "json":
            found.append(name)
    if not found:
        try:
            found = ["json"] if isinstance(msgspec.json.decode(payload), dict) else []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = []
    return found


def _fitting_profiles(profiles: Profiles, one: Reading | Uplink) -> list[Profile]:
    """Profiles that read this, those that make most of it first; what a network server calls the model goes before."""
    named = profiles.by_model(one.model or "") if isinstance(one, Uplink) else None
    scored = []
    for profile in profiles.by_id.values():
        made = read(profile, one)
        if isinstance(made, list) and _recognised(profile, one):
            measured = sum(len(reading.values) for reading in made)
            left = sum(len(reading.extra) for reading in made)
            scored.append(((profile is not named, left - measured, profile.id), profile))
    return [profile for _, profile in sorted(scored, key=lambda pair: pair[0])]


def _recognised(profile: Profile, one: Reading | Uplink) -> bool:
    """Whether the profile knows one of the names, or its decoder read the frame."""
    if isinstance(one, Reading):
        return any(key in profile.tree for key in one.values)
    return bool(one.data and profile.decoder) or any(key in profile.tree for key in one.object or {})


def _skeleton(one: Uplink) -> str:
    """The beginning of a profile for these fields."""
    fields = "\n".join(f'{_toml(key)} = {{ column = "…", unit = "…" }}' for key in (one.object or {}))
    return f"# profiles/VENDOR_MODEL.toml in the home; then: drava devices check FILE\n[fields]\n{fields}"


def _toml(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else msgspec.json.encode(key).decode()
