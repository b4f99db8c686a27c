"""`drava backup`, `drava restore`, `drava verify`: a second copy, a home made from it, and whether all is there."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from typer.core import TyperGroup

from catalog.store import Store
from commands.context import PROBLEM, Json, context, show_json, show_rows
from ingest.journal import Reader
from ingest.reconcile import moment, reckon
from ingest.tail import copy_tail
from lake import backup as backups
from lake import manifest as manifests
from lake.commit import Clock, Lake
from lake.manifest import Manifest
from lake.query import clear_errors
from lake.restore import restore as restore_home
from lake.verify import Problem, Verified, verify
from schemas.errors import DravaError
from schemas.settings import Home
from schemas.vocabulary import Text

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the backups, if possible on another disk.")]
Name = Annotated[str | None, typer.Option("--backup", metavar="NAME", help="Which backup; default: the newest.")]


class Default(TyperGroup):
    """`drava backup DIR` is `drava backup run DIR`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the word that may be left out."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    group = typer.Typer(cls=Default, no_args_is_help=True, help="Backups. `drava backup DIR` makes one.")
    group.command("run")(run)
    group.command("list")(listed)
    group.command("check")(check)
    app.add_typer(group, name="backup")
    app.command("restore")(restore)
    app.command("verify")(verify_home)


def run(
    ctx: typer.Context,
    folder: Folder,
    *,
    keep: Annotated[int | None, typer.Option(min=1, help="Keep so many backups; older ones go.")] = None,
    with_secrets: Annotated[bool, typer.Option("--with-secrets", help="Also the passwords in secrets/.")] = False,
    as_json: Json = False,
) -> None:
    """Make a backup while everything goes on; only what is new since the last one is copied."""
    now = context(ctx)
    home = now.home
    with closing(now.store) as store, _disk("the backup"), _progress("backup") as told:
        lake = Lake(home, store, now.clock)
        done = backups.backup(lake, folder, copy_tail, with_secrets=with_secrets, keep=keep, progress=told)
    if done.same_disk:
        sys.stderr.write(f"drava: {folder} is on the same disk as the home: this copy goes when the disk goes\n")
    row = _row(done.manifest) | {
        "copied_files": done.copied_files,
        "copied_bytes": done.copied_bytes,
        "pruned": done.pruned,
    }
    show_json(row) if as_json else show_rows([row | {"pruned": ", ".join(done.pruned)}], as_json=False)


def listed(folder: Folder, *, as_json: Json = False) -> None:
    """Show the backups in a folder, oldest first."""
    show_rows([_row(manifests.read(folder, name)) for name in manifests.names(folder)], as_json=as_json)


def _row(manifest: Manifest) -> dict[str, Any]:
    return {
        "backup": manifest.name,
        "at": manifest.at,
        "municipality": manifest.municipality,
        "snapshot": manifest.snapshot,
        "rows": sum(manifest.rows.values()),
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "secrets": manifest.secrets,
    }


def check(folder: Folder, *, name: Name = None, as_json: Json = False) -> None:
    """Read every file of a backup and compare it with what was written. Exit code 1: a difference."""
    manifest = manifests.chosen(folder, name)
    with _disk("the backup"):
        found = [{"file": entry.stored, "problem": what} for entry, what in manifests.damage(folder, manifest)]
    if as_json:
        show_json({"backup": manifest.name, "files": len(manifest.files), "problems": found})
    elif found:
        show_rows(found, as_json=False)
    else:
        typer.echo(f"{manifest.name}: {len(manifest.files)} files are what was written")
    if found:
        raise typer.Exit(PROBLEM)


def restore(
    ctx: typer.Context,
    folder: Folder,
    home: Annotated[Path, typer.Argument(help="Folder to restore into: empty, or not there yet.")],
    *,
    name: Name = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Afterwards read and count everything, and add up the balance.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a home from a backup. Every checksum is compared on the way; it goes on ingesting where the backup was."""
    clock = context(ctx).clock
    with _disk("the home"), _progress("restore") as told:
        manifest = restore_home(folder, name, home, clock, progress=told)
    made = Home(home)
    problems: list[Problem] = []
    document = _row(manifest) | {"home": home}
    if verify:
        found, problems = _verified(made, clock, deep=True)
        problems += _differences(manifest, found)
        document |= found
    if as_json:
        show_json(document | {"problems": _plain(problems)})
    else:
        show_rows([_row(manifest)], as_json=False)
        _tell(problems, made.settings.lang)
        _next(made, manifest)
    if problems:
        raise typer.Exit(PROBLEM)


def _next(home: Home, manifest: Manifest) -> None:
    password = home.settings.broker.password_file
    if password and not (home.path / password).is_file():
        typer.echo(f"The backup holds no passwords: put the broker's into {home.path / password} (mode 0600).")
    typer.echo(f"{home.path} holds what was there at {manifest.at}. Never run it beside the home it was made from.")


def _differences(manifest: Manifest, found: dict[str, Any]) -> list[Problem]:
    """What was counted now against what was counted when the backup was made."""
    pairs = [(table, rows, found["rows"].get(table)) for table, rows in manifest.rows.items()]
    pairs += [(f"balance.{name}", count, found["balance"].get(name)) for name, count in manifest.balance.items()]
    return [
        Problem(name, Text(en=f"{now} instead of {then} at the backup", sl=f"{now} namesto {then} ob varnostni kopiji"))
        for name, then, now in pairs
        if then != now
    ]


def verify_home(
    ctx: typer.Context,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Read and count every file.")] = False,
    as_json: Json = False,
) -> None:
    """Check journals, files, logs, what readers see, and the balance. Exit code 1: something is not as it must be."""
    now = context(ctx)
    home = now.home
    with _progress("verify") as told:
        document, problems = _verified(home, now.clock, deep=deep, progress=told)
    if as_json:
        show_json(document | {"problems": _plain(problems)})
    else:
        counts = {name: value for name, value in document.items() if isinstance(value, int)}
        show_rows([counts | {"rows": sum(document["rows"].values())}], as_json=False)
        _tell(problems, home.settings.lang)
    if problems:
        raise typer.Exit(PROBLEM)


def _verified(
    home: Home, clock: Clock, *, deep: bool, progress: Callable[[int], object] = bool
) -> tuple[dict[str, Any], list[Problem]]:
    """Everything that can be checked: (what was counted, what is wrong)."""
    with closing(Store.at(home.catalog)) as store:
        lake = verify(home, store, deep=deep, progress=progress)
        journal_rows, problems = _journals(home)
        problems = lake.problems + problems
        totals: dict[str, int] = {}
        if not lake.problems:  # a balance of files that are not all there says nothing
            totals, wrong = _balance(home, store, clock)
            problems += wrong
    return _counts(lake) | {"journal_rows": journal_rows, "balance": totals}, problems


def _counts(found: Verified) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "problems"}


def _journals(home: Home) -> tuple[int, list[Problem]]:
    """Walk the chain of hashes of every journal."""
    rows, problems = 0, []
    for folder in sorted({path.parent for path in home.journal.glob("*/*.sqlite")}):
        try:
            rows += _chain(folder)
        except (DravaError, sqlite3.Error) as error:
            problems.append(Problem(f"journal/{folder.name}", Text(en=str(error), sl=str(error))))
    return rows, problems


def _chain(folder: Path) -> int:
    """Rows of a journal whose hashes agree. Segments that are let go of meanwhile are no fault: it begins again."""
    while True:
        before = sorted(folder.glob("*.sqlite"))
        try:
            return Reader(folder).verify()
        except (DravaError, sqlite3.Error):
            if all(path.exists() for path in before):
                raise


def _balance(home: Home, store: Store, clock: Clock) -> tuple[dict[str, int], list[Problem]]:
    try:
        with clear_errors():
            found = reckon(home, moment(home, store, Lake(home, store, clock)), clock())
    except DravaError as error:
        return {}, [Problem("balance", Text(en=f"cannot be read: {error}", sl=f"ni mogoče prebrati: {error}"))]
    problems = [
        Problem("balance", Text(en=f"{c.what.en}: {c.left} ≠ {c.right}", sl=f"{c.what.sl}: {c.left} ≠ {c.right}"))
        for c in found.checks
        if not c.agrees
    ]
    if found.wrong:
        count = len(found.wrong)
        problems.append(
            Problem("balance", Text(en=f"{count} rows do not add up", sl=f"vrstic, ki se ne izidejo: {count}"))
        )
    return found.total, problems


def _plain(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"where": problem.where, "what": problem.what.en} for problem in problems]


def _tell(problems: list[Problem], lang: str) -> None:
    show = [{"where": problem.where, "what": problem.what.to(lang)} for problem in problems]
    if show:
        show_rows(show, as_json=False)


@contextmanager
def _disk(what: str) -> Iterator[None]:
    """A disk that is full or away is one line."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise DravaError(
            f"{what} could not be written or read: {error}", "What was there before is untouched"
        ) from None


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int], object]]:
    if not sys.stderr.isatty():
        yield bool
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda size: bar.advance(task, size)
