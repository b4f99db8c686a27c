"""The registry as the receiving path needs it: a device by its name, and its facts as columns."""

import polars as pl

from catalog.registry import Device, Registry
from devices.registry import normal_id
from schemas.vocabulary import Family, limit_columns

WIDTH = "register_width"  # digits before the decimal point: after the last it begins at zero again


class Known:
    """One version of the registry."""

    def __init__(self, registry: Registry) -> None:
        """Keep a loaded registry."""
        self.version = registry.version
        self._devices = registry.devices
        self._facts: dict[str, pl.DataFrame] = {}
        self._dated: dict[str, pl.DataFrame] = {}
        self.numbers = {device.num: device for device in registry.devices.values()}
        size = max(self.numbers, default=-1) + 1
        self.names = pl.Series([d and d.device_id for d in map(self.numbers.get, range(size))], dtype=pl.String)

    def find(self, device_id: str) -> Device | None:
        """The device of this name; EUIs are written in either case, the registry has them in lower case."""
        return self._devices.get(device_id) or self._devices.get(normal_id(device_id))

    def facts(self, family: Family, numbers: pl.Series) -> pl.DataFrame:
        """Of devices of a family, a row each: device_id, _commissioned, _calibrated_until (µs), _<factor> as last."""
        found = self._facts.get(family.name)
        if found is None:
            found = self._facts[family.name] = self._of(family)
        return found[numbers]

    def _of(self, family: Family) -> pl.DataFrame:
        """The facts for a family, a device's in the row of its number: looked up without a join.

        Of every device: by its profile one of another family may feed this one too.
        """
        devices = [self.numbers.get(number) for number in range(self.names.len())]
        limits = {name for device in self.numbers.values() for name in device.factors} & {*limit_columns(family), WIDTH}
        columns: dict[str, pl.Series] = {
            "device_id": pl.Series([d and d.device_id for d in devices], dtype=pl.String),
            "_commissioned": pl.Series([d and d.commissioned_at for d in devices], dtype=pl.Int64),
            "_calibrated_until": pl.Series([d and _calibrated(d) for d in devices], dtype=pl.Int64),
        }
        for name in (*_factors(family), *sorted(limits)):
            columns[f"_{name}"] = pl.Series([d and d.factors.get(name) for d in devices], dtype=pl.Float64)
        return pl.DataFrame(columns)

    def as_of(self, family: Family, rows: pl.DataFrame) -> pl.DataFrame:
        """Put in place of the last facts those that held at `observed_at`, for devices whose facts ever changed."""
        dated = self._dated.get(family.name)
        if dated is None:
            dated = self._dated[family.name] = self._versions(family)
        changed = rows["_device"].is_in(dated["_device"].unique().implode()) if dated.height else None
        if changed is None or not changed.any():
            return rows
        found = rows.select("_device", "observed_at").with_row_index("_row").filter(changed).sort("observed_at")
        held = found.join_asof(dated, left_on="observed_at", right_on="_since", by="_device", check_sortedness=False)
        names = [name for name in dated.columns if name not in ("_device", "_since")]
        return rows.with_columns(rows[name].scatter(held["_row"], held[name]) for name in names)

    def _versions(self, family: Family) -> pl.DataFrame:
        """What held from `_since` on, in its order; the first of a device holds for all the time before, too."""
        devices = [d for d in self._devices.values() if d.family == family.name and len(d.dated) > 1]
        names = ("calibrated_until", *_factors(family))
        rows = [
            (device.num, since if place else 0, *(held.get(name) for name in names))
            for device in devices
            for place, (since, held) in enumerate(device.dated)
        ]
        types = {"_device": pl.Int32, "_since": pl.Int64} | {f"_{name}": pl.Float64 for name in names}
        return pl.DataFrame(rows, types, orient="row").cast({"_calibrated_until": pl.Int64}).sort("_since")


def _factors(family: Family) -> list[str]:
    return sorted({name for rule in family.derive for name in rule.factors})


def _calibrated(device: Device) -> int | None:
    found = device.dated[-1][1].get("calibrated_until") if device.dated else None
    return None if found is None else int(found)
