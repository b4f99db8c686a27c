"""`drava assets`: registers come from what people have, changes are shown before, dated, and can be taken back."""

import io
import json
from datetime import UTC, datetime

import pytest
import typer
import xlsxwriter
from typer.testing import CliRunner

from commands import assets, devices, home, lake
from commands.context import Context
from devices.kinds import kinds
from lake.query import mentioned, open_snapshot
from schemas.errors import DravaError


@pytest.fixture
def drava(tmp_path, monkeypatch):
    """The commands on a new home; gives the result of one run."""
    app = typer.Typer()
    for topic in (assets, devices, home, lake):
        topic.add(app)

    @app.callback()
    def options(ctx: typer.Context):
        ctx.obj = Context(path=tmp_path / "home", as_of=datetime(2026, 3, 1, tzinfo=UTC))

    def run(*words: str):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if isinstance(done.exception, Exception):
            raise done.exception
        return done

    monkeypatch.setenv("COLUMNS", "200")
    assert run("init", str(tmp_path / "home"), "--municipality", "ptuj", "--lang", "en").exit_code == 0
    return run


@pytest.fixture
def write(tmp_path):
    def written(name: str, content: str | bytes, encoding: str = "utf-8"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return file

    return written


@pytest.fixture
def ask(tmp_path):
    def asked(query: str):
        with open_snapshot(tmp_path / "home", tables=mentioned(query)) as found:
            return found.execute(query).fetchall()

    return asked


def sheet(rows) -> bytes:
    body = io.BytesIO()
    with xlsxwriter.Workbook(body) as book:
        day = book.add_format({"num_format": "d. m. yyyy"})
        page = book.add_worksheet()
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, datetime):
                    page.write_datetime(line, column, value, day)
                elif value is not None:
                    page.write(line, column, value)
    return body.getvalue()


ROADS = (
    "road_id;title;category;length_m;valid_from\n"
    "LC-1;Grajena;local;2.410,5;1. 1. 2024\n"
    "LC-2;Žabjek;local;950,0;1. 1. 2024\n"
)


def test_the_template_of_every_kind_is_imported_asked_and_exported_as_it_came(drava, write, ask):
    for name, kind in kinds().items():  # those that others refer to come first
        drava("assets", "import", name, write("in.csv", drava("assets", "template", name, "--excel").stdout_bytes))
        for form, file in (("excel-csv", "out.csv"), ("geojson", "out.geojson"))[: 2 if kind.geometry else 1]:
            out = write(file, drava("assets", "export", name, "--format", form).stdout_bytes)
            again = json.loads(drava("assets", "import", name, out, "--json").stdout)
            assert (again["import"], again["changes"]) == (0, []), (name, form)
        there = ask(f"SELECT count(DISTINCT {kind.key}) FROM {kind.dated_table} WHERE valid_to IS NULL")
        assert there == [(len(kind.example),)]


def test_a_correction_is_dated_and_the_earlier_value_stays_askable(drava, write, ask):
    drava("assets", "import", "road", write("roads.csv", ROADS, "cp1250"))
    changed = write("more.csv", "road_id,length_m,valid_from\nLC-1,2500,2025-06-01\n")
    said = drava("assets", "import", "road", changed, "--why", "geodetska izmera").stdout
    assert "~ Roads LC-1 from 2025-06-01: length_m 2410.5 → 2500.0" in said
    spans = "SELECT length_m, valid_from::DATE::VARCHAR, valid_to IS NULL FROM register_roads"
    assert ask(f"{spans} WHERE road_id = 'LC-1' ORDER BY 2") == [
        (2410.5, "2023-12-31", False),
        (2500, "2025-05-31", True),
    ]
    then = json.loads(drava("assets", "list", "road", "--on", "2025-01-01", "--json").stdout)
    now = json.loads(drava("assets", "list", "road", "--json").stdout)
    assert [[row["length_m"] for row in rows] for rows in (then, now)] == [[2410.5, 950], [2500, 950]]
    (last, first) = json.loads(drava("devices", "history", "--json").stdout)
    assert (last["source"], last["why"], first["source"]) == ("more.csv", "geodetska izmera", "roads.csv")


def test_a_change_without_a_date_is_refused_and_says_what_is_registered(drava, write):
    drava("assets", "import", "road", write("roads.csv", ROADS))
    undated = write("more.csv", "road_id,length_m,lit\nLC-1,2500,\nLC-2,,yes\n")
    done = drava("assets", "import", "road", undated)
    assert done.exit_code == 2
    assert "line 2, length_m '2500.0': another value is registered: 2410.5; a change needs its date" in done.stderr
    assert drava("assets", "import", "road", undated, "--from", "1. 6. 2025").exit_code == 0


def test_a_dry_run_says_what_would_change_and_changes_nothing(drava, write, ask):
    drava("assets", "import", "road", write("roads.csv", ROADS))
    file = write(
        "more.csv",
        "road_id,length_m,valid_from,valid_to\nLC-1,2500,2025-06-01,\nLC-2,,2024-01-01,2025-01-01\n"
        "LC-3,10,2026-01-01,\n",
    )
    said = drava("assets", "import", "road", file, "--dry-run").stdout
    assert said.splitlines() == [
        "roads: 1 added, 2 changed, 0 removed",
        "~ Roads LC-1 from 2025-06-01: length_m 2410.5 → 2500.0",
        "ended Roads LC-2 from 2025-01-01",
        "+ Roads LC-3 from 2026-01-01: length_m 10.0",
        "Nothing was changed: this was a dry run.",
    ]
    assert ask("SELECT count(*) FROM register_roads") == [(2,)]
    assert len(json.loads(drava("devices", "history", "--json").stdout)) == 1
    drava("assets", "import", "road", file)
    assert ask("SELECT road_id FROM register_roads WHERE valid_to IS NULL ORDER BY 1") == [("LC-1",), ("LC-3",)]


def test_an_import_of_objects_is_undone_and_an_undo_too(drava, write, ask):
    drava("assets", "import", "road", write("roads.csv", ROADS))
    before = ask("SELECT * FROM register_roads ORDER BY ALL")
    drava(
        "assets",
        "import",
        "road",
        write("bad.csv", "road_id,length_m,valid_from\nLC-1,1,2024-01-01\nLC-9,5,2024-01-01\n"),
    )
    wrong = ask("SELECT * FROM register_roads ORDER BY ALL")
    drava("devices", "undo", "2", "--why", "napačna datoteka")
    assert ask("SELECT * FROM register_roads ORDER BY ALL") == before
    drava("devices", "undo", "3")
    assert ask("SELECT * FROM register_roads ORDER BY ALL") == wrong
    with pytest.raises(DravaError, match="no import 77"):
        drava("devices", "undo", "77")


def test_an_import_that_a_later_one_changed_again_is_not_undone(drava, write):
    drava("assets", "import", "road", write("roads.csv", ROADS))
    drava("assets", "import", "road", write("a.csv", "road_id,length_m,valid_from\nLC-1,1,2024-01-01\n"))
    drava("assets", "import", "road", write("b.csv", "road_id,length_m,valid_from\nLC-1,2,2024-01-01\n"))
    done = drava("devices", "undo", "2")
    assert done.exit_code == 2
    assert "Undo that one first: drava devices undo 3" in done.stderr
    drava("devices", "undo", "3")
    assert drava("devices", "undo", "2").exit_code == 0


def test_a_workbook_is_read_as_excel_shows_it(drava, write, ask):
    rows = [
        ["Bin ID", "waste_site_id", "waste", "capacity_l", "serial", "valid_from"],
        ["b-1", "s-1", "Paper", 1100.5, 240212345678901, datetime(2025, 3, 1)],  # noqa: DTZ001 - a cell has no zone
        ["b-2", "s-1", "glass", "1.250,5", None, datetime(2025, 3, 1, 8, 30)],  # noqa: DTZ001
    ]
    drava("assets", "import", "waste_site", write("sites.xlsx", sheet([["waste_site_id"], ["s-1"]])))
    drava("assets", "import", "bin", write("bins.xlsx", sheet(rows)))
    columns = "bin_id, waste, capacity_l, epoch(valid_from)::BIGINT, attributes"
    assert ask(f"SELECT {columns} FROM register_bins ORDER BY 1") == [
        ("b-1", "paper", 1100.5, 1740783600, '{"serial": 240212345678901}'),
        ("b-2", "glass", 1250.5, 1740814200, "{}"),
    ]
    rows[2][1] = "nowhere"
    rows[1][2] = "gold"
    done = drava("assets", "import", "bin", write("bins.xlsx", sheet(rows)))
    assert done.exit_code == 2
    assert "line 2, waste 'gold'" in done.stderr


SQUARE = [[15.86, 46.41], [15.88, 46.41], [15.88, 46.43], [15.86, 46.41]]


def layer(*features, indent=None):
    return json.dumps({"type": "FeatureCollection", "features": list(features)}, indent=indent, ensure_ascii=False)


def feature(shape, coordinates, **properties):
    return {"type": "Feature", "properties": properties, "geometry": {"type": shape, "coordinates": coordinates}}


def test_areas_go_in_and_out_as_geojson(drava, write, ask, tmp_path):
    one = feature("Polygon", [SQUARE], area_id="center", title="Središče", population=2350, population_note=None)
    drava("areas", "import", write("areas.geojson", layer(one, indent=1)))
    assert ask("SELECT area_id, title, population FROM areas") == [("center", "Središče", 2350)]
    assert json.loads(ask("SELECT geometry FROM areas")[0][0])["coordinates"] == [SQUARE]
    out = tmp_path / "out.geojson"
    drava("areas", "export", "--output", out)
    (again,) = json.loads(out.read_text("utf-8"))["features"]
    assert (again["geometry"]["coordinates"], again["properties"]["population"]) == ([SQUARE], 2350)


def test_a_line_brings_its_length_and_a_point_its_place(drava, write, ask):
    pipe = feature(
        "LineString", [[15.87, 46.42], [15.87, 46.429]], network_segment_id="V-1", network="water", area="north"
    )
    drava("assets", "import", "network_segment", write("pipes.geojson", layer(pipe)))
    assert ask("SELECT length_m, area_id FROM register_network_segments") == [(1000.8, "north")]
    drava("assets", "import", "hydrant", write("h.geojson", layer({**feature("Point", [15.87, 46.42]), "id": "h-1"})))
    assert ask("SELECT hydrant_id, lat, lon FROM register_hydrants") == [("h-1", 46.42, 15.87)]
    assert ask("SELECT area_id FROM areas") == [("north",)]  # made when it was first named


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (layer(feature("Polygon", [SQUARE[:2]], area_id="a"), indent=1), "line 4, geometry: this geometry cannot"),
        (layer(feature("Polygon", [[[570123.0, 142345.0]] * 4], area_id="a")), "WGS 84"),
        (layer(feature("Point", [15.8, 46.4], area_id="a")), "polygon"),
        ('{"type": "Topology"}', "FeatureCollection"),
        ("{", "FeatureCollection"),
        ("[" * 100_000, "recursion"),
        (layer(feature("Polygon", [SQUARE], title="x")), "area_id"),
    ],
)
def test_what_is_no_layer_of_areas_is_refused_with_its_line(drava, write, wrong, says):
    done = drava("areas", "import", write("areas.geojson", wrong))
    assert done.exit_code == 2
    assert says in done.stderr
    assert json.loads(drava("areas", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("r.csv", "road_id;length_m\nx;1\n".encode("utf-16-le"), "NUL"),
        ("r.csv", b"\xff\xfe\x00\xd8\x00", "neither UTF-8 nor"),
        ("r.xlsx", b"PK\x03\x04 this is no workbook", "not an Excel workbook"),
        ("r.xlsx", b"", "not an Excel workbook"),
        ("r.csv", b"road_id;lenght_m\nx;1\n", "looks like length_m"),
        ("r.csv", b"road_id;lastnik;length_m\nx;Ana;1\n", "personal names"),
        ("r.csv", b"road_id;length_m\nx;\n", "length_m: a required cell is empty"),
        ("r.csv", b"road_id;length_m\nx;1\nx;2\n", "line 3, road_id 'x': the same object"),
        ("r.csv", b"road_id;length_m;valid_from;valid_to\nx;1;2025-01-01;2024-01-01\n", "valid_to is not after"),
    ],
)
def test_hostile_and_mistaken_files_are_refused_with_the_mend(drava, write, name, data, says):
    done = drava("assets", "import", "road", write(name, data))
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Nothing was imported" in done.stderr
    assert json.loads(drava("assets", "list", "road", "--json").stdout) == []


def test_utf_16_of_excel_is_read_and_a_million_rows_are_refused_at_once(drava, write):
    assert drava("assets", "import", "road", write("r.csv", ROADS.replace(";", "\t"), "utf-16")).exit_code == 0
    many = b"road_id,length_m\n" + b"r,1\n" * 1_000_000
    done = drava("assets", "import", "road", write("many.csv", many))
    assert done.exit_code == 2
    assert "more than 200000 rows" in done.stderr


def test_a_formula_leaves_as_a_text_and_comes_back_as_it_was(drava, write):
    title = '=HYPERLINK("http://x")'
    drava("assets", "import", "monument", write("m.csv", 'monument_id,title\n@m,"=HYPERLINK(""http://x"")"\n-7,+\n'))
    out = drava("assets", "export", "monument", "--format", "excel-csv").stdout_bytes
    cells = [cell.strip('"') for line in out.decode("utf-8-sig").splitlines()[1:] for cell in line.split(";")]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@") and cell != "-7"]
    assert json.loads(drava("assets", "import", "monument", write("out.csv", out), "--json").stdout)["changes"] == []
    assert title in {row["title"] for row in json.loads(drava("assets", "list", "monument", "--json").stdout)}


def test_references_are_there_before_they_are_named(drava, write):
    done = drava("assets", "import", "luminaire", write("l.csv", "luminaire_id;cabinet_id\nl1;c1\n"))
    assert done.exit_code == 2
    assert "there is no such cabinet in the registry" in done.stderr


def test_kinds_are_listed_with_what_is_in_service(drava, write):
    drava("assets", "import", "road", write("r.csv", ROADS))
    found = {row["kind"]: row for row in json.loads(drava("assets", "kinds", "--json").stdout)}
    assert (found["road"]["in_service"], found["road"]["table"]) == (2, "register_roads")
    with pytest.raises(DravaError, match="no kind 'lamp'"):
        drava("assets", "list", "lamp")
