"""`drava notify`: what was told to whom, what waits and what failed; a test of the ways; sending by hand."""

import sys
from typing import Annotated, Literal

import typer

from catalog import outbox
from catalog.outbox import Letter, post_new
from commands.context import PROBLEM, Context, Json, context, show_rows
from commands.posting import Post
from schemas.errors import DravaError
from schemas.settings import Lang

State = Literal["waiting", "sent", "failed", "dropped", "joined"]
_TEST: dict[Lang, tuple[str, str]] = {
    "sl": ("Preizkus obveščanja", "To je preizkus. Sporočila o alarmih bodo prihajala na ta naslov.\n"),
    "en": ("Test of notification", "This is a test. Messages about alarms will come to this address.\n"),
}


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    notify = typer.Typer(no_args_is_help=True, help="Who was told of alarms, what waits, what failed.")
    notify.command("list")(list_letters)
    notify.command("send")(send)
    notify.command("retry")(retry)
    notify.command("test")(try_out)
    app.add_typer(notify, name="notify")


def list_letters(
    ctx: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only this state.")] = None,
    most: Annotated[int, typer.Option(min=1, help="At most so many of the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """List the newest messages: to whom, about what, and what became of them."""
    found = [letter for letter in outbox.listed(context(ctx).store, most) if state in (None, letter.state)]
    show_rows([_row(letter) for letter in found], as_json=as_json)


def send(ctx: typer.Context) -> None:
    """Send what waits now. `drava alarms watch` does it by itself. Exit code 1 where something was not delivered."""
    run = context(ctx)
    _send(run)


def retry(
    ctx: typer.Context,
    message_id: Annotated[str | None, typer.Argument(help="As in drava notify list; default: all that failed.")] = None,
) -> None:
    """Let messages that failed wait again; after the server or the address is mended."""
    run = context(ctx)
    sys.stdout.write(f"{outbox.again(run.store, run.now(), message_id)} messages wait again\n")


def try_out(
    ctx: typer.Context,
    recipient: Annotated[str | None, typer.Argument(help="Name of a recipient; default: all.")] = None,
) -> None:
    """Send a message to each recipient, to see that it arrives. Exit code 1 where one was not delivered."""
    run = context(ctx)
    settings = run.home.settings
    names = [one for one in settings.recipient if recipient in (None, one.name)]
    if not names:
        raise DravaError("there is no such recipient", f"Write a [[recipient]] into {run.home.file}")
    about = f"test-{run.now():%Y%m%dT%H%M%S%f}"
    letters = []
    for one in names:
        subject, text = _TEST[one.lang or settings.lang]
        body = {"subject": subject, "text": text, "document": {"event": "test", "text": subject}}
        letters.append(Letter(f"{about}.1.{one.name}", about, one.name, 1, "list", body, run.now(), run.now()))
    post_new(run.store, letters)
    _send(run)


def _send(run: Context) -> None:
    wrong: list[str] = []

    def said(state: str, letter: Letter, why: str) -> None:
        sys.stdout.write(f"{state} {letter.message_id}{f': {why}' if why else ''}\n")
        if state != "sent":
            wrong.append(letter.message_id)

    Post(run.home, run.store, run.clock, said).send_due()
    if wrong:
        raise typer.Exit(PROBLEM)


def _row(letter: Letter) -> dict[str, object]:
    return {
        "message_id": letter.message_id,
        "event": letter.event,
        "recipient": letter.recipient,
        "state": letter.state,
        "made_at": letter.made_at,
        "done_at": letter.done_at,
        "attempts": letter.attempts,
        "next_at": letter.next_at if letter.state == "waiting" else None,
        "subject": letter.body.get("subject"),
        "error": letter.error,
    }
