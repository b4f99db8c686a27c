"""MQTT topics: which ones we listen to, and whether a filter matches one."""

from collections.abc import Sequence

from schemas.settings import Settings


def filters(settings: Settings) -> list[str]:
    """The topic filters that a receiver of this municipality subscribes to."""
    group = settings.broker.shared_group
    shared = f"$share/{group}/" if group else ""
    ours = [f"{settings.municipality}/+/+/telemetry", *(route.filter for route in settings.route)]
    return [pattern if pattern.startswith("$share/") else shared + pattern for pattern in ours]


def plain(pattern: str) -> str:
    """A topic filter without the shared subscription around it."""
    return pattern.split("/", 2)[2] if pattern.startswith("$share/") else pattern


def matches(pattern: str, levels: Sequence[str]) -> bool:
    """Whether an MQTT topic filter matches a topic (split at its slashes)."""
    parts = pattern.split("/")
    if parts[0] == "$share":
        parts = parts[2:]
    for place, part in enumerate(parts):
        if part == "#":
            return True
        if place >= len(levels) or part not in ("+", levels[place]):
            return False
    return len(parts) == len(levels)


def is_gateway(levels: Sequence[str]) -> bool:
    """Whether a topic is one on which a gateway speaks for devices: municipality/gateway/ID/telemetry."""
    return len(levels) == 4 and levels[1] == "gateway"  # noqa: PLR2004 - four levels
