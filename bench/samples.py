"""Every recorded payload through `drava decode`: what becomes of each file, and the table of it.

    python -m bench.samples [../shared/payloads] [--lines]

Which codec and which device type read a file follows from its folder and name: nothing is taken from its content.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from typer import Typer
from typer.testing import CliRunner

from commands import decode

SAMPLES = Path(__file__).parents[2] / "shared" / "payloads"
CODECS = {"chirpstack_v4": "chirpstack", "tts_v3": "tts", "wmbus": "wmbusmeters"}
TYPES = {  # a piece of a file's name, and the device type that it stands for
    "em310udl": "milesight_em310_udl",
    "em400tld": "milesight_em400_tld",
    "em400_mud": "milesight_em400_mud",
    "em300di": "milesight_em300_di",
    "em500swl": "milesight_em500_swl",
    "em500_swl": "milesight_em500_swl",
    "em500pp": "milesight_em500_pp",
    "r72624": "netvox_r72624",
    "bosch": "bosch_tps110",
    "nwave": "nwave_g4",
    "kamstrup": "kamstrup_flowiq",
    "nas_ul20xx": "nas_ul20xx",
    "axioma": "axioma_qalcosonic_w1",
    "qalcosonic": "axioma_qalcosonic_w1",
    "ldds75": "dragino_ldds75",
    "pcr2": "parametric_pcr2",
    "am319": "AM319",
    "ct101": "CT101",
    "em4301": "EM4301",
}
DECENTLAB = re.compile(r"decentlab_dl-(\w+)|_dl(\w+)\.", re.IGNORECASE)
Line = dict[str, Any]


def device_type(name: str) -> str | None:
    """The device type that a file's name tells."""
    found = next((known for piece, known in TYPES.items() if piece in name.lower()), None)
    decentlab = DECENTLAB.search(name)
    return found or (f"decentlab_dl_{(decentlab[1] or decentlab[2]).lower()}" if decentlab else None)


def arguments(file: Path) -> list[str]:
    """The options of `drava decode` for one file."""
    named = device_type(file.name)
    codec = CODECS.get(file.parent.name)
    if file.parent.name == "other_lns":
        codec = file.name.split("_")[0]
    model = ["--model", named] if named else []
    return ["--codec", codec or "frames", *model]


def lines(file: Path) -> list[Line]:
    """What `drava decode` prints of a file."""
    app = Typer()
    decode.add(app)
    app.callback()(lambda: None)
    done = CliRunner().invoke(app, ["decode", *arguments(file), str(file)])
    if done.exception:
        raise done.exception
    return [json.loads(line) for line in done.stdout.splitlines()]


def kind(line: Line) -> str:
    """Reading, housekeeping, or the reason it is rejected for."""
    return str(line.get("rejected") or ("housekeeping" if "housekeeping" in line else "reading"))


def files(samples: Path) -> list[Path]:
    """The files of the formats that are read."""
    folders = (*CODECS, "other_lns", "decoded_objects", "ttn_codecs")
    return [file for folder in folders for file in sorted((samples / folder).glob("*")) if file.is_file()]


def table(samples: Path) -> dict[str, Counter[str]]:
    """By folder: files, readings, housekeeping and rejected lines by reason."""
    found: dict[str, Counter[str]] = {}
    for file in files(samples):
        counts = found.setdefault(file.parent.name, Counter())
        counts["files"] += 1
        counts.update(kind(line) for line in lines(file))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("samples", nargs="?", type=Path, default=SAMPLES)
    options.add_argument("--lines", action="store_true", help="each file with its command and what it printed")
    asked = options.parse_args()
    if asked.lines:
        for file in files(asked.samples):
            print(f"$ drava decode {' '.join(arguments(file))} {file.parent.name}/{file.name}")
            for line in lines(file):
                print(json.dumps(line, ensure_ascii=False)[:400])
        return
    found = table(asked.samples)
    columns = ["files", "reading", "housekeeping"]
    columns += sorted({name for counts in found.values() for name in counts} - set(columns))
    print(" ".join(["folder".ljust(16), *(column.rjust(13) for column in columns)]))
    for folder, counts in (*found.items(), ("all", sum(found.values(), Counter()))):
        print(" ".join([folder.ljust(16), *(str(counts[column]).rjust(13) for column in columns)]))


if __name__ == "__main__":
    main()
