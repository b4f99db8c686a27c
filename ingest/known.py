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
        self._frames: dict[str, pl.DataFrame] = {}
        self.numbers = {device.num: device for device in registry.devices.values()}

    def find(self, device_id: str) -> Device | None:
        """The device of this name; EUIs are written in either case, the registry has them in lower case."""
        return self._devices.get(device_id) or self._devices.get(normal_id(device_id))

    def frame(self, family: Family) -> pl.DataFrame:
        """Columns _device, device_id, _commissioned (µs) and, for derived measures, one _factor each."""
        found = self._frames.get(family.name)
        if found is None:
            found = self._frames[family.name] = self._frame(family)
        return found

    def _frame(self, family: Family) -> pl.DataFrame:
        devices = [device for device in self._devices.values() if device.family == family.name]
        factors = {name for rule in family.derive for name in rule.factors}
        columns: dict[str, pl.Series] = {
            "_device": pl.Series([d.num for d in devices], dtype=pl.Int32),
            "device_id": pl.Series([d.device_id for d in devices], dtype=pl.String),
            "_commissioned": pl.Series([d.commissioned_at for d in devices], dtype=pl.Int64),
        }
        for name in sorted(factors):
            columns[f"_{name}"] = pl.Series([d.factors.get(name) for d in devices], dtype=pl.Float64)
        return pl.DataFrame(columns)
