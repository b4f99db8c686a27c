"""What a decoder of frames takes and gives; a frame that cannot be read whole is not read at all.

Values stand under the names that the vendor's own decoder gives them, so that a profile reads both. Two names are ours:
`timestamp` is the device's own clock (seconds since 1970, or local time as text), `history` a list of earlier records,
each with its own `timestamp`. Half a frame is never kept: it waits in quarantine for a decoder that knows the rest.
"""

from collections.abc import Mapping
from typing import Protocol

from ingest.codecs.record import Housekeeping, Rejected
from schemas.reasons import Reason

Values = dict[str, object]
Found = Values | Housekeeping | Rejected
"""An empty object: the device speaks of itself, nothing was measured."""


class Broken(Exception):  # noqa: N818 - never leaves its decoder
    """Why a frame cannot be read, raised where it is found deep inside."""


class Decoder(Protocol):
    """From a frame and its port to the device's own fields. Never raises, never looks at a clock."""

    def __call__(self, data: bytes, port: int | None = None) -> Found:
        """Read one frame."""


def bad(detail: str) -> Rejected:
    """The frame cannot be decoded, for a reason that a person can check against its bytes."""
    return Rejected(Reason.BAD_FRAME, detail)


def unknown_port(port: int | None, known: Mapping[int, object]) -> Rejected:
    """Say which ports this device speaks on."""
    said = "without its port the frame cannot be read" if port is None else f"port {port} is not of this device"
    return bad(f"{said}; it speaks on {', '.join(str(one) for one in sorted(known))}")
