"""In the wheel, the top-level folders live under one name: `drava/app/`."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("schemas", "devices", "catalog", "lake", "ingest", "indicators", "commands")
TOP_LEVEL = (*ROOMS, "cli.py", "deploy", "mosquitto.conf")


class Relocate(BuildHookInterface[Any]):
    """Puts the rooms below the package, so that nothing called `lake` lands in anyone's site-packages."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Map each room to its place in the wheel; an editable install points at the checkout itself."""
        if version == "standard":
            build_data["force_include"] |= {name: f"drava/app/{name}" for name in TOP_LEVEL}
