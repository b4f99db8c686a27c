"""A codec is a file here and nothing else: no name from outside imports anything."""

import pytest

from ingest import codecs
from schemas.errors import DravaError


def test_codecs_are_found_by_their_files():
    assert "chirpstack" in codecs.names()
    assert callable(codecs.load("chirpstack"))


@pytest.mark.parametrize(
    "name", ["record", "frames", "__init__", "", "os", "../decode", "frames.milesight", "Chirpstack"]
)
def test_another_name_is_refused_with_those_there_are(name):
    with pytest.raises(DravaError, match="chirpstack"):
        codecs.load(name)
