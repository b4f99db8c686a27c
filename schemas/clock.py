"""Instants as whole microseconds since 1970 UTC, the form in which the hot path and the catalogue keep them."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The instant of microseconds since 1970 UTC. Raises OverflowError beyond the calendar."""
    return _EPOCH + timedelta(microseconds=microseconds)
