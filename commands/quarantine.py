"""`drava quarantine`: what is kept because it cannot be read, why, what to do about it, and trying it again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from commands.context import Context, Json, context, show_json, show_rows
from ingest.replay import Wanted, replay
from ingest.writer import Writer
from lake.commit import Lake
from lake.query import open_snapshot
from schemas.errors import DravaError
from schemas.reasons import TEXTS, Reason
from schemas.settings import Lang
from schemas.vocabulary import Text

SHOWN_BYTES = 4096
LEAST_DIGITS = 6  # of a message's hash

REMEDIES: dict[Reason, Text] = {
    Reason.NO_ROUTE: Text(
        en="Add a [[route]] for this topic to drava.toml, or have the device publish on its own topic.",
        sl="V drava.toml dodajte [[route]] za to temo ali poskrbite, da naprava objavlja na svoji temi.",
    ),
    Reason.NOT_JSON: Text(
        en="Have the sender's format corrected; if the topic carries another format, add a [[route]] with its codec.",
        sl="Pošiljatelj naj popravi obliko; če tema prenaša drugo obliko, dodajte [[route]] z njenim dekodirnikom.",
    ),
    Reason.WRONG_SHAPE: Text(
        en="The sender must send one object, or an array of objects, each with its measures.",
        sl="Pošiljatelj mora poslati en objekt ali seznam objektov, vsakega s svojimi količinami.",
    ),
    Reason.WRONG_TYPE: Text(
        en="The sender must send numbers as numbers; the detail names the field.",
        sl="Pošiljatelj mora števila pošiljati kot števila; podrobnost navaja polje.",
    ),
    Reason.WRONG_UNIT: Text(
        en="The sender must use a unit of the measure's kind (UCUM code, for instance L or m3 for a volume).",
        sl="Pošiljatelj mora uporabiti enoto za to vrsto količine (koda UCUM, na primer L ali m3 za prostornino).",
    ),
    Reason.NO_MEASURE: Text(
        en="Check the names of the fields: drava catalog show FAMILY lists those of the family.",
        sl="Preverite imena polj: drava catalog show DRUŽINA našteje polja družine.",
    ),
    Reason.UNKNOWN_DEVICE: Text(
        en="Register the device (drava devices import), then: drava quarantine replay --reason unknown_device",
        sl="Napravo vpišite v register (drava devices import), nato: drava quarantine replay --reason unknown_device",
    ),
    Reason.WRONG_FAMILY: Text(
        en="Correct the family in the registry or the topic at the sender, then replay.",
        sl="Popravite družino v registru ali temo pri pošiljatelju, nato ponovite branje (replay).",
    ),
    Reason.DEVICE_MISMATCH: Text(
        en="Find out who published this: the topic belongs to another device. Check the broker's ACL.",
        sl="Ugotovite, kdo je to objavil: tema pripada drugi napravi. Preverite pravice (ACL) na posredniku.",
    ),
    Reason.FOREIGN_GATEWAY: Text(
        en="Enter this gateway for the device in the registry if that is right, then replay; otherwise check the ACL.",
        sl="Če je prav, napravi v registru vpišite ta prehod in ponovite branje; sicer preverite pravice (ACL).",
    ),
    Reason.NO_PROFILE: Text(
        en="Enter the device's model in the registry, or add a profile for it, then replay.",
        sl="V register vpišite model naprave ali zanj dodajte profil, nato ponovite branje (replay).",
    ),
    Reason.BAD_FRAME: Text(
        en="Check the model in the registry and the device's settings; drava decode shows what a frame holds.",
        sl="Preverite model v registru in nastavitve naprave; drava decode pokaže, kaj je v okvirju.",
    ),
    Reason.DECODER_FAILED: Text(
        en="Report it with the payload; after an update of Drava: drava quarantine replay --reason decoder_failed",
        sl="Napako sporočite z vsebino vred; po posodobitvi: drava quarantine replay --reason decoder_failed",
    ),
    Reason.IMPOSSIBLE_TIME: Text(
        en="Set the device's clock. If the reading is older than its registration, correct valid_from and replay.",
        sl="Nastavite uro naprave. Če je odčitek starejši od vpisa, popravite valid_from in ponovite branje.",
    ),
    Reason.STALE_RETAINED: Text(
        en="Have the sender add its time, or publish without the retain flag.",
        sl="Pošiljatelj naj doda čas meritve ali objavlja brez zastavice retain.",
    ),
    Reason.TOO_LARGE: Text(
        en="Have the sender split its messages.",
        sl="Pošiljatelj naj sporočila razdeli.",
    ),
}

Why = Annotated[Reason | None, typer.Option("--reason", help="Only entries with this reason.")]
Device = Annotated[str | None, typer.Option("--device", help="Only entries of this device.")]


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    group = typer.Typer(no_args_is_help=True, help="What could not be read: list it, look at it, try it again.")
    group.command("list")(list_entries)
    group.command("show")(show)
    group.command("replay")(replay_entries)
    app.add_typer(group, name="quarantine")


def list_entries(ctx: typer.Context, reason: Why = None, device: Device = None, as_json: Json = False) -> None:
    """List what is held, by reason and device, with the newest detail."""
    run = context(ctx)
    lang, zone = run.home.settings.lang, ZoneInfo(run.home.settings.timezone)
    found = _ask(
        run,
        "SELECT reason, device_id, CAST(sum(count) AS BIGINT) AS count, min(first_at) AS first, max(last_at) AS last, "
        "arg_max(detail, last_at) AS detail, arg_max(message_hash, last_at) AS hash FROM quarantine "
        "WHERE reason = coalesce(?, reason) AND (? IS NULL OR device_id = ?) "
        "GROUP BY ALL ORDER BY count DESC, reason, device_id",
        [reason.value if reason else None, device, device],
    )
    for row in found:
        row["text"] = TEXTS[Reason(row["reason"])][lang]
    if as_json:
        show_json(found)
        return
    titles = _titles(lang)
    rows = [{titles[name]: _local(row[name], zone) for name in titles} for row in found]
    show_rows(rows, as_json=False, columns=list(titles.values()) if rows else None)


def _titles(lang: Lang) -> dict[str, str]:
    if lang == "sl":
        return {
            "reason": "razlog",
            "device_id": "naprava",
            "count": "število",
            "first": "prvič",
            "last": "zadnjič",
            "text": "pomen",
            "detail": "podrobnost",
            "hash": "sporočilo",
        }
    names = ("reason", "device_id", "count", "first", "last", "text", "detail", "hash")
    return dict(zip(names, ("reason", "device", "count", "first", "last", "meaning", "detail", "message"), strict=True))


def _local(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else value


def show(
    ctx: typer.Context,
    digest: Annotated[str, typer.Argument(metavar="HASH", help="Hash of a message, or its beginning, from the list.")],
    as_json: Json = False,
) -> None:
    """Show one entry: its bytes, topic, times, the reason, and what to do."""
    run = context(ctx)
    lang = run.home.settings.lang
    entries = _found(run, _digest(digest))
    for entry in entries:
        entry["text"] = TEXTS[Reason(entry["reason"])][lang]
        entry["remedy"] = REMEDIES[Reason(entry["reason"])].to(lang)
        entry["bytes"] = len(entry["payload"])
        entry["payload_hex"] = entry["payload"][:SHOWN_BYTES].hex()
        entry["payload"] = safe(entry["payload"][:SHOWN_BYTES])
    if as_json:
        show_json(entries)
        return
    zone = ZoneInfo(run.home.settings.timezone)
    for entry in entries:
        show_rows(
            [{"": name, " ": _local(value, zone)} for name, value in entry.items() if value is not None], as_json=False
        )


def _found(run: Context, digest: str) -> list[dict[str, Any]]:
    entries = _ask(run, "SELECT * FROM quarantine WHERE starts_with(message_hash, ?) ORDER BY element", [digest])
    if not entries:
        raise DravaError(f"no held message has the hash {digest}", "drava quarantine list names them")
    if len({entry["message_hash"] for entry in entries}) > 1:
        raise DravaError(f"several messages have a hash that begins with {digest}", "Give more of it")
    return entries


def _digest(text: str) -> str:
    digest = text.strip().lower()
    if len(digest) < LEAST_DIGITS or not set(digest) <= set("0123456789abcdef"):
        raise DravaError(f"{text[:40]!r} is not a message's hash", f"Give at least its first {LEAST_DIGITS} digits")
    return digest


def safe(payload: bytes) -> str:
    """Bytes as text that does nothing to a terminal: what is not printable is escaped, so that it can be read back."""
    text = payload.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def replay_entries(
    ctx: typer.Context,
    digest: Annotated[str | None, typer.Argument(metavar="[HASH]", help="Only this message.")] = None,
    reason: Why = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Try again: what can be read now is stored exactly once, the rest stays. Running it twice changes nothing."""
    run = context(ctx)
    if digest is not None:
        digest = _found(run, _digest(digest))[0]["message_hash"]
    wanted = Wanted(reason, device, digest)
    store = run.store
    writer = Writer(run.home, store, Lake(run.home, store, run.clock), run.clock)
    with _progress(_held(run, wanted)) as tried:
        counts = replay(writer, wanted, tried)
    store.close()
    if as_json:
        show_json(counts)
    else:
        typer.echo(_said(counts, run.home.settings.lang))


def _held(run: Context, wanted: Wanted) -> int:
    reason = wanted.reason.value if wanted.reason else None
    row = _ask(
        run,
        "SELECT coalesce(CAST(sum(count) AS BIGINT), 0) AS held FROM quarantine WHERE reason = coalesce(?, reason) "
        "AND (? IS NULL OR device_id = ?) AND message_hash = coalesce(?, message_hash)",
        [reason, wanted.device, wanted.device, wanted.digest],
    )
    return int(row[0]["held"])


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("replay", total=total)
        yield lambda done: bar.update(task, completed=done)


def _said(counts: dict[str, int], lang: Lang) -> str:
    if lang == "sl":
        return (
            "Poskušeno {tried}, rešeno {resolved}, v karanteni ostaja {held}. Odčitki: shranjeni {stored}, dopolnjeni "
            "{completed}, popravljeni {revised}, podvojeni {duplicate}, prestari {too_old}."
        ).format(**counts)
    return (
        "Tried {tried}, resolved {resolved}, still held {held}. Readings: stored {stored}, completed {completed}, "
        "revised {revised}, duplicate {duplicate}, too old {too_old}."
    ).format(**counts)


def _ask(run: Context, query: str, values: list[Any]) -> list[dict[str, Any]]:
    home = run.home
    with open_snapshot(home.path, settings=home.settings, tables=["quarantine"]) as lake:
        answer = lake.execute(query, values)
        names = [column[0] for column in answer.description or ()]
        rows = answer.fetchall()
    return [
        {name: v.astimezone(UTC) if isinstance(v, datetime) else v for name, v in zip(names, row, strict=True)}
        for row in rows
    ]
