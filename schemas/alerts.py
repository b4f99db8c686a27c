"""Settings of alarms: thresholds without SQL, who is told what, and by which way."""

from difflib import get_close_matches
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from schemas.section import Section

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # in their order
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ADDRESS = r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+$"
_WORD = r"^[a-z0-9][a-z0-9_]{0,62}$"


def _known(word: str, known: list[str], what: str) -> str:
    """Give a word of the vocabulary. Raises ValueError with those that resemble it."""
    if word in known:
        return word
    near = get_close_matches(word, known, n=3, cutoff=0.5) or known[:12]
    raise ValueError(f"there is no {what} {word!r}; there is {', '.join(near)}")


class Both(Section):
    """One text in both languages."""

    sl: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class Threshold(Section):
    """A rule without SQL: an alarm where a measure is above or below a limit for long enough."""

    name: Annotated[str, Field(pattern=_WORD)]
    family: str
    measure: str
    area: str | tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    for_minutes: Annotated[float, Field(ge=0, le=43200)] = 0
    hysteresis: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    severity: Severity = "warning"
    urgent: bool = False
    text: Both

    @field_validator("family")
    @classmethod
    def _family(cls, name: str) -> str:
        from schemas.vocabulary import families  # noqa: PLC0415 - heavy, and few homes have thresholds

        return _known(name, list(families()), "family")

    @field_validator("measure")
    @classmethod
    def _measure(cls, name: str, info: ValidationInfo) -> str:
        from schemas.vocabulary import families  # noqa: PLC0415 - the same

        family = families().get(info.data.get("family", ""))
        return _known(name, list(family.measures), f"measure of {family.name}") if family else name

    @model_validator(mode="after")
    def _limits(self) -> "Threshold":
        if self.above is None and self.below is None:
            raise ValueError("above or below is needed")
        if self.above is not None and self.below is not None and self.below >= self.above:
            raise ValueError("below must be less than above: the band between them is what is right")
        if (
            self.above is not None
            and self.below is not None
            and self.below + self.hysteresis > self.above - self.hysteresis
        ):
            raise ValueError("hysteresis leaves no value between below and above at which it would be over")
        return self


def _mail_url(url: str) -> str:
    if not url:
        return url
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0 and not parts.username
    except ValueError:
        fine = False
    if not fine or parts.path not in {"", "/"}:
        raise ValueError("not a mail server; write it like smtp://mail.example:587 or smtps://mail.example:465")
    return url


def _web_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not parts.username
    except ValueError:
        fine = False
    if url and (not fine or any(c.isspace() or not c.isprintable() for c in url)):
        raise ValueError("not an address of the web; write it like https://host/path")
    return url


class Mail(Section):
    """The mail server through which alarms leave."""

    url: Annotated[str, AfterValidator(_mail_url)] = ""
    sender: Annotated[str, Field(pattern=rf"^$|{_ADDRESS}")] = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 20

    @model_validator(mode="after")
    def _together(self) -> "Mail":
        if self.url and not self.sender:
            raise ValueError("mail.url needs mail.sender")
        if bool(self.username) != bool(self.password_file):
            raise ValueError("mail.username and mail.password_file belong together")
        return self


class Notify(Section):
    """How messages about alarms are made and delivered."""

    link: Annotated[str, AfterValidator(_web_url)] = ""
    give_up_h: Annotated[float, Field(gt=0, le=8760)] = 72
    most_at_once: Annotated[int, Field(ge=1, le=1000)] = 20


class Recipient(Section):
    """Somebody who is told of alarms, by mail or by webhook."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    mail: Annotated[str, Field(pattern=rf"^$|{_ADDRESS}")] = ""
    webhook: Annotated[str, AfterValidator(_web_url)] = ""
    secret_file: str = ""
    lang: Literal["sl", "en"] | None = None
    areas: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    severity: Severity = "info"
    at_once: Literal["urgent", "all", "none"] = "urgent"
    morning: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> "Recipient":
        if bool(self.mail) == bool(self.webhook):
            raise ValueError("a recipient has either mail or webhook")
        if self.webhook and not self.secret_file:
            raise ValueError("a webhook needs secret_file: its messages are signed")
        return self


def named_once(items: list[Any]) -> list[Any]:
    """Refuse a name that is given twice."""
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the name {twice[0]!r} is there twice")
    return items
