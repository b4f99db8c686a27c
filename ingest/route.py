"""From a topic to what is known before the payload is opened: codec, family, device, gateway."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from catalog.registry import Device
from devices.profiles import Profiles, brought
from ingest.codecs import load
from ingest.codecs.declared import Field, Path, Paths
from ingest.codecs.record import Codec, Rejected
from ingest.known import Known
from ingest.topics import is_gateway, matches
from schemas.errors import DravaError
from schemas.reasons import Reason
from schemas.settings import Route, Settings
from schemas.vocabulary import Family, families

REMEMBERED = 200_000  # topics; hostile ones must not fill the memory


@dataclass(frozen=True)
class Source:
    """What a topic says. `device` is registered and of `family` where `plain` is true: the typed path may be taken."""

    codec: Codec | None = None
    family: Family | None = None
    device: Device | None = None
    gateway: str | None = None
    plain: bool = False
    rejected: Rejected | None = None


def declared(route: Route) -> Paths | None:
    """The paths that a route declares; None where it declares none. Raises DravaError where one is no path."""
    paths = {name: Path.of(text) for name in ("time", "seq", "records") if (text := getattr(route, name))}
    if not route.device:
        if paths or route.fields:
            raise DravaError(f"route {route.filter!r} does not say where the device stands", "Add device = to it")
        return None
    fields = {
        name: Field(Path.of(said)) if isinstance(said, str) else Field(Path.of(said.path), said.unit)
        for name, said in route.fields.items()
    }
    return Paths(device=Path.of(route.device), **paths, fields=fields or None)


class Router:
    """Topics to sources, remembered. Made anew when the registry changes."""

    def __init__(self, settings: Settings, known: Known, profiles: Profiles | None = None) -> None:
        """Load the codecs that the routes name. Raises DravaError where a route names none that exists."""
        self.known = known
        self.profiles = profiles or brought()
        self.zone = ZoneInfo(settings.timezone)
        self._municipality = settings.municipality
        self._routes: list[tuple[Route, Codec]] = [
            (route, load(route.codec, declared(route))) for route in settings.route
        ]
        self._json = load("json")
        self._known: dict[str, Source] = {}

    def __getitem__(self, topic: str) -> Source:
        """What this topic says."""
        found = self._known.get(topic)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[topic] = self._find(topic)
        return found

    def _find(self, topic: str) -> Source:
        levels = topic.split("/")
        for route, codec in self._routes:
            if matches(route.filter, levels):
                return Source(codec=codec)
        if len(levels) != 4 or levels[0] != self._municipality or levels[3] != "telemetry":  # noqa: PLR2004 - four levels
            return Source(rejected=Rejected(Reason.NO_ROUTE, "neither our own topics nor a [[route]] of drava.toml"))
        if is_gateway(levels):
            return Source(codec=self._json, gateway=levels[2])
        return self._own(levels[1], levels[2])

    def _own(self, family_name: str, device_id: str) -> Source:
        family = families().get(family_name)
        if family is None:
            return Source(rejected=Rejected(Reason.NO_ROUTE, f"there is no family {family_name[:64]!r}"))
        device = self.known.find(device_id)
        fits = device is not None and device.family == family.name
        return Source(codec=self._json, family=family, device=device, gateway=None, plain=fits)
