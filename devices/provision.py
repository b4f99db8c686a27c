"""Users of the broker: Mosquitto's password file and ACL, in which each may publish its own topic only. Pure."""

import base64
import hashlib
import re
from dataclasses import dataclass

from schemas.errors import DravaError

ITERATIONS = 101  # as mosquitto_passwd: our secrets are random, and the broker hashes at every connect
SECRET_BYTES = 24
SALT_BYTES = 12
_MARK = "# drava: "  # begins the lines of the ACL that are ours; it names the user


@dataclass(frozen=True)
class User:
    """Who may do what at the broker: the lines that stand below `user NAME` in the ACL."""

    name: str
    topics: tuple[str, ...]


def device(municipality: str, family: str, device_id: str) -> User:
    """A device publishes its own telemetry."""
    return User(device_id, (f"topic write {municipality}/{family}/{device_id}/telemetry",))


def gateway(municipality: str, name: str) -> User:
    """A gateway publishes for the devices that are registered to it, under its own name."""
    return User(name, (f"topic write {municipality}/gateway/{name}/telemetry",))


def reader(municipality: str, name: str) -> User:
    """Drava itself reads, and never writes."""
    return User(name, (f"topic read {municipality}/#", "topic read $SYS/#"))


def hashed(secret: str, salt: bytes) -> str:
    """Hash as `mosquitto_passwd` of 2.0 does: PBKDF2 with SHA-512."""
    found = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(found).decode()}"


def secret_of(random: bytes) -> str:
    """A secret that can be typed, out of random bytes."""
    return base64.urlsafe_b64encode(random).decode()


def known(passwords: str, name: str) -> bool:
    """Whether a user is in the password file."""
    return any(line.partition(":")[0] == name for line in passwords.splitlines())


def with_password(passwords: str, name: str, hash_: str | None) -> str:
    """Give the password file with this user's line put in place, or without it (None)."""
    lines = [line for line in passwords.splitlines() if line.partition(":")[0] != name]
    if hash_ is not None:
        lines.append(f"{name}:{hash_}")
    return "".join(f"{line}\n" for line in lines)


def with_rights(acl: str, name: str, user: User | None) -> str:
    """Give the ACL with this user's lines put in place, or without them (None); lines of others stay as they are.

    Raises DravaError where the user has lines that somebody wrote by hand: what they allow would stay.
    """
    ours = re.compile(rf"{re.escape(_MARK + name)}\nuser {re.escape(name)}\n(?:topic [^\n]*\n)*\n?")
    left = ours.sub("", acl if not acl or acl.endswith("\n") else f"{acl}\n")
    if re.search(rf"^\s*user\s+{re.escape(name)}\s*$", left, re.MULTILINE):
        raise DravaError(
            f"the ACL has rules for {name!r} that Drava did not write", "Remove them from the ACL file first"
        )
    if user is None:
        return left
    rules = "".join(f"{rule}\n" for rule in user.topics)
    return f"{left}{_MARK}{name}\nuser {name}\n{rules}\n"


def checked(name: str) -> str:
    """Give a name that both files can hold. Raises DravaError."""
    if not name or name != name.strip() or ":" in name or "%" in name or not name.isprintable():
        raise DravaError(
            f"{name!r} cannot be a user of the broker", "A user has no colon, no % and no blank at its ends; rename it"
        )
    return name
