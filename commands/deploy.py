"""`drava deploy`: what a server needs to run Drava for years, written where systemd and Mosquitto look for it."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

import typer

from commands.context import context
from schemas.errors import DravaError
from schemas.settings import NAME, Settings, load

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "deploy"
BROKER = ROOT / "mosquitto.conf"
PROGRAM = "/opt/drava/bin/drava"
_DEFAULT = Settings.model_fields["timezone"].default
_CLOCK = re.compile(rf"^OnCalendar=(?P<when>.*) {re.escape(_DEFAULT)}$", re.MULTILINE)
_DEVELOPMENT = re.compile(r"^# --- [^\n]*development.*?(?=^# --- )", re.MULTILINE | re.DOTALL)

STEPS = """
Then, as root:
  systemd-sysusers && systemctl daemon-reload
  install -d -o drava -g drava -m 0750 /var/lib/drava
  install -d -o drava -g drava -m 0700 /var/backups/drava /var/backups/drava/{name}
  runuser -u drava -- {program} init /var/lib/drava/{name} --municipality {name} --broker mqtts://HOST:8883
  touch /etc/mosquitto/drava.passwd && chown root:mosquitto /etc/mosquitto/drava.* && chmod 0640 /etc/mosquitto/drava.*
  mosquitto_passwd -b /etc/mosquitto/drava.passwd drava-{name} "$(cat /var/lib/drava/{name}/secrets/mqtt-password)"
  systemctl restart mosquitto
  systemctl enable --now drava-{{ingest,alarms}}@{name}.service
  systemctl enable --now drava-{{detectors,indicators,morning,export,backup,maintain}}@{name}.timer
  runuser -u drava -- {program} --home /var/lib/drava/{name} doctor --broker-conf /etc/mosquitto/conf.d/drava.conf
"""


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("deploy")(deploy)


def deploy(
    ctx: typer.Context,
    root: Annotated[Path, typer.Argument(help="/ for this machine, or a folder to look at first.")],
    municipality: Annotated[str, typer.Option(help="Name of the home and first word of its topics: ptuj, maribor.")],
    timezone: Annotated[
        str, typer.Option(help="The clock of what is due at a time of day; default: the home's, where it is there.")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Also files that are there and differ.")] = False,
) -> None:
    """Write systemd units, their user, and Mosquitto's configuration with TLS and rights; say what to do then."""
    context(ctx)
    if not re.match(NAME, municipality):
        raise DravaError(f"{municipality!r} is no name of a municipality", "Small letters, digits, - and _")
    program = str(Path(sys.prefix) / "bin" / "drava")
    zone = _zone(timezone, root / "var" / "lib" / "drava" / municipality)
    for path, text in files(municipality, program, zone).items():
        typer.echo(f"{_write(root / path, text, replace=replace):8} {root / path}")
    typer.echo(STEPS.format(name=municipality, program=program), nl=False)
    if program.startswith(("/home/", "/root/")):
        typer.echo(f"Warning: the units do not see {program}: install Drava outside of people's homes, /opt/drava.")


def _zone(wanted: str, home: Path) -> str:
    """The zone that is wanted, or the home's, or the one that a home has where its settings say nothing."""
    if wanted and wanted not in available_timezones():
        raise DravaError(f"{wanted!r} is not a time zone", f"Write it like {_DEFAULT}")
    file = home / "drava.toml"
    return wanted or (load(file).timezone if file.is_file() else _DEFAULT)


def files(municipality: str, program: str = PROGRAM, zone: str = "") -> dict[str, str]:
    """Everything that is written: path below the root -> contents."""
    found = {
        f"etc/systemd/system/{unit.name}": unit.read_text("utf-8").replace(PROGRAM, program)
        for unit in sorted([*SHIPPED.glob("*.service"), *SHIPPED.glob("*.timer")])
    }
    found |= dict(_by_the_clock(municipality, zone or _DEFAULT))
    found["etc/sysusers.d/drava.conf"] = (SHIPPED / "drava.sysusers").read_text("utf-8")
    found["etc/mosquitto/conf.d/drava.conf"] = production()
    rights = (SHIPPED / "mosquitto" / "drava.acl").read_text("utf-8")
    return found | {"etc/mosquitto/drava.acl": rights.replace("@MUNICIPALITY@", municipality)}


def _by_the_clock(municipality: str, zone: str) -> Iterator[tuple[str, str]]:
    """Of timers that go by a town's clock, what is this town's own: one machine may serve towns of several zones."""
    for unit in sorted(SHIPPED.glob("*.timer")):
        if found := _CLOCK.search(unit.read_text("utf-8")):
            name = unit.name.replace("@", f"@{municipality}")
            text = f"# The clock of {municipality}.\n[Timer]\nOnCalendar=\nOnCalendar={found['when']} {zone}\n"
            yield f"etc/systemd/system/{name}.d/zone.conf", text


def production() -> str:
    """Mosquitto's configuration with a TLS listener in the place of development's; to be included by Debian's own."""
    listener = (SHIPPED / "mosquitto" / "listener.conf").read_text("utf-8")
    _, _, rest = _DEVELOPMENT.sub("", BROKER.read_text("utf-8"), count=1).partition("\n\n")
    title = "# Mosquitto for Drava, written by `drava deploy`. docs/operations.md explains every line.\n\n"
    return f"{title}{rest.rstrip()}\n\n{listener}"


def _write(path: Path, text: str, *, replace: bool) -> str:
    """Write one file; gives what became of it. Rights at the broker are added to those of other municipalities."""
    try:
        there = path.read_text("utf-8", "replace") if path.exists() else None
        if there is not None and path.suffix == ".acl":
            text = there if text in there else f"{there.rstrip()}\n\n{text}"
        elif there not in {None, text} and not replace:
            return "differs"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        hint = "Run it as root, or name another folder"
        raise DravaError(f"{path} cannot be written: {error.strerror}", hint) from None
    return "written"
