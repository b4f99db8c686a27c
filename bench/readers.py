"""One table of a home's lake, read by four independent readers: equal counts and sums.

python bench/readers.py HOME [TABLE] [COLUMN]
"""

import sys
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq
import stage  # noqa: F401 - makes the rooms importable
from deltalake import DeltaTable

import drava as library


def main(home: Path, table: str = "water_meter", column: str = "volume_total_m3") -> None:
    folder = home / "lake" / table
    lazy = pl.scan_delta(str(folder)).select(pl.len(), pl.col(column).sum()).collect()
    files = DeltaTable(folder).file_uris()
    plain = duckdb.connect().execute(f"SELECT count(*), sum({column}) FROM read_parquet(?)", [files]).fetchall()[0]
    ours = library.connect(home).execute(f"SELECT count(*), sum({column}) FROM {table}_revisions").fetchall()[0]
    found = {"polars scan_delta": lazy.row(0), "deltalake + plain DuckDB": plain, "drava.connect": ours}
    for name, (count, total) in found.items():
        print(f"{name:26} {count:>10,} rows  sum {total}")
    one = pq.read_table(files[0], partitioning=None)
    there = duckdb.connect().execute(f"SELECT count(*), sum({column}) FROM read_parquet(?)", [files[:1]]).fetchall()[0]
    alone = (one.num_rows, pc.sum(one[column]).as_py())
    print(f"{'one file by pyarrow':26} {alone[0]:>10,} rows  sum {alone[1]}  (DuckDB: {there[0]:,}, {there[1]})")
    sys.exit(len({(int(c), t) for c, t in found.values()}) != 1 or alone != there)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
