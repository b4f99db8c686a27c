"""How we prove to the broker who we are, and it to us: password, certificates, and what it means where that fails."""

import ssl
from pathlib import Path

from schemas.errors import DravaError
from schemas.settings import Broker

# X509_V_ERR_… of OpenSSL: what is wrong with the broker's certificate -> what it means and what to do.
_EXPIRED, _NOT_YET, _NAMES = 10, 9, (62, 64)
_FAULTS = {
    _EXPIRED: ("has expired", "renew it at the broker (certfile in its configuration) and restart the broker"),
    _NOT_YET: ("is not valid yet", "set the clock of this machine, or wait"),
    **dict.fromkeys(_NAMES, ("is for another name", "use the name that the certificate has in broker.url")),
}
_STRANGER = ("is from an authority that we do not trust", "name the authority's certificate in broker.ca_file")


def password(broker: Broker, home: Path) -> bytes | None:
    """Read the password for the broker; None without a file. Raises DravaError where it cannot be read."""
    if not broker.password_file:
        return None
    path = home / broker.password_file
    try:
        return path.read_text().strip().encode()
    except OSError as error:
        raise DravaError(
            f"broker.password_file {path} cannot be read: {error.strerror}", "Write the password there"
        ) from None


def tls(broker: Broker, home: Path) -> ssl.SSLContext | None:
    """Give the TLS context of an mqtts:// broker; None without TLS. Raises DravaError where ca_file is of no use."""
    if not broker.url.startswith("mqtts://"):
        return None
    path = home / broker.ca_file if broker.ca_file else None
    try:
        context = ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise DravaError(
            f"broker.ca_file {path} holds no certificate", "Put the authority's certificate there, as PEM"
        ) from None
    except OSError as error:
        raise DravaError(
            f"broker.ca_file {path} cannot be read: {error.strerror}", "Put the authority's certificate there, as PEM"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def failure(error: OSError) -> tuple[str, str]:
    """Why there is no connection, and what to do about it; nothing to do where waiting may mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what, hint = _FAULTS.get(error.verify_code, _STRANGER)
        return f"the broker's certificate {what} ({error.verify_message})", hint
    if isinstance(error, ssl.SSLError):
        return (
            f"no TLS with the broker: {error.reason or error}",
            "mqtts:// needs the port of its TLS listener, by custom 8883; mqtt:// is without TLS",
        )
    return error.strerror or str(error), ""
