"""What a pack reads is what its header says: only that is limited to the moment and the days of a run."""

import re

import pytest

from indicators.header import packs
from lake.query import needed
from lake.relations import SMALL
from lake.tables import SYSTEM
from schemas.vocabulary import families

TABLES = {*families(), *SMALL, *SYSTEM, "heard", "expected", "known_days", "sun", "run"}


@pytest.mark.parametrize("pack", packs().values(), ids=list(packs()))
def test_a_pack_names_every_table_that_its_sql_mentions(pack):
    sql = re.sub(r"--.*|'[^']*'", "", pack.sql)
    mentioned = set(re.findall(r"\b(?:from|join)\s+\"?(\w+)", sql, re.IGNORECASE)) & TABLES
    own = set(re.findall(r"\b(\w+)\s+AS\s+(?:MATERIALIZED\s+)?\(", sql))
    assert mentioned - own <= needed(pack.reads)


@pytest.mark.parametrize("pack", packs("indicator").values(), ids=list(packs("indicator")))
def test_a_pack_that_reads_values_says_of_which_indicators(pack):
    named = set(re.findall(r"'([a-z]+(?:\.[a-z0-9_]+)+)'", pack.sql)) & set(packs("indicator"))
    assert named <= {*pack.needs, pack.id}
    assert ("indicator_values" in needed(pack.reads)) == bool(pack.needs)
