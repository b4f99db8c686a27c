"""`drava devices provision`: a user of the broker for each device and gateway, with the right to its own topic."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from catalog import registry
from catalog.datasets import record
from commands.context import Context, Json, context, show_json
from commands.registering import who
from devices import provision
from devices.provision import User
from devices.registry import normal_id
from lake.files import sync_folder
from schemas.errors import DravaError

_TOLD = {
    "en": "user: {user}\npassword: {secret}\nThe password is shown this once. {reload}",
    "sl": "uporabnik: {user}\ngeslo: {secret}\nGeslo je prikazano le zdaj. {reload}",
}
_REVOKED = {
    "en": "{user} may not connect any more. {reload}",
    "sl": "{user} se ne more več povezati. {reload}",
}
_RELOAD = {
    "en": "Tell the broker: sudo kill -HUP $(pidof mosquitto)",
    "sl": "Obvestite posrednika: sudo kill -HUP $(pidof mosquitto)",
}


def mount(devices: typer.Typer) -> None:
    """Put these commands beside the others of `drava devices`."""
    devices.command("provision")(provision_user)


def provision_user(
    ctx: typer.Context,
    device: Annotated[str | None, typer.Argument(help="Device that publishes by itself.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Gateway that publishes for devices registered to it.")] = None,
    drava: Annotated[
        bool, typer.Option("--drava", help="Drava itself: may read, and has its password already.")
    ] = False,
    rotate: Annotated[bool, typer.Option("--rotate", help="A new password for a user that has one.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the user and its rights away.")] = False,
    passwords: Annotated[Path | None, typer.Option(help="Password file; default: secrets/mosquitto.passwd.")] = None,
    acl: Annotated[Path | None, typer.Option(help="ACL file; default: secrets/mosquitto.acl.")] = None,
    as_json: Json = False,
) -> None:
    """Write a user of the broker who may publish its own topic only; the password is shown once."""
    run = context(ctx)
    user = _user(run, device, gateway, drava=drava, revoke=revoke)
    files = (
        passwords or run.home.path / "secrets" / "mosquitto.passwd",
        acl or run.home.path / "secrets" / "mosquitto.acl",
    )
    secret = _own_password(run) if drava else provision.secret_of(secrets.token_bytes(provision.SECRET_BYTES))
    hash_ = provision.hashed(secret, secrets.token_bytes(provision.SALT_BYTES))
    action = "revoke" if revoke else "rotate" if rotate else "provision"
    detail = {"user": user.name, "action": action, "rights": [] if revoke else list(user.topics)}
    with _alone(files[0].parent):
        _fits(files[0], user.name, action)
        record(run.home.catalog, run.now(), who(), "provision", detail)
        # rights first: a user without rights can do nothing, rights without a user are nobody's
        _replace(files[1], lambda text: provision.with_rights(text, user.name, None if revoke else user))
        _replace(files[0], lambda text: provision.with_password(text, user.name, None if revoke else hash_))
    if as_json:
        show_json(detail if revoke or drava else {**detail, "password": secret})
    else:
        shown = "***" if drava else secret
        words = _REVOKED if revoke else _TOLD
        lang = run.home.settings.lang
        typer.echo(words[lang].format(user=user.name, secret=shown, reload=_RELOAD[lang]))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two at once take turns: none writes over what the other has just added."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DravaError(
            f"{folder} cannot be opened: {error.strerror}", "Name files in a folder that is there"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fits(passwords: Path, name: str, action: str) -> None:
    """Refuse what would surprise: a new password by accident, or taking away what is not there."""
    there = provision.known(_text(passwords), name)
    if there and action == "provision":
        raise DravaError(f"{name!r} is a user of the broker already", "Say --rotate for a new password, or --revoke")
    if not there and action != "provision":
        raise DravaError(f"{name!r} is no user of the broker", f"Look into {passwords}")


def _user(run: Context, device: str | None, gateway: str | None, *, drava: bool, revoke: bool) -> User:
    """The user that is meant, as the registry has it. One that is revoked need not be there any more."""
    if (device is not None) + (gateway is not None) + drava != 1:
        raise DravaError("name one: DEVICE, --gateway NAME or --drava", "drava devices provision SL-0001")
    town = run.home.settings.municipality
    if drava:
        name = run.home.settings.broker.username
        if not name:
            raise DravaError("broker.username is not set", "Set it in drava.toml; drava init writes the password")
        return provision.reader(town, provision.checked(name))
    known = registry.load(run.store).devices
    if gateway is not None:
        name = provision.checked(normal_id(gateway))
        if not revoke and name not in {one.gateway for one in known.values()}:
            raise DravaError(
                f"no device is registered to the gateway {name!r}", "Fill column gateway: drava devices import"
            )
        if not revoke and name in known:
            raise DravaError(
                f"{name!r} is a device too: it would have the rights of both", "Give the gateway another name"
            )
        return provision.gateway(town, name)
    name = provision.checked(normal_id(device or ""))
    found = known.get(name)
    if found is None and not revoke:
        raise DravaError(f"there is no device {name!r}", "Register it: drava devices import")
    return provision.device(town, found.family if found else "+", name)


def _own_password(run: Context) -> str:
    path = run.home.path / (run.home.settings.broker.password_file or "secrets/mqtt-password")
    return _text(path).strip() or _missing(path)


def _missing(path: Path) -> str:
    raise DravaError(f"there is no password in {path}", "Write one there, or name it in broker.password_file")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise DravaError(
            f"{path} cannot be read: {error}", "Run this as a user who may read the broker's files"
        ) from None


def _replace(path: Path, change: Callable[[str], str]) -> None:
    """Write a file anew in one step. One that is there keeps its owner and mode; a new one is its owner's alone."""
    text = change(_text(path))
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        info = path.stat() if path.exists() else None
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if info is not None:
                os.fchmod(file.fileno(), info.st_mode & 0o7777)
                os.fchown(file.fileno(), info.st_uid, info.st_gid)
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise DravaError(
            f"{path} cannot be written: {error.strerror}", "Run this as a user who may write the broker's files"
        ) from None
