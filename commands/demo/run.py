"""`drava demo`: an empty home, a city, three weeks of messages, and the morning report that comes of them."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType
from typing import Annotated, Never

import typer

from catalog.plans import messages_published
from commands.context import DONE
from commands.demo import cities, stage
from commands.demo.broker import available, running
from commands.demo.feed import Feed, Timed
from commands.demo.finale import Finale
from commands.demo.live import Live
from commands.demo.show import Bars, Quiet, Show
from commands.demo.stage import MUNICIPALITY, REPORTED_DAYS, Ingest, Play
from devices.simulate import City, city
from schemas.errors import DravaError

SEED = 2026
CATCH_UP = AHEAD = timedelta(days=1)  # of the live mode: behind us, and before us
STUCK_SECONDS = 120.0
QUIET_SECONDS = 0.5
LOOK_SECONDS = 0.2


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the report; else go on until Ctrl-C.")] = False,
    lang: Annotated[str, typer.Option(help="Language of the report: sl or en.")] = "sl",
    home: Annotated[Path, typer.Option(help="Folder of the demo; an older demo in it is removed.")] = Path("demo-home"),
    seed: Annotated[int, typer.Option(help="Another seed is another city with other faults.")] = SEED,
    seeds: Annotated[
        str | None, typer.Option(help="Several cities, with --once: 301..305; what was found in each and in all.")
    ] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="The embedded broker, even if there is Mosquitto.")
    ] = False,
) -> None:
    """Show the main job on a simulated city: broker, ingestion, lake, indicators, alarms, the morning report."""
    show = Show("en" if lang == "en" else "sl")
    show.say("title", style="bold")
    stage.quiet_environment()
    available(embedded=embedded)
    if seeds is not None and not once:
        raise DravaError("several cities do not go on", "Say --once, too")
    chosen = cities.seeds_of(seeds) if seeds is not None else []
    place = stage.cleared(home)
    if chosen:
        with _interruptible():
            found = [_judged(show, one, place, embedded=embedded) for one in chosen]
        raise typer.Exit(cities.summed(show, found))
    with _interruptible(), running(place / "broker", embedded=embedded) as broker:
        show.say("broker", title=broker.title, url=broker.url)
        play = Play(show, place, home, broker, _drawn(show, seed, once=once), once=once)
        raise typer.Exit(_played(play))


def _judged(show: Show, seed: int, home: Path, *, embedded: bool) -> cities.Judged:
    """Play one of several cities, in a home and with a broker of its own."""
    folder = cities.folder_of(home, seed)
    with running(folder / "broker", embedded=embedded) as broker:
        play = Play(Quiet(show.lang), folder, folder, broker, _drawn(Quiet(show.lang), seed, once=True), once=True)
        play.prepare()
        ingest = Ingest(play.home.path)
        try:
            _sent(play, ingest, list(play.city.timed()))
        finally:
            ingest.stop()
        one = cities.judged(seed, Finale(play))
    cities.told(show, one, folder)
    return one


def _drawn(show: Show, seed: int, *, once: bool) -> City:
    """The city of a seed; of the live mode a day is still to come."""
    span = REPORTED_DAYS if once else REPORTED_DAYS + CATCH_UP + AHEAD
    show.say("drawing", days=span.days)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + (timedelta() if once else AHEAD)
    return city(seed, MUNICIPALITY, end - span, span.days)


def _played(play: Play) -> int:
    play.prepare()
    ingest = Ingest(play.home.path)
    try:
        messages = play.city.timed()
        past, first_of_rest = (list(messages), []) if play.once else _past(messages, play.as_of)
        feed = _sent(play, ingest, past)
        finale = Finale(play)
        if play.once:
            ingest.stop()
            return finale.shown()
        finale.shown(pid=ingest.pid)
        Live(play, feed, ingest).until_interrupted(chain(first_of_rest, messages))
        ingest.stop()
        play.show.say("ended", home=play.named)
        return DONE
    finally:
        ingest.stop()


def _past(messages: Iterator[Timed], until: datetime) -> tuple[list[Timed], list[Timed]]:
    """Messages up to a time, and the first one after it where there is one."""
    past: list[Timed] = []
    for one in messages:
        if one[0] > until:
            return past, [one]
        past.append(one)
    return past, []


def _sent(play: Play, ingest: Ingest, past: list[Timed]) -> Feed:
    """Publish, and wait until all of it is in the lake."""
    begun = monotonic()
    with play.show.bars(len(past)) as bars:

        def told(sent: int) -> None:
            bars.move(sent=sent, committed=messages_published(play.store))

        feed = Feed(play.broker, told)
        feed.send(message for _, message in past)
        _committed(play, ingest, feed.sent, bars)
    seconds = monotonic() - begun
    play.show.say(
        "arrived",
        messages=play.show.count(len(past)),
        seconds=play.show.count(seconds),
        rate=play.show.count(len(past) / seconds),
    )
    return feed


def _committed(play: Play, ingest: Ingest, wanted: int, bars: Bars) -> None:
    """Wait until so many messages are in the lake and no more come: what was sent twice comes twice.

    Raises DravaError where ingestion ends, or nothing moves any more.
    """
    last, since, pause = -1, monotonic(), Event()
    while (count := messages_published(play.store)) < wanted or count != last or monotonic() - since < QUIET_SECONDS:
        bars.move(committed=min(count, wanted))
        if count != last:
            last, since = count, monotonic()
        if died := ingest.died():
            raise DravaError(f"ingestion ended on its own: {died}", f"Its log is {ingest.log}")
        if monotonic() - since > STUCK_SECONDS:
            raise DravaError(f"only {count} of {wanted} messages are in the lake", f"Look into {ingest.log}")
        pause.wait(LOOK_SECONDS)


@contextmanager
def _interruptible() -> Iterator[None]:
    """A closed terminal or a service manager ends the demo as Ctrl-C does: broker and ingestion are stopped."""
    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {
        number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt
