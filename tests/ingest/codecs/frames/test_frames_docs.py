"""docs/devices.md names every profile and decoder, under its family, and nothing that is not there."""

import re
from pathlib import Path

from devices.profiles import profiles
from ingest.codecs.frames import DECODERS

PAGE = (Path(__file__).parents[4] / "docs" / "devices.md").read_text("utf-8")
ROWS = [row.split("|")[1:] for row in PAGE.splitlines() if row.startswith("| `")]
TOLD = {name: cells[1].strip() for cells in ROWS for name in re.findall(r"`(\w+)`", cells[0])}


def test_every_profile_is_told_with_its_families():
    for profile in profiles().values():
        assert set(TOLD[profile.id].split(", ")) == set(profile.families), profile.id


def test_every_decoder_is_told_and_nothing_else():
    assert set(TOLD) == set(DECODERS) | set(profiles())
