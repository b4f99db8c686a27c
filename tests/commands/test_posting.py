"""Letters reach a real mail server and a real web server: retried, in order, once each, also over kill -9."""

import hashlib
import hmac
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from catalog.outbox import Letter, again, listed, post_new
from catalog.store import Store
from commands.posting import Post
from indicators.notify_send import pause
from schemas.settings import Home
from tests.indicators.world import ROOT

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
KEY = "geslo-za-podpis"
PASSWORD = "zelo-skrivno-geslo"


def free():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Inbox:
    """What a mail server took, and what it answers: a list of codes for the next messages, 250 after them."""

    def __init__(self):  # noqa: D107
        self.taken, self.answers, self.refused, self.logins = [], [], {}, []

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.taken.append(message_from_bytes(envelope.content, policy=policy.SMTP))
        return "250 OK"

    def login(self, _server, _session, _envelope, _mechanism, data):
        self.logins.append(data.password)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    @property
    def ids(self):
        return [message["Message-ID"] for message in self.taken]


class Server(Controller):
    """aiosmtpd on a port of its own; with TLS where it has a certificate."""

    tls = None

    def factory(self):
        more = {"tls_context": self.tls, "require_starttls": True} if self.tls else {}
        return SMTP(self.handler, authenticator=self.handler.login, auth_require_tls=bool(self.tls), **more)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def smtp(inbox):
    server = Server(inbox, hostname="127.0.0.1", port=free())
    server.start()
    yield server
    if server.server:
        server.stop()


def port_of(server):
    return server.port


class Hook:
    """A web server that keeps what was posted and answers with the codes it is told."""

    def __init__(self):  # noqa: D107
        self.posts, self.answers = [], []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((self.path, dict(self.headers), body))
                code = hook.answers.pop(0) if hook.answers else 204
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/alarms?town=ptuj"


@pytest.fixture
def hook():
    found = Hook()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Office:
    """A home with recipients, its outbox, and a clock that the test moves."""

    def __init__(self, path, text):  # noqa: D107
        self.path = path
        (path / "catalog").mkdir(parents=True)
        (path / "secrets").mkdir()
        (path / "secrets" / "mail").write_text(f"{PASSWORD}\n")
        (path / "secrets" / "hook").write_text(f"{KEY}\n")
        (path / "format").write_text("1\n")
        (path / "drava.toml").write_text(f'municipality = "ptuj"\n{text}')
        self.now = NOW
        self.store = Store.at(path / "catalog")
        self.said = []

    def write(self, *abouts, recipient="water", event="new", number=1):
        letters = [
            Letter(f"{about}.{number}.{recipient}", about, recipient, number, event,
                   {"subject": f"Odprt hidrant: č š ž {about}", "text": "Kje: Jašek\n", "document": {"event": event}},
                   self.now, self.now)
            for about in abouts
        ]  # fmt: skip
        post_new(self.store, letters)

    def send(self, later=timedelta(0)):
        self.now += later
        office = Post(Home(self.path), self.store, lambda: self.now, lambda *words: self.said.append(words))
        return office.send_due()

    @property
    def states(self):
        return Counter(letter.state for letter in listed(self.store, 100))

    def one(self):
        return listed(self.store, 1)[0]


def mail(port, more="", recipients='[[recipient]]\nname = "water"\nmail = "on-duty@water.example"\n'):
    return f'[mail]\nurl = "smtp://127.0.0.1:{port}"\nsender = "drava@ptuj.example"\n{more}\n{recipients}'


@pytest.fixture
def office(tmp_path, smtp):
    found = Office(tmp_path / "home", mail(port_of(smtp)))
    yield found
    found.store.close()


# --- mail ------------------------------------------------------------------------------------------------------------
def test_a_letter_is_delivered_once_as_a_mail_that_a_person_can_read(office, inbox):
    office.write("a1")
    assert [office.send(), office.send(timedelta(hours=1))] == [1, 0]
    (message,) = inbox.taken
    assert message["Subject"] == "Odprt hidrant: č š ž a1"
    assert message.get_content() == "Kje: Jašek\r\n"
    assert (message["To"], message["From"]) == ("on-duty@water.example", "drava@ptuj.example")
    assert (message["Message-ID"], message["Auto-Submitted"]) == ("<a1.1.water@ptuj.drava>", "auto-generated")
    assert message["Date"].datetime == NOW
    assert office.states == {"sent": 1}


def test_a_server_that_is_away_for_a_while_gets_each_letter_once_when_it_is_back(office, inbox, smtp):
    port = port_of(smtp)
    smtp.stop()
    office.write("a1", "a2", "a3")
    assert office.send() == 0
    assert [letter.attempts for letter in listed(office.store, 9)] == [1, 1, 1]
    assert len({why for _, _, why in office.said}) == 1  # one attempt told what holds for all
    assert office.send(timedelta(seconds=5)) == 0  # not yet: nothing is tried before its time
    assert len(office.said) == 3
    back = Server(inbox, hostname="127.0.0.1", port=port)
    back.start()
    try:
        assert office.send(timedelta(seconds=5)) == 3
    finally:
        back.stop()
    assert sorted(inbox.ids) == [f"<a{n}.1.water@ptuj.drava>" for n in (1, 2, 3)]


def test_what_the_server_puts_off_is_tried_again_later_and_later(office, inbox):
    inbox.answers = ["451 try later", "452 full"]
    office.write("a1")
    waits = []
    while office.states["waiting"]:
        office.send()
        if office.states["waiting"]:
            waits.append((office.one().next_at - office.now).total_seconds())
            office.now = office.one().next_at
    assert waits == [10, 20]
    assert (len(inbox.taken), office.one().attempts) == (1, 3)
    assert [pause(n).total_seconds() for n in (0, 3, 6, 99)] == [10, 80, 640, 900]


def test_what_is_refused_for_ever_fails_says_why_and_holds_up_nothing(office, inbox):
    inbox.refused = {"on-duty@water.example": "550 no such user"}
    office.write("a1")
    office.send()
    assert (office.one().state, office.one().error) == ("failed", "550 no such user")
    inbox.refused.clear()
    office.write("a2")
    assert office.send(timedelta(minutes=1)) == 1
    assert again(office.store, office.now) == 1  # drava notify retry, after the address was mended
    assert office.send() == 1
    assert office.states == {"sent": 2}


def test_it_gives_up_after_the_time_that_is_set(office, inbox):
    inbox.answers = ["451 later"] * 9
    office.write("a1")
    office.send()
    office.send(timedelta(hours=73))
    assert office.one().state == "failed"
    assert office.one().error == "given up after 72 h: 451 later"


def test_a_recipient_that_is_not_there_any_more_is_said(office):
    office.write("a1", recipient="gone")
    office.send()
    assert "no recipient 'gone'" in office.one().error


def test_a_follow_up_belongs_to_the_first_message(office, inbox):
    office.write("a1")
    office.send()
    office.write("a1", event="over", number=2)
    office.send(timedelta(hours=2))
    assert inbox.taken[1]["In-Reply-To"] == "<a1.1.water@ptuj.drava>"


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from catalog.store import Store
from commands.posting import Post
from schemas.settings import Home
home = Home(Path(sys.argv[1]))
Post(home, Store.at(home.catalog), lambda: datetime(2026, 3, 20, 7, tzinfo=UTC)).send_due()
"""


@pytest.mark.parametrize("nth", [1, 3])
def test_killed_between_sending_and_writing_it_down_it_sends_that_one_again_with_the_same_id(office, inbox, nth):
    office.write(*(f"a{n}" for n in range(5)))
    environment = os.environ | {"DRAVA_TEST_KILL_AT": f"letter_sent:{nth}"}
    command = [sys.executable, "-c", CHILD, str(office.path)]
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == -signal.SIGKILL
    assert (office.states["sent"], office.states["waiting"]) == (nth - 1, 6 - nth)
    subprocess.run(command, cwd=ROOT, check=True)
    counted = Counter(inbox.ids)
    assert set(counted) == {f"<a{n}.1.water@ptuj.drava>" for n in range(5)}
    assert sorted(counted.values()) == [1, 1, 1, 1, 2]  # the one in flight: the receiver knows it by its id
    twice = [message for message in inbox.taken if counted[message["Message-ID"]] == 2]
    assert twice[0].as_bytes() == twice[1].as_bytes()
    assert office.states == {"sent": 5}


def test_two_senders_at_once_send_each_letter_once(office, inbox):
    office.write(*(f"a{n}" for n in range(8)))
    senders = [subprocess.Popen([sys.executable, "-c", CHILD, str(office.path)], cwd=ROOT) for _ in range(2)]
    assert [sender.wait(60) for sender in senders] == [0, 0]
    assert sorted(Counter(inbox.ids).values()) == [1] * 8


# --- TLS and login ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(inbox, certificate):
    server = Server(inbox, hostname="127.0.0.1", port=free())
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.start()
    yield server
    server.stop()


LOGIN = 'username = "drava"\npassword_file = "secrets/mail"\n'


def test_starttls_and_login_with_the_password_of_the_file(tmp_path, secure, inbox, certificate):
    office = Office(tmp_path / "home", mail(port_of(secure), f'{LOGIN}ca_file = "{certificate}/cert.pem"'))
    office.write("a1")
    assert office.send() == 1
    assert inbox.logins == [PASSWORD.encode()]


def test_a_certificate_that_nobody_trusts_gets_no_password(tmp_path, secure, inbox, certificate):
    (tmp_path / "other.pem").write_bytes((certificate / "cert.pem").read_bytes())
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "other.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    office = Office(tmp_path / "home", mail(port_of(secure), f'{LOGIN}ca_file = "{tmp_path}/other.pem"'))
    office.write("a1")
    assert office.send() == 0
    assert "CERTIFICATE_VERIFY_FAILED" in office.one().error
    assert inbox.logins == []


def test_a_wrong_password_waits_and_stands_in_no_log(tmp_path, secure, inbox, certificate):
    office = Office(tmp_path / "home", mail(port_of(secure), f'{LOGIN}ca_file = "{certificate}/cert.pem"'))
    (office.path / "secrets" / "mail").write_text("napacno-geslo")
    office.write("a1")
    assert office.send() == 0
    assert office.one().state == "waiting"
    assert "refuses the login: 535" in office.one().error
    assert "napacno-geslo" not in repr(office.said) + repr(office.one())


def test_beyond_this_machine_nothing_is_said_without_tls(tmp_path, smtp, inbox):
    """The name resolves to this machine and is not called so: without STARTTLS nothing leaves."""
    text = mail(port_of(smtp)).replace("smtp://127.0.0.1", "smtp://127.0.0.2")
    office = Office(tmp_path / "home", text)
    office.write("a1")
    assert office.send() == 0
    assert inbox.taken == []


# --- webhook ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def web(tmp_path, hook):
    text = f'[[recipient]]\nname = "hook"\nwebhook = "{hook.url}"\nsecret_file = "secrets/hook"\n'
    found = Office(tmp_path / "web", text)
    yield found
    found.store.close()


def test_a_webhook_gets_signed_json_with_an_id_by_which_it_knows_a_repetition(web, hook):
    web.write("a1", recipient="hook")
    assert web.send() == 1
    ((path, headers, body),) = hook.posts
    assert path == "/alarms?town=ptuj"
    assert json.loads(body) == {"id": "a1.1.hook", "event": "new"}
    assert headers["Drava-Id"] == "a1.1.hook"
    told = f"{headers['Drava-Timestamp']}.".encode() + body
    assert headers["Drava-Signature"] == f"sha256={hmac.new(KEY.encode(), told, hashlib.sha256).hexdigest()}"


def test_a_webhook_that_fails_is_tried_again_and_one_that_refuses_is_not(web, hook):
    hook.answers = [503, 429]
    web.write("a1", recipient="hook")
    assert [web.send(), web.send(timedelta(seconds=10)), web.send(timedelta(seconds=20))] == [0, 0, 1]
    hook.answers = [403]
    web.write("a2", recipient="hook")
    web.send()
    assert {letter.about: letter.state for letter in listed(web.store, 9)} == {"a1": "sent", "a2": "failed"}


def test_a_redirection_is_not_followed(web, hook):
    hook.answers = [302]
    web.write("a1", recipient="hook")
    web.send()
    assert (web.one().state, web.one().error) == ("failed", "webhook: HTTP 302 (a redirection)")
    assert len(hook.posts) == 1


def test_a_webhook_that_is_away_waits_and_does_not_keep_mail_from_leaving(tmp_path, smtp, inbox):
    hook = '[[recipient]]\nname = "hook"\nwebhook = "http://127.0.0.1:1/x"\nsecret_file = "secrets/hook"\n'
    office = Office(tmp_path / "home", mail(port_of(smtp)) + hook)
    office.write("a1", recipient="hook")
    office.write("a2")
    assert office.send() == 1
    assert inbox.ids == ["<a2.1.water@ptuj.drava>"]
    assert office.states == {"waiting": 1, "sent": 1}
