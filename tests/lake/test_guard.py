"""Proves that SQL over the lake reaches nothing but its snapshot, writes nothing, and ends in time."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from lake.query import ask, open_snapshot, stream
from schemas.errors import DravaError
from schemas.settings import load
from tests.lake.homes import SETTINGS, TestHome, reading

ROOT = Path(__file__).resolve().parents[2]


def build(path):
    made = TestHome(path)
    made.add("hydrant", [reading("h1", "2026-03-01T10:00", pressure_kpa=1.0)])
    (made.path / "catalog" / "catalog.sqlite").write_bytes(b"SQLite format 3\x00")
    made.publish()
    return made


@pytest.fixture
def home(tmp_path):
    return build(tmp_path / "home")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    return build(tmp_path_factory.mktemp("attacked") / "home")


@pytest.fixture(scope="module")
def con(attacked):
    with open_snapshot(attacked.path) as connection:
        yield connection


HOSTILE = [
    "COPY (SELECT 1) TO '{file}' (FORMAT parquet, USE_TMP_FILE false)",
    "copy hydrant to '{file}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "explain /* x */ analyze copy (select 1) to '{file}' (use_tmp_file false)",
    "EXPLAIN (ANALYZE, FORMAT JSON) COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "PREPARE p AS COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "SELECT 1; COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "COPY (PIVOT (SELECT 1 AS a) ON a) TO '{file}' (USE_TMP_FILE false)",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('{home}/catalog/catalog.sqlite')",
    "SELECT * FROM read_blob('{home}/catalog/catalog.sqlite')",
    "SELECT * FROM '{home}/drava.toml'",
    "SELECT * FROM '{home}/published/current.json'",
    "SELECT * FROM read_parquet('{home}/lake/*/*/*.parquet')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{file}''')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "ATTACH '{home}/catalog/catalog.sqlite' AS c",
    "ATTACH '/tmp/made.duckdb'",
    "ATTACH ':memory:' AS m",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/evil.duckdb_extension'",
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT getenv('HOME')",
    "SELECT * FROM outside",
    "EXPORT DATABASE '/tmp/made'",
    "IMPORT DATABASE '/tmp/made'",
    "SET enable_external_access = true",
    "SET GLOBAL threads = 64",
    "RESET memory_limit",
    "PRAGMA enable_profiling = 'json'",
    "CALL enable_logging(storage = 'file', storage_path = '/tmp/made')",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '/tmp/made')",
    "SELECT * FROM enable_profiling(save_location = '/tmp/made')",
    "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'x')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "CHECKPOINT",
    "VACUUM",
]


def lake_file(home):
    return next((home.path / "lake" / "hydrant").rglob("*.parquet"))


@pytest.mark.parametrize("query", HOSTILE)
def test_a_connection_refuses_what_reaches_beyond_its_snapshot(attacked, con, query):
    outside = pa.table({"secret": [1]})
    file = lake_file(attacked)
    before = file.read_bytes()
    try:
        found = con.execute(query.format(file=file, home=attacked.path)).fetchall()
    except (DravaError, con_errors()):
        found = None
    assert found is None, found
    assert file.read_bytes() == before
    assert not Path("/tmp/made").exists()
    assert outside.num_rows == 1
    assert con.execute("SELECT count(*) FROM hydrant").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "query",
    [
        *HOSTILE,
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW hydrant2 AS SELECT 1",
        "DROP VIEW hydrant",
        "SELECT * FROM read_parquet('{file}')",
        "SELECT * FROM parquet_metadata('{file}')",
        "SELECT 1 WHERE EXISTS (FROM read_csv('/etc/passwd'))",
        "WITH x AS (SELECT * FROM duckdb_settings()) SELECT * FROM x",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT * FROM query_table('hydrant')",
        "SELECT 1; SELECT 2",
        "",
        "   -- nothing",
        "EXPLAIN CREATE TABLE t AS SELECT 1",
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    ],
)
def test_a_question_is_one_select_over_the_views(attacked, con, query):
    with pytest.raises(DravaError) as raised:
        list(stream(ask(con, query.format(file=lake_file(attacked), home=attacked.path)), 10)[1])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM hydrant",
        "FROM hydrant SELECT device_id",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "SHOW TABLES",
        "DESCRIBE hydrant",
        "SUMMARIZE hydrant",
        "VALUES (1)",
        "EXPLAIN SELECT * FROM hydrant",
        "EXPLAIN ANALYZE SELECT * FROM hydrant",
        "SELECT * FROM range(3)",
        "SELECT unnest([1, 2])",
        "SELECT * FROM (SELECT pressure_kpa FROM hydrant) PIVOT (count(*) FOR pressure_kpa IN (1.0))",
        "SELECT table_name FROM information_schema.tables",
        "SELECT device_id FROM hydrant;",
    ],
)
def test_what_analysts_write_is_allowed(con, query):
    assert list(stream(ask(con, query), 10)[1])


def con_errors():
    import duckdb  # noqa: PLC0415 - only its exceptions

    return duckdb.Error


def test_a_notebook_may_keep_tables_of_its_own_in_memory(con):
    con.execute("CREATE TEMP TABLE mine AS SELECT device_id FROM hydrant")
    con.register("frame", pa.table({"device_id": ["h1"]}))
    assert con.sql("SELECT count(*) FROM mine JOIN frame USING (device_id)").fetchall() == [(1,)]
    assert con.cursor().execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(DravaError):
        con.cursor().execute("COPY (SELECT 1) TO '/tmp/made'")


ENDLESS = "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range * b.range = -1"


@pytest.mark.parametrize("way", ["execute", "ask"])
def test_a_query_that_takes_too_long_is_stopped(home, way):
    settings = load(home.path / "drava.toml")
    settings = settings.model_copy(update={"query": settings.query.model_copy(update={"seconds": 1})})
    with open_snapshot(home.path, settings=settings) as con:
        began = time.monotonic()
        if way == "ask":
            with pytest.raises(DravaError, match="too long"):
                list(stream(ask(con, ENDLESS), 10)[1])
        else:
            with pytest.raises(con_errors(), match="Interrupted"):
                con.execute(ENDLESS)
        assert time.monotonic() - began < 20
        assert con.execute("SELECT 1").fetchall() == [(1,)]


def test_a_query_that_needs_too_much_memory_says_so(home):
    (home.path / "drava.toml").write_text(SETTINGS.replace("512", "64"))
    with open_snapshot(home.path) as con, pytest.raises(DravaError, match="memory"):
        list(stream(ask(con, "SELECT list(range::VARCHAR || repeat('x', 100)) FROM range(9000000)"), 10)[1])


SECOND_USER = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from lake.query import ask, open_snapshot, stream
home = Path({home!r})
open_snapshot(home).close()  # the interpreter's own files may be closed to the second user: all is imported before
os.setgroups([]); os.setgid({gid}); os.setuid({uid})
for folder in (home, home / "published", home / "lake" / "hydrant"):
    try:
        (folder / "mine").write_text("x")
        sys.exit("could write into " + str(folder))
    except PermissionError:
        pass
try:
    list((home / "catalog").iterdir())
    sys.exit("could read the catalogue")
except PermissionError:
    pass
con = open_snapshot(home)
print(con.execute("SELECT count(*) FROM hydrant").fetchone()[0])
print(sum(b.num_rows for b in stream(ask(con, "SELECT * FROM areas"), 10)[1]))
"""


def run_python(script):
    return subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd="/", timeout=60
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a second Unix user")
def test_a_second_unix_user_with_the_right_to_read_can_ask(home, tmp_path_factory):
    gid = uid = 65534
    home.put("areas", [{"area_id": "d1", "title": "Breg"}])
    home.publish()
    place = Path("/tmp") / f"drava-second-{os.getpid()}"  # the test folders above tmp_path are closed to others
    shutil.copytree(home.path, place)
    try:
        for path in [place, *place.rglob("*")]:
            os.chown(path, 0, gid)
            path.chmod(0o750 if path.is_dir() else 0o640)
        (place / "catalog").chmod(0o700)
        script = SECOND_USER.format(uid=uid, gid=gid, root=str(ROOT), home=str(place))
        done = run_python(script)
        assert (done.returncode, done.stdout.split()) == (0, ["1", "1"]), done.stderr
        (place / "published").chmod(0o700)
        os.chown(place / "published", 0, 0)
        done = run_python(script)
        assert "group that owns the home" in done.stderr
    finally:
        shutil.rmtree(place)
