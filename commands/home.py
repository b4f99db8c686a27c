"""`drava init`, `drava version`: a home and what stands in it."""

import os
import secrets
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

import drava
from catalog.store import Store
from commands.context import context
from schemas.errors import DravaError
from schemas.settings import FOLDERS, FORMAT, SHARED, Home, load


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("init")(init)
    app.command("version")(version)


def version() -> None:
    """Print the version."""
    typer.echo(drava.__version__)


def init(
    ctx: typer.Context,
    home: Annotated[Path, typer.Argument(help="Folder to make.")],
    municipality: Annotated[str, typer.Option(help="First word of the topics: ptuj, maribor.")],
    broker: Annotated[str, typer.Option(help="mqtt://HOST:PORT or mqtts://HOST:PORT.")] = "mqtt://127.0.0.1:1883",
    lang: Annotated[str, typer.Option(help="Language of texts for people: sl or en.")] = "sl",
) -> None:
    """Make a home: settings, broker credentials with a random password, folders with tight permissions."""
    context(ctx)
    if (home / "drava.toml").exists():
        raise DravaError(f"{home} is a Drava home already", "Choose another folder, or use it as it is")
    if set("[]%*?") & set(str(home.resolve())):
        raise DravaError(f"the path {home} has one of [ ] % * ?", "Choose a path without: Delta tables cannot be there")
    template = (files("schemas") / "drava.toml").read_text("utf-8")
    text = template.replace("@MUNICIPALITY@", municipality).replace("@BROKER@", broker).replace("@LANG@", lang)
    if broker.startswith("mqtts://"):  # beyond this machine: with the user that `drava deploy` gives rights to
        text = text.replace('# username = "drava"  ', f'username = "drava-{municipality}"')
        text = text.replace('# password_file = "secrets/mqtt-password"', 'password_file = "secrets/mqtt-password"')
    _tried(text)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(SHARED)
    for name, mode in FOLDERS.items():
        (home / name).mkdir(exist_ok=True)
        (home / name).chmod(mode)
    _write(home / "secrets" / "mqtt-password", secrets.token_urlsafe(24) + "\n", 0o600)
    _write(home / "format", f"{FORMAT}\n", 0o640)
    _write(home / "drava.toml", text, 0o640)
    settings = Home(home).settings
    Store.at(home / "catalog").close()
    typer.echo(f"{home} is ready for {settings.municipality}.")
    if settings.broker.url.startswith("mqtt://") and not settings.broker.username:
        typer.echo(
            "Warning: the broker is used without a user name. That is for a broker on this machine alone; "
            "for any other set broker.username and a TLS listener (docs/operations.md)."
        )


def _tried(text: str) -> None:
    """Refuse wrong settings before there is a folder, which would be in the way of the next try."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "drava.toml"
        file.write_text(text, "utf-8")
        try:
            load(file)
        except DravaError as error:
            raise DravaError(error.what, "Nothing was made: say it otherwise (drava init --help)") from None


def _write(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
