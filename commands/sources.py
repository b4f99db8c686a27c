"""`drava sources add`: a network server's broker as a source, tested, with a bridge that keeps what it gets."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from commands.context import Json, context, show_json
from ingest.sources import KINDS, Source, Tried, attempt, bridge, file_name, route
from schemas.errors import DravaError
from schemas.settings import Broker, Home, Lang, load

FOLDER = "bridges"


class KindName(StrEnum):
    """The kinds that are known by name."""

    chirpstack = "chirpstack"
    tts = "tts"
    mqtt = "mqtt"


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    group = typer.Typer(help="Brokers of network servers, from which messages come.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("add")(add_source)
    app.add_typer(group, name="sources")


def add_source(
    ctx: typer.Context,
    kind: Annotated[KindName, typer.Argument(help="What publishes there.")],
    url: Annotated[str, typer.Option(help="Its broker: mqtt://HOST:PORT or mqtts://HOST:PORT.")],
    name: Annotated[str, typer.Option(help="A name for it; default: the kind.")] = "",
    username: Annotated[str, typer.Option(help="User there.")] = "",
    password_file: Annotated[str, typer.Option(help="File with the password, such as secrets/NAME in the home.")] = "",
    ca_file: Annotated[str, typer.Option(help="A private authority's certificate, for mqtts://.")] = "",
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help="Topics; default: those of the kind (repeatable).")
    ] = None,
    codec: Annotated[str, typer.Option(help="Which codec reads them; default: that of the kind.")] = "",
    listen: Annotated[float, typer.Option(min=0, max=3600, help="Seconds to listen, to check the codec.")] = 0,
    test: Annotated[bool, typer.Option(help="Connect to it as the bridge will.")] = True,
    as_json: Json = False,
) -> None:
    """Test a network server's broker, write the bridge that fetches it, and the routes to its codec."""
    run = context(ctx)
    home = run.home
    settings = home.settings
    known = KINDS[kind.value]
    try:
        broker = Broker(url=url, username=username, password_file=password_file, ca_file=ca_file)
    except ValidationError as error:
        raise DravaError(f"--url {url!r}: {error.errors()[0]['msg']}", "Write it like mqtts://HOST:8883") from None
    source = Source(name or kind.value, known, broker, tuple(filters or known.filters), codec or known.codec, home.path)
    source.check()
    routes = route(source, [(one.filter, one.codec) for one in settings.route])
    tried = attempt(source, listen) if test else None
    file = _write(home, source)
    if routes:
        _append(home, routes)
    if as_json:
        show_json(_document(source, tried, file, routes))
    else:
        _tell(source, tried, file, settings.lang, settings.municipality, routes=bool(routes))


def _write(home: Home, source: Source) -> Path:
    """A file for the owner alone: it holds the password."""
    municipality = home.settings.municipality
    folder = home.path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / file_name(source, municipality)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(bridge(source, municipality), "utf-8")
    return file


def _append(home: Home, routes: str) -> None:
    """Add to drava.toml; a file that would not be read is left as it was."""
    before = home.file.read_text("utf-8")
    home.file.write_text(before.rstrip("\n") + "\n" + routes, "utf-8")
    try:
        load(home.file)
    except DravaError:
        home.file.write_text(before, "utf-8")
        raise


def _document(source: Source, tried: Tried | None, file: Path, routes: str) -> dict[str, object]:
    return {
        "name": source.name,
        "granted_qos": tried.granted if tried else None,
        "heard": [{"topic": topic, "qos": qos, "codec": word} for topic, qos, word in tried.heard] if tried else None,
        "bridge": str(file),
        "routes_added": bool(routes),
        "promise": source.kind.promise["en"],
        "better": source.kind.better["en"],
    }


TEXTS = {
    "en": {
        "granted": "granted: {filter} at QoS {qos}",
        "heard": "heard:   {topic} at QoS {qos}: {word}",
        "silent": "Nothing was heard: either nothing is published there, or under other topics.",
        "bridge": "written: {file}",
        "routes": "written: routes to codec {codec} in drava.toml; restart drava ingest",
        "steps": "Then, as root at our own broker:",
        "rights": "Where it has an ACL, let Drava read them, in /etc/mosquitto/drava.acl below `user drava-{town}`:",
        "kept": "From the bridge on nothing is lost: with Drava away, Mosquitto queues it and keeps it over a restart.",
        "missing": "Frames that did not come are told by their counters: drava balance, and missing_frames() in SQL.",
    },
    "sl": {
        "granted": "dovoljeno: {filter} s QoS {qos}",
        "heard": "prejeto:   {topic} s QoS {qos}: {word}",
        "silent": "Ni bilo nobenega sporočila: ali tam nihče ne objavlja ali pa pod drugimi temami.",
        "bridge": "zapisano:  {file}",
        "routes": "zapisano:  poti do dekodirnika {codec} v drava.toml; znova zaženite drava ingest",
        "steps": "Nato kot root pri lastnem posredniku:",
        "rights": "Kjer ima ACL, dovolite Dravi branje, v /etc/mosquitto/drava.acl pod `user drava-{town}`:",
        "kept": "Od mostu naprej se nič ne izgubi: ko Drave ni, Mosquitto čaka z njimi, tudi čez ponovni zagon.",
        "missing": "Okvirje, ki niso prišli, pokažejo njihovi števci: drava balance in missing_frames() v SQL.",
    },
}


def _tell(source: Source, tried: Tried | None, file: Path, lang: Lang, town: str, *, routes: bool) -> None:
    texts = TEXTS[lang]
    for one, qos in tried.granted.items() if tried else ():
        typer.echo(texts["granted"].format(filter=one, qos=qos))
    for topic, qos, word in tried.heard if tried else ():
        typer.echo(texts["heard"].format(topic=_shown(topic), qos=qos, word=_shown(word)))
    typer.echo(texts["bridge"].format(file=file))
    if routes:
        typer.echo(texts["routes"].format(codec=source.codec))
    typer.echo(f"\n{texts['steps']}")
    typer.echo(f"  install -o root -g mosquitto -m 0640 {file} /etc/mosquitto/conf.d/")
    typer.echo("  systemctl restart mosquitto")
    typer.echo(texts["rights"].format(town=town))
    for one in source.filters:
        typer.echo(f"  topic read {one}")
    typer.echo("")
    for line in (source.kind.promise[lang], source.kind.better[lang], texts["kept"], texts["missing"]):
        typer.echo(line)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
