"""Frames that arrive undecoded: from a device's bytes to its own fields, one file a vendor."""

from collections.abc import Callable, Mapping

from ingest.codecs.frames import milesight
from ingest.codecs.record import Rejected

DECODERS: Mapping[str, Callable[[bytes], dict[str, object] | Rejected]] = milesight.DECODERS
"""By the name that a profile calls them. An empty object: the device speaks of itself, nothing was measured."""
