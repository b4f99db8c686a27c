"""Where things are and what they are called: what alarms need of the registry, read once from a snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from catalog.alarms import Alarm
from indicators.frame import Cursor
from schemas.vocabulary import families

TABLES = ("things", "areas", "devices", "assignments")

_HELD = "SELECT device_id, thing_id FROM assignments WHERE valid_to IS NULL ORDER BY valid_from"


@dataclass(frozen=True)
class Place:
    """A thing: its family, its area and its title."""

    family: str
    area_id: str | None
    title: str | None


@dataclass(frozen=True)
class Places:
    """The registry as alarms need it."""

    things: Mapping[str, Place] = field(default_factory=dict)
    areas: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  # title, parent
    devices: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)  # family, gateway
    hangs: Mapping[str, str] = field(default_factory=dict)  # device -> the thing on which it hangs now

    @classmethod
    def read(cls, connection: Cursor) -> "Places":
        """Read the registry from a snapshot that has TABLES."""

        def rows(query: str) -> list[tuple[str, ...]]:
            found: list[tuple[str, ...]] = connection.execute(query).fetchall()
            return found

        return cls(
            {id_: Place(*rest) for id_, *rest in rows("SELECT thing_id, family, area_id, title FROM things")},
            {id_: (title, parent) for id_, title, parent in rows("SELECT area_id, title, parent_id FROM areas")},
            {id_: (family, gateway) for id_, family, gateway in rows("SELECT device_id, family, gateway FROM devices")},
            {row[0]: row[1] for row in rows(_HELD)},
        )

    def thing(self, alarm: Alarm) -> str | None:
        """The thing of an alarm, also of one that names only a device."""
        return alarm.thing_id or self.hangs.get(alarm.device_id or "")

    def area(self, alarm: Alarm) -> str | None:
        """The area of an alarm."""
        place = self.things.get(self.thing(alarm) or "")
        return alarm.area_id or (place.area_id if place else None)

    def within(self, area: str | None) -> Iterator[str]:
        """An area and the areas around it, from the inside."""
        seen: set[str] = set()
        while area and area not in seen:
            seen.add(area)
            yield area
            area = self.areas.get(area, (None, None))[1]

    def gateway(self, alarm: Alarm) -> str | None:
        """The gateway through which the device of an alarm speaks."""
        return self.devices.get(alarm.device_id or "", ("", None))[1]

    def titles(self, alarm: Alarm) -> tuple[str | None, str | None]:
        """What the thing and the area of an alarm are called."""
        place = self.things.get(self.thing(alarm) or "")
        area = self.area(alarm)
        return (place.title if place else None), (self.areas.get(area or "", (None, None))[0] or area)

    def personal(self, alarm: Alarm) -> bool:
        """Whether an alarm is about something that says how a household lives."""
        place = self.things.get(self.thing(alarm) or "")
        names = {place.family if place else "", self.devices.get(alarm.device_id or "", ("", None))[0]}
        return any(family.personal for name, family in families().items() if name in names)
