"""`drava devices provision`: a user of the broker for each device and gateway."""

import typer


def mount(devices: typer.Typer) -> None:
    """Put these commands beside the others of `drava devices`."""
