"""What must not be kept is nowhere: not in journal, lake, quarantine or backup; nothing else is touched."""

import asyncio
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from catalog.store import Store
from cli import app
from ingest.edge import Edge, without
from ingest.journal import Reader
from ingest.run import Ingestion
from tests.ingest.feeding import NOW, make_home, register
from tests.ingest.mqttside import publish

SECRET = "MB-X4-917"
MAC = "a4:cf:12:99:e0:17"
NAMES = frozenset({"plate", "mac"})


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{"occupied": true,  "t": 1.50}', b'{"occupied": true,  "t": 1.50}'),
        (b'{"plate": "X", "occupied": true}', b'{"occupied":true}'),
        (b'{"PLATE": "X", "a": [{"b": {"Mac": [1, 2]}}, 3]}', b'{"a":[{"b":{}},3]}'),
        (b'{"pl\\u0061te": "X", "n": 1}', b'{"n":1}'),
        (b'[{"plate": "X"}, {"n": 1}]', b'[{},{"n":1}]'),
        (b'{"plate": 1, "plate": "X"}', b"{}"),
    ],
)
def test_named_fields_go_at_any_depth_and_the_rest_stays_byte_for_byte(sent, kept):
    assert without(sent, NAMES) == kept


@pytest.mark.parametrize(
    "sent", [b'{"plate": "X"', b"plate=X", b"\xff\xfeX", b"", b'{"a":' * 5000, b'{"a":' * 40 + b"1" + b"}" * 40]
)
def test_of_what_cannot_be_read_only_the_size_is_kept(sent):
    assert json.loads(without(sent, NAMES))["bytes"] == len(sent)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["plate", "Mac", "n", "m"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_document_keeps_such_a_field_and_none_raises(document):
    left = json.loads(without(json.dumps(document).encode(), NAMES))
    assert not set(_keys(left)) & {"plate", "Mac"}
    assert json.loads(without(json.dumps(left).encode(), NAMES)) == left


def _keys(value):
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def test_other_topics_are_not_opened():
    edge = Edge([("ptuj/parking/+/telemetry", ["plate"])])
    messages = [
        ("ptuj/hydrant/h1/telemetry", b"\xff", 1, False, False),
        ("ptuj/parking/p/telemetry", b"{}", 1, False, False),
    ]
    cleaned = edge(messages)
    assert all(new is old for new, old in zip(cleaned, messages, strict=True))
    assert Edge([])(messages) is messages


PROFILE = """
id = "acme_gate"
title = { en = "Acme gate", sl = "Zapornica Acme" }
family = "parking"
drop = ["car.plate"]
[recognise]
models = ["Acme Gate"]
[fields]
busy = { column = "occupied" }
[[example]]
title = "busy"
codec = "chirpstack"
payload = '{"deviceInfo": {"devEui": "24e124fffe00a1b2"}, "object": {"busy": true, "car": {"plate": "MB"}}}'
[[example.reading]]
values = { occupied = true }
extra = { car = {} }
[[example]]
title = "no yes or no"
codec = "chirpstack"
payload = '{"deviceInfo": {"devEui": "24e124fffe00a1b2"}, "object": {"busy": 7}}'
rejected = "wrong_type"
"""
SETTINGS = """
[[route]]
filter = "application/+/device/+/event/up"
codec = "chirpstack"
[[drop]]
filter = "ptuj/parking/+/telemetry"
fields = ["plate", "mac"]
[metrics]
listen = ""
"""


def test_what_must_not_be_kept_is_nowhere(broker, tmp_path):
    """Through a real broker into a real home; then every byte, and everything that can be decompressed, is searched."""
    home = make_home(tmp_path / "home", f"mqtt://127.0.0.1:{broker.port}", SETTINGS)
    (home.path / "profiles").mkdir()
    (home.path / "profiles" / "acme_gate.toml").write_text(PROFILE, "utf-8")
    store = Store.at(home.catalog)
    register(store, ("p1", "parking"), ("h1", "hydrant"))
    register(store, ("24e124fffe00a1b2", "parking"), model="Acme Gate")
    store.close()
    eui = {"deviceInfo": {"devEui": "24e124fffe00a1b2"}}
    own = {"time": "2026-03-02T05:00:00Z", "occupied": True}
    said = [
        ("ptuj/parking/p1/telemetry", own | {"plate": SECRET, "seen": {"Mac": MAC}, "lane": 2}),
        ("ptuj/parking/stranger/telemetry", own | {"plate": SECRET}),  # goes to quarantine
        ("ptuj/parking/p1/telemetry", f'{{"plate": "{SECRET}", "occupied": tr'.encode()),  # cut off
        ("application/1/device/24e124fffe00a1b2/event/up", eui | {"object": {"busy": True, "car": {"plate": SECRET}}}),
        ("ptuj/hydrant/h1/telemetry", {"time": "2026-03-02T05:00:00Z", "pressure_kpa": 400, "note": "CONTROL-77"}),
    ]
    asyncio.run(Ingestion(home, lambda: NOW).run(0.1))  # there is a session from now on
    publish(broker.port, said)
    asyncio.run(Ingestion(home, lambda: NOW).run(0.3))
    result = CliRunner().invoke(app, ["--home", str(home.path), "backup", str(tmp_path / "backup")])
    assert result.exit_code == 0, result.output
    everything = _everything(tmp_path)
    for hidden in (SECRET, MAC):
        assert hidden not in everything
    assert everything.count("CONTROL-77") >= 4  # raw and extra, in the home and in the backup: the search finds
    assert '"lane":2' in everything
    assert "must not be kept" in everything


def _everything(folder: Path) -> str:
    """Every byte of every file; Parquet files and journals also unpacked."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.append(path.read_bytes().decode("latin-1"))
            if path.suffix == ".parquet":
                frame = pl.read_parquet(path, hive_partitioning=False)
                found += [repr(row) for row in frame.rows()]
        elif any(path.glob("*.sqlite")) and path.parent.name == "journal":
            found += [repr(row.batch.to_pydict()) for row in Reader(path).read(0, 10**6)]
    return "\n".join(found)
