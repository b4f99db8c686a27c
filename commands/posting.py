"""Takes letters out of the outbox, one sender at a time: the loop around `deliver`, its backoff and its end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog import outbox
from catalog.outbox import Letter
from catalog.store import Store
from indicators.notify_send import LaterError, NeverError, deliver, pause, way
from lake.lock import locked
from schemas.alerts import Recipient
from schemas.settings import Home
from schemas.steps import reached

Said = Callable[[str, Letter, str], None]  # what became of it, the letter, why


@dataclass
class Post:
    """The post office of a home."""

    home: Home
    store: Store
    clock: Callable[[], datetime]
    said: Said = lambda *_: None

    def send_due(self) -> int:
        """Try every letter whose time has come; gives how many were delivered. Waits for another sender to end."""
        with locked(self.home.catalog / ".outbox.lock"):
            away: dict[str, str] = {}
            return sum(self._sent(letter, away) for letter in outbox.due(self.store, self.clock()))

    def _sent(self, letter: Letter, away: dict[str, str]) -> bool:
        """Try one letter. `away` are the ways by which nothing can be delivered now, and why."""
        recipient = next((one for one in self.home.settings.recipient if one.name == letter.recipient), None)
        if recipient is None:
            self._failed(letter, f"there is no recipient {letter.recipient!r} in drava.toml any more")
            return False
        path = way(recipient)
        if path in away:
            self._later(letter, away[path])
            return False
        try:
            self._delivered(letter, recipient)
        except NeverError as error:
            self._failed(letter, str(error))
        except LaterError as error:
            if error.everything:
                away[path] = str(error)
            self._later(letter, str(error))
        else:
            return True
        return False

    def _delivered(self, letter: Letter, recipient: Recipient) -> None:
        deliver(letter, recipient, self.home.settings, self.home.path, self.clock())
        reached("letter_sent")  # a kill here: it is sent again, with the same message id
        outbox.done(self.store, letter, "sent", self.clock())
        self.said("sent", letter, "")

    def _later(self, letter: Letter, why: str) -> None:
        now = self.clock()
        if now - letter.made_at >= timedelta(hours=self.home.settings.notify.give_up_h):
            self._failed(letter, f"given up after {self.home.settings.notify.give_up_h:g} h: {why}")
            return
        outbox.postpone(self.store, letter, now + pause(letter.attempts), why)
        self.said("later", letter, why)

    def _failed(self, letter: Letter, why: str) -> None:
        outbox.done(self.store, letter, "failed", self.clock(), why)
        self.said("failed", letter, why)
