"""A simulated city: things, telemetry with transport dirt, and the faults that detectors must find."""

from devices.simulate.city import City, city
from devices.simulate.world import KINDS, Fault

__all__ = ["KINDS", "City", "Fault", "city"]
