"""How the demo speaks: sentences in one language, numbers and times as that language writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from commands.demo.texts import TEXTS
from indicators import words
from schemas.settings import Lang

ZONE = ZoneInfo("Europe/Ljubljana")


@dataclass
class Bars:
    """Two bars: what the city has published, and what is in the lake."""

    progress: Progress
    sent: TaskID
    committed: TaskID

    def move(self, *, sent: int | None = None, committed: int | None = None) -> None:
        """Set one of them, or both."""
        if sent is not None:
            self.progress.update(self.sent, completed=sent)
        if committed is not None:
            self.progress.update(self.committed, completed=committed)


class Show:
    """Where the demo speaks, and in which language."""

    def __init__(self, lang: Lang) -> None:
        """`lang` is sl or en."""
        self.lang = lang
        self.console = Console(soft_wrap=True, highlight=False)

    def text(self, name: str, **values: object) -> str:
        """One sentence with its values."""
        slovenian, english = TEXTS[name]
        return (slovenian if self.lang == "sl" else english).format(**values)

    def say(self, name: str, style: str | None = None, **values: object) -> None:
        """Say one sentence."""
        self.line(self.text(name, **values), style)

    def line(self, text: str = "", style: str | None = None) -> None:
        """Say something as it is."""
        self.console.print(text, style=style, markup=False)

    def moment(self, at: datetime) -> str:
        """A time as the town's clock shows it."""
        return words.moment(at, ZONE, self.lang)

    def count(self, value: float) -> str:
        """A whole number."""
        return words.number(value, self.lang, 0)

    def share(self, value: float) -> str:
        """A share with two digits."""
        return words.number(value, self.lang, 2)

    @contextmanager
    def bars(self, total: int) -> Iterator[Bars]:
        """Show two bars while the block runs."""
        columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            names = (self.text("sent"), self.text("committed"))
            yield Bars(progress, *(progress.add_task(name, total=total) for name in names))


class Quiet(Show):
    """Speaks to nobody: of several cities only the verdicts are told."""

    def line(self, text: str = "", style: str | None = None) -> None:
        """Nothing."""
