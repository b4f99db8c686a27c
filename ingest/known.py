"""The registry as the receiving path needs it: a device by its name, and its facts as columns."""

import polars as pl

from catalog.registry import Device, Registry
from devices.registry import normal_id
from schemas.vocabulary import Family


class Known:
    """One version of the registry."""

    def __init__(self, registry: Registry) -> None:
        """Keep a loaded registry."""
        self.version = registry.version
        self._devices = registry.devices
        self._facts: dict[str, pl.DataFrame] = {}
        self.numbers = {device.num: device for device in registry.devices.values()}
        size = max(self.numbers, default=-1) + 1
        self.names = pl.Series([d and d.device_id for d in map(self.numbers.get, range(size))], dtype=pl.String)

    def find(self, device_id: str) -> Device | None:
        """The device of this name; EUIs are written in either case, the registry has them in lower case."""
        return self._devices.get(device_id) or self._devices.get(normal_id(device_id))

    def facts(self, family: Family, numbers: pl.Series) -> pl.DataFrame:
        """Of devices of a family, a row each: device_id, _commissioned (µs) and, for derived measures, _<factor>."""
        found = self._facts.get(family.name)
        if found is None:
            found = self._facts[family.name] = self._of(family)
        return found[numbers]

    def _of(self, family: Family) -> pl.DataFrame:
        """The facts of a family, a device's in the row of its number: looked up without a join."""
        found = {device.num: device for device in self._devices.values() if device.family == family.name}
        devices = [found.get(number) for number in range(max(found, default=-1) + 1)]
        factors = {name for rule in family.derive for name in rule.factors}
        columns: dict[str, pl.Series] = {
            "device_id": pl.Series([d and d.device_id for d in devices], dtype=pl.String),
            "_commissioned": pl.Series([d and d.commissioned_at for d in devices], dtype=pl.Int64),
        }
        for name in sorted(factors):
            columns[f"_{name}"] = pl.Series([d and d.factors.get(name) for d in devices], dtype=pl.Float64)
        return pl.DataFrame(columns)
