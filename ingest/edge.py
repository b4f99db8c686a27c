"""What a city must not keep is taken out of a message before it is journalled: nothing of it reaches a disk of ours.

Fields are named by `[[drop]]` for topics, and by the `drop` of a profile for all routed topics, at any depth and in
upper or lower case. Only messages of such topics are opened, and only those that hold such a field are written anew.
What cannot be read there might hold it all the same: of that only the size is kept.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from devices.profiles import Profiles
from ingest.codecs.record import too_deep
from ingest.connection import Message
from ingest.topics import matches
from schemas.settings import Settings

REMEMBERED = 200_000  # topics; hostile ones must not fill the memory
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NOTHING: frozenset[str] = frozenset()


class Edge:
    """Which fields of which topics are dropped."""

    def __init__(self, rules: Iterable[tuple[str, Iterable[str]]]) -> None:
        """`rules` are topic filters with the names of fields."""
        folded = [(pattern, frozenset(name.casefold() for name in names)) for pattern, names in rules]
        self._rules = [(pattern, names) for pattern, names in folded if names]
        self._names: dict[str, frozenset[str]] = {}

    @classmethod
    def of(cls, settings: Settings, profiles: Profiles) -> "Edge":
        """The rules of settings and profiles, as they are now."""
        rules: list[tuple[str, Iterable[str]]] = [(drop.filter, drop.fields) for drop in settings.drop]
        if settings.route:
            names = {path.split(".")[-1] for profile in profiles.by_id.values() for path in profile.drop}
            rules += [(route.filter, names) for route in settings.route]
        return cls(rules)

    def __call__(self, messages: list[Message]) -> list[Message]:
        """The messages without what must not be kept."""
        if not self._rules:
            return messages
        return [self._clean(message) if self.fields(message[0]) else message for message in messages]

    def fields(self, topic: str) -> frozenset[str]:
        """What is taken out of messages on this topic, in lower case."""
        found = self._names.get(topic)
        if found is None:
            levels = topic.split("/")
            found = _NOTHING.union(*(names for pattern, names in self._rules if matches(pattern, levels)))
            if len(self._names) >= REMEMBERED:
                self._names.clear()
            self._names[topic] = found
        return found

    def _clean(self, message: Message) -> Message:
        topic, payload, qos, retain, duplicate = message
        cleaned = without(payload, self.fields(topic))
        return message if cleaned is payload else (topic, cleaned, qos, retain, duplicate)


def without(payload: bytes, names: frozenset[str]) -> bytes:
    """A JSON payload without these fields (in lower case): the same bytes where it has none of them."""
    try:
        document = msgspec.json.decode(payload)
    except _UNREADABLE:
        return _unreadable(payload)
    if too_deep(document):
        return _unreadable(payload)
    removed: list[str] = []
    kept = _kept(document, names, removed)
    return msgspec.json.encode(kept) if removed else payload


def _kept(value: Any, names: frozenset[str], removed: list[str]) -> Any:
    if isinstance(value, dict):
        dropped = [key for key in value if key.casefold() in names]
        removed += dropped
        return {key: _kept(inner, names, removed) for key, inner in value.items() if key not in dropped}
    return [_kept(inner, names, removed) for inner in value] if isinstance(value, list) else value


def _unreadable(payload: bytes) -> bytes:
    return msgspec.json.encode(
        {"dropped": "not JSON, on a topic with fields that must not be kept", "bytes": len(payload)}
    )
