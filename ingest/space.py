"""How much room the disk of a home has: enough, little (old things go), or none (nothing more is acknowledged)."""

import shutil

from schemas.settings import Home

LITTLE = 2  # times the space below which nothing is acknowledged
MB = 2**20


def free(home: Home) -> int:
    """Bytes of the disk that are free. Raises OSError where the home is not there."""
    return shutil.disk_usage(home.path).free


def enough(home: Home) -> bool:
    """Whether more may be acknowledged."""
    return free(home) >= home.settings.ingest.min_free_mb * MB


def little(home: Home) -> bool:
    """Whether it is time to make room."""
    return free(home) < LITTLE * home.settings.ingest.min_free_mb * MB
