"""An invented Slovenian town: its districts, streets and everything that measures in them."""

from dataclasses import dataclass, field
from random import Random

from devices.simulate.world import DAY, World, utc

LAT, LON = 46.42, 15.87
GATEWAY = "gw-01"
GATEWAY_HYDRANTS = 5  # so many hydrants are heard by the gateway alone

_DISTRICTS = (
    "Lipje", "Zagradec", "Mlinsko", "Pod Kostanji", "Jelovje", "Gornji Breg", "Vinišče", "Rečica", "Sadovnik",
    "Stari trg",
)  # fmt: skip
_STREETS = (
    "Lipova ulica", "Mlinska pot", "Vrtna ulica", "Šolska ulica", "Obrežna cesta", "Gasilska ulica", "Sadjarska pot",
    "Vinarska cesta", "Kolarska ulica", "Čebelarska pot", "Žitna ulica", "Splavarska ulica", "Kovaška ulica",
    "Travniška pot", "Tržna ulica", "Brodarska pot", "Pekovska ulica", "Kostanjeva pot",
)  # fmt: skip

COLUMNS = (
    "device_id", "family", "thing_id", "area", "lat", "lon", "model", "gateway", "valid_from", "valid_to",
    "start_register", "end_register", "title", "kind", "persons", "nominal_power_w", "capacity_l", "cabinet", "lanes",
    "collection_days",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A district on the map: its id, centre and streets."""

    area_id: str
    lat: float
    lon: float
    streets: tuple[str, ...]


@dataclass
class Thing:
    """One place that measures, and the device that hangs there."""

    family: str
    device_id: str
    thing_id: str
    area_id: str
    lat: float
    lon: float
    title: str
    gateway: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Town:
    """Areas and things; the things of a family in the order of their ids."""

    areas: list[dict[str, str]]
    things: dict[str, list[Thing]]

    @property
    def districts(self) -> list[str]:
        """Ids of the supply districts."""
        return [area["area_id"] for area in self.areas if area["kind"] == "district"]


# family: how many, prefix of devices, prefix of things, start of the title
_FLEETS = {
    "water_meter": (160, "wm", "connection", ""),
    "district_meter": (3, "dm", "shaft", "Vodovodni jašek "),
    "waste_container": (40, "wc", "container", "Ekološki otok "),
    "streetlight": (60, "sl", "lamp", "Svetilka "),
    "hydrant": (25, "hy", "hydrant", "Hidrant "),
    "traffic_counter": (8, "tc", "counter", "Števec prometa "),
}


def build(world: World) -> Town:
    """Draw the town of a seed: three districts in one supply zone, and a fleet in them."""
    rng = world.rng("town")
    areas = _areas(world, rng)
    districts = [area["area_id"] for area in areas if area["kind"] == "district"]
    places = [
        Place(area_id, LAT + rng.uniform(-0.012, 0.012), LON + 0.024 * (n - 1), _STREETS[n::3])
        for n, area_id in enumerate(districts)
    ]
    things: dict[str, list[Thing]] = {}
    for family, (size, *_) in _FLEETS.items():
        fleet = world.rng("fleet", family)
        serials = fleet.sample(range(100_000, 999_999), size if family == "district_meter" else world.count(size))
        # one device after the other, district by district
        things[family] = [_thing(fleet, family, (n, serial), places[n % 3]) for n, serial in enumerate(serials)]
    for thing in things["hydrant"][:GATEWAY_HYDRANTS]:
        thing.gateway = GATEWAY
    return Town(areas, things)


def _areas(world: World, rng: Random) -> list[dict[str, str]]:
    zone = {
        "area_id": "zone-1", "title": "Vodooskrbno območje mesta", "kind": "zone", "parent_id": "",
        "population": "", "network_km": "",
    }  # fmt: skip
    found = [zone]
    for n, title in enumerate(rng.sample(_DISTRICTS, 3), start=1):
        population = round(rng.randint(220, 380) * world.scale)
        network = rng.uniform(3.5, 7.5)
        found.append(
            {
                "area_id": f"district-{n}",
                "title": title,
                "kind": "district",
                "parent_id": "zone-1",
                "population": str(population),
                "network_km": f"{network:.1f}",
            }
        )
    return found


def _thing(rng: Random, family: str, number: tuple[int, int], place: Place) -> Thing:
    _, device, noun, title = _FLEETS[family]
    n, serial = number
    return Thing(
        family=family,
        device_id=f"{device}-{serial}",
        thing_id=f"{noun}-{n + 1:03d}",
        area_id=place.area_id,
        lat=round(place.lat + rng.gauss(0, 0.003), 6),
        lon=round(place.lon + rng.gauss(0, 0.004), 6),
        title=f"{title}{rng.choice(place.streets)} {rng.randint(1, 60)}",
    )


def registration(world: World, thing: Thing) -> dict[str, str]:
    """Give the row of the devices CSV: every column, empty where nothing is known."""
    installed = world.start - world.rng("installed", thing.device_id).randint(30, 900) * DAY
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "device_id": thing.device_id,
        "family": thing.family,
        "thing_id": thing.thing_id,
        "area": thing.area_id,
        "lat": f"{thing.lat:.6f}",
        "lon": f"{thing.lon:.6f}",
        "gateway": thing.gateway,
        "valid_from": utc(installed).strftime("%Y-%m-%dT00:00:00Z"),
        "title": thing.title,
    }
    return row | thing.attributes
