"""What `drava doctor` looks at around the data: settings, permissions, disk, clock, libraries, broker, encryption."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ingest.brokerconf import Queue, queue, unreadable
from ingest.health import Finding, Level, Say
from ingest.probe import Limits, probe
from ingest.topics import filters, plain
from schemas.errors import DravaError
from schemas.settings import FOLDERS, FORMAT, PRIVATE, Home

SKEW = timedelta(minutes=5)
SAFE_SQLITE = (3, 51, 3)
LIBRARIES = ("deltalake", "duckdb", "polars", "pyarrow", "mqtt5", "msgspec")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECRET, OTHERS_WRITE = 0o600, 0o002
QUIET_HOURS = 24
WIDE_SECONDS = 60
USUAL_QUEUE = 1000  # what Mosquitto keeps where nobody told it otherwise
BATCH = 1000
MB = 2**20


def settings(home: Home, say: Say) -> Iterator[Finding]:
    """Format and settings: they were read, or there would be no home; what they risk."""
    yield say("format.ok", format=FORMAT)
    yield say("settings.ok", file=home.file)
    asked = home.settings.broker
    if urlsplit(asked.url).hostname not in LOOPBACK and not (asked.username and asked.url.startswith("mqtts://")):
        yield say("settings.open_broker", url=asked.url)
    if asked.session_expiry_h < asked.longest_outage_h:
        yield say("settings.session_expiry", hours=asked.session_expiry_h, outage=asked.longest_outage_h)


def permissions(home: Home, say: Say) -> Iterator[Finding]:
    """Folders and secrets are not open wider than they were made."""
    found = []
    for path, right in _rights(home):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~right:
            secret = right in (PRIVATE, SECRET) or mode & OTHERS_WRITE
            case = "permissions.secret_open" if secret else "permissions.wide"
            found.append(say(case, path=path, mode=f"{mode:o}", right=f"{right:o}"))
    for name, right in FOLDERS.items():
        if not (home.path / name).is_dir():
            found.append(say("permissions.missing", path=home.path / name, right=f"{right:o}"))
    yield from found or [say("permissions.ok")]


def _rights(home: Home) -> Iterator[tuple[Path, int]]:
    """What is there, and how far it may be open."""
    for name, right in FOLDERS.items():
        if (home.path / name).is_dir():
            yield home.path / name, right
    yield home.file, 0o644
    secrets = sorted(home.secrets.rglob("*")) if home.secrets.is_dir() else []
    named = home.settings.broker.password_file
    if named and (home.path / named).is_file():
        secrets.append(home.path / named)
    for path in dict.fromkeys(secrets):
        yield path, PRIVATE if path.is_dir() else SECRET


def disk(home: Home, say: Say) -> Iterator[Finding]:
    """There is space, for now and for a while."""
    usage = shutil.disk_usage(home.path)
    least, free = home.settings.ingest.min_free_mb, usage.free // MB
    if os.statvfs(home.path).f_flag & os.ST_RDONLY:
        yield say("disk.readonly", home=home.path)
    elif free < least:
        yield say("disk.full", free=free, least=least)
    elif free < 2 * least:
        yield say("disk.little", free=free, least=least)
    else:
        yield say("disk.ok", free=free)


def clock(home: Home, say: Say, now: datetime, newest: datetime | None) -> Iterator[Finding]:
    """The clock goes right, as far as one can tell. `newest`: when the last message was received."""
    zone = ZoneInfo(home.settings.timezone)
    form = "%Y-%m-%d %H:%M %Z"
    shown = now.astimezone(zone).strftime(form)
    if newest is not None and newest > now + SKEW:
        yield say("clock.behind", now=shown, newest=newest.astimezone(zone).strftime(form))
    elif _run("timedatectl", "show", "--property=NTPSynchronized", "--value").strip() == "no":
        yield say("clock.alone", now=shown)
    else:
        yield say("clock.ok", now=shown)


def versions(say: Say) -> Iterator[Finding]:
    """What runs here."""
    found, missing = [f"Python {sys.version.split()[0]}", f"SQLite {sqlite3.sqlite_version}"], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield say("versions.missing", missing=", ".join(missing))
    old = sqlite3.sqlite_version_info < SAFE_SQLITE
    yield say("versions.old_sqlite" if old else "versions.ok", versions=", ".join(found))


def broker(home: Home, say: Say, quiet_h: float | None) -> Iterator[Finding]:
    """The broker is there, takes us, and allows what we need. `quiet_h`: since the last message, None: ever."""
    try:
        limits = probe(home.settings.broker, home.path, filters(home.settings))
    except DravaError as error:
        yield say("broker.unreachable", url=home.settings.broker.url, what=error.what, hint=error.hint)
        return
    found = [*_limits(home, say, limits), *_silence(home, say, quiet_h)]
    yield from found or [say("broker.ok", url=home.settings.broker.url)]


def _limits(home: Home, say: Say, limits: Limits) -> Iterator[Finding]:
    asked = home.settings.broker
    ours = asked.max_packet_kb * 1024
    if limits.max_packet_bytes is None:
        yield say("broker.packet_size", ours=ours)
    elif limits.max_packet_bytes > ours:
        yield say("broker.larger_packets", theirs=limits.max_packet_bytes, ours=ours)
    if limits.session_expiry_s < asked.longest_outage_h * 3600:
        yield say("broker.session_expiry", hours=limits.session_expiry_s // 3600, outage=asked.longest_outage_h)
    if limits.max_qos < 1:
        yield say("broker.qos")
    if not limits.wildcards:
        yield say("broker.wildcards")
    if limits.refused:
        yield say("broker.refused", filters=", ".join(limits.refused))
    if limits.dropped:
        yield say("broker.dropped", count=limits.dropped)


def _silence(home: Home, say: Say, quiet_h: float | None) -> Iterator[Finding]:
    """A subscription is granted also where the ACL lets nothing through: only a message that comes proves it."""
    if quiet_h is None:
        yield say("broker.silent", municipality=home.settings.municipality)
    elif quiet_h > QUIET_HOURS:
        yield say("broker.quiet", hours=quiet_h, municipality=home.settings.municipality)


def outage(home: Home, per_hour: float) -> Iterator[Finding]:
    """What an outage would cost that may come, as far as settings and the broker's configuration tell."""
    say = Say("en")
    conf = home.settings.broker.conf_file
    found = [*settings(home, say), *(queued(home, say, Path(conf), per_hour) if conf else ())]
    yield from (one for one in found if one.level is not Level.OK and one.case != "open_broker")


def queued(home: Home, say: Say, conf: Path | None, per_hour: float) -> Iterator[Finding]:
    """Whether the broker keeps what comes during the longest outage. `per_hour`: messages when most come."""
    outage = home.settings.broker.longest_outage_h
    conf = conf or (Path(home.settings.broker.conf_file) if home.settings.broker.conf_file else None)
    expected = round(per_hour * outage)
    if conf is None:
        yield say("queue.unknown", outage=outage, expected=expected)
        return
    try:
        kept = queue(conf)
    except DravaError as error:
        yield say("queue.unreadable", what=error.what, hint=error.hint)
        return
    yield from list(_queue(say, kept, outage, expected)) or [say("queue.ok", outage=outage, expected=expected)]
    yield from _window(say, kept)
    yield from _acl(home, say, kept)


def _queue(say: Say, kept: Queue, outage: int, expected: int) -> Iterator[Finding]:
    if 0 < kept.messages < max(expected, USUAL_QUEUE + 1):
        yield say("queue.short", messages=kept.messages, outage=outage, expected=expected)
    if kept.bytes:
        yield say("queue.bytes", bytes=kept.bytes)
    if not kept.persistent:
        yield say("queue.volatile")
    if kept.expiry_h is not None and kept.expiry_h < outage:
        yield say("queue.expiry", hours=kept.expiry_h, outage=outage)
    if 0 < kept.inflight < BATCH:
        yield say("queue.slow", inflight=kept.inflight)


def _window(say: Say, kept: Queue) -> Iterator[Finding]:
    """What the broker alone holds is lost with it: how much that is."""
    if not kept.persistent:
        return
    if kept.counts_changes:
        yield say("queue.window_changes", changes=kept.saved_every)
    elif 0 < kept.saved_every <= WIDE_SECONDS:
        yield say("queue.window", seconds=kept.saved_every)
    else:
        yield say("queue.window_wide", seconds=kept.saved_every or "∞")


def _acl(home: Home, say: Say, kept: Queue) -> Iterator[Finding]:
    """The broker grants every subscription, and sends what its ACL lets through."""
    if kept.acl is None:
        return
    user = home.settings.broker.username
    with suppress(OSError):  # not ours to read
        if denied := unreadable(kept.acl, user, [plain(f) for f in filters(home.settings)]):
            yield say("broker.acl", acl=kept.acl, user=user, filters=", ".join(denied))


def encryption(home: Home, say: Say) -> Iterator[Finding]:
    """Whether the disk is encrypted, as far as the system tells."""
    source = _run("findmnt", "--noheadings", "--output", "SOURCE", "--target", str(home.path.resolve()))
    device = source.strip().partition("[")[0]
    layers = _run("lsblk", "--noheadings", "--inverse", "--output", "TYPE", device).split() if "/dev/" in device else []
    if "crypt" in layers:
        yield say("encryption.ok")
    else:
        yield say("encryption.none" if layers else "encryption.unknown")


def _run(*command: str) -> str:
    """What a program of the system prints; nothing where it is not there or does not work."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and a path of our own
            [program, *command[1:]], capture_output=True, text=True, timeout=5, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
