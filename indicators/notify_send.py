"""Delivers one letter: by SMTP, or by a signed POST. Says whether it may be tried again; keeps no state."""

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from catalog.outbox import Letter
from indicators.notify_text import one_line
from schemas.alerts import LOOPBACK, Mail, Recipient
from schemas.settings import Settings

FIRST, LONGEST = timedelta(seconds=10), timedelta(minutes=15)
PERMANENT = 500  # SMTP: 4xx may be tried again, 5xx not
ANSWER = 65536  # bytes of a webhook's answer that are read
OK_FROM, OK_TO, WRONG, FAULT = 200, 300, 400, 500
PATIENT = {408, 425, 429}  # HTTP: not now


class LaterError(Exception):
    """It could not be delivered now. `everything`: nor could anything else by this way."""

    def __init__(self, why: str, *, everything: bool = False) -> None:
        """`why` is one line without secrets."""
        super().__init__(one_line(why)[:300])
        self.everything = everything


class NeverError(Exception):
    """It is refused and will be: the recipient or the message is wrong."""

    def __init__(self, why: str) -> None:
        """`why` is one line without secrets."""
        super().__init__(one_line(why)[:300])


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 10 s, doubled each time, at most 15 min."""
    return min(FIRST * (1 << min(attempts, 10)), LONGEST)


def way(recipient: Recipient) -> str:
    """By which way a recipient is reached; what one letter learns of it holds for the others."""
    return "mail" if recipient.mail else recipient.webhook


def deliver(letter: Letter, recipient: Recipient, settings: Settings, home: Path, now: datetime) -> None:
    """Bring a letter to its recipient. Raises LaterError or NeverError where that fails."""
    if recipient.mail:
        _mail(_message(letter, recipient, settings), settings.mail, home)
    else:
        _post(letter, recipient, home, settings.mail.timeout_s, now)


# --- mail ------------------------------------------------------------------------------------------------------------
def _message(letter: Letter, recipient: Recipient, settings: Settings) -> EmailMessage:
    """A letter as a mail; the same letter always gives the same message id."""
    domain = f"{settings.municipality}.drava"
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = settings.mail.sender
    message["To"] = recipient.mail
    message["Subject"] = letter.body["subject"]
    message["Date"] = format_datetime(letter.made_at)
    message["Message-ID"] = f"<{letter.message_id}@{domain}>"
    if letter.number > 1:
        message["In-Reply-To"] = message["References"] = f"<{letter.about}.1.{recipient.name}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Drava-Alarm"], message["X-Drava-Event"] = letter.about, letter.event
    message.set_content(letter.body["text"])
    if html := letter.body.get("html"):
        message.add_alternative(html, subtype="html")
    return message


def _mail(message: EmailMessage, mail: Mail, home: Path) -> None:
    if not mail.url:
        raise LaterError("no mail server is set (mail.url)", everything=True)
    with _smtp_errors(), _server(mail, home) as server:
        server.send_message(message)


@contextmanager
def _smtp_errors() -> Iterator[None]:
    """What may go wrong with a mail server, as later or never."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refused(code, said) from None
    except smtplib.SMTPAuthenticationError as error:
        raise LaterError(f"the mail server refuses the login: {error.smtp_code}", everything=True) from None
    except smtplib.SMTPDataError as error:
        raise _refused(error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPResponseException as error:  # greeting, sender: of the settings, not of this message
        raise LaterError(f"{error.smtp_code} {_text(error.smtp_error)}", everything=True) from None
    except smtplib.SMTPNotSupportedError as error:
        raise LaterError(f"the mail server cannot do what is needed: {error}", everything=True) from None
    except (smtplib.SMTPException, OSError) as error:
        raise LaterError(f"mail server: {type(error).__name__}: {error}", everything=True) from None


def _refused(code: int, said: bytes | str) -> LaterError | NeverError:
    text = f"{code} {_text(said)}"
    return NeverError(text) if code >= PERMANENT else LaterError(text)


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


@contextmanager
def _server(mail: Mail, home: Path) -> Iterator[smtplib.SMTP]:
    """A conversation with the mail server; beyond this machine never without TLS."""
    parts = urlsplit(mail.url)
    host = parts.hostname or ""
    own = home / mail.ca_file if mail.ca_file else None
    context = ssl.create_default_context(cafile=str(own) if own else None)
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=mail.timeout_s, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=mail.timeout_s)
    try:
        if parts.scheme == "smtp" and (host not in LOOPBACK or own):
            server.starttls(context=context)
        if mail.username:
            server.login(mail.username, secret(home, mail.password_file))
        yield server
    finally:
        server.close()  # without waiting for a word of farewell: the message is taken or not by now


def secret(home: Path, name: str) -> str:
    """What a file of secrets holds. Raises LaterError where it cannot be read."""
    try:
        return (home / name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LaterError(f"{name} cannot be read: {type(error).__name__}", everything=True) from None


# --- webhook ---------------------------------------------------------------------------------------------------------
def _post(letter: Letter, recipient: Recipient, home: Path, timeout: float, now: datetime) -> None:
    """POST a letter as JSON; a redirection is no delivery, and is not followed."""
    parts = urlsplit(recipient.webhook)
    body = json.dumps({"id": letter.message_id, **letter.body["document"]}, ensure_ascii=False).encode()
    headers = signed(letter.message_id, body, secret(home, recipient.secret_file), now)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("POST", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", body, headers)
        answer = connection.getresponse()
        answer.read(ANSWER)
        status = answer.status
    except (HTTPException, OSError) as error:
        raise LaterError(f"webhook: {type(error).__name__}: {error}", everything=True) from None
    finally:
        connection.close()
    if OK_FROM <= status < OK_TO:
        return
    if status in PATIENT or status >= FAULT:
        raise LaterError(f"webhook: HTTP {status}")
    raise NeverError(f"webhook: HTTP {status}{' (a redirection)' if status < WRONG else ''}")


def signed(message_id: str, body: bytes, key: str, now: datetime) -> Mapping[str, str]:
    """The headers of a POST: the receiver knows a repetition by its id, and who wrote it by HMAC-SHA256."""
    moment = str(int(now.timestamp()))
    digest = hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "drava",
        "Drava-Id": message_id,
        "Drava-Timestamp": moment,
        "Drava-Signature": f"sha256={digest}",
    }
