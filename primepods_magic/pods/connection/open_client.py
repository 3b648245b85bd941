"""Client creation, and diagnosis of environment variables that prevent it.

A variable at fault is found by trying without it, so that the rules that read them are written once.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from primepods_magic.api.client import Client
from primepods_magic.api.errors import NotConfigured
from primepods_magic.api.http.route.certificates import CERTIFICATE_VARIABLES
from primepods_magic.api.http.route.proxies import PROXY_VARIABLES, UnusableProxy
from primepods_magic.api.http.session import READ_TIMEOUT_S
from primepods_magic.api.settings import Settings

__all__ = ["describe_blame", "find_blame", "open_client", "set_variables"]

_REASONS: dict[type[BaseException], str] = {
    FileNotFoundError: "the path does not exist",
    PermissionError: "the path cannot be read",
    ssl.SSLError: "the file has no certificates",
}
_lock = threading.RLock()


def open_client(settings: Settings, *, read_timeout_s: float = READ_TIMEOUT_S) -> Client:
    """Create a client; raise NotConfigured that names the proxy or certificate variable at fault."""
    try:
        return Client(settings, read_timeout_s=read_timeout_s)
    except Exception as error:  # noqa: BLE001 - httpx, ssl and a missing package raise different errors
        # Another error may hold the proxy's URL with a password.
        kind, reason = type(error), str(error) if isinstance(error, UnusableProxy) else ""
    blamed = find_blame(lambda: Client(settings))
    raise NotConfigured(
        f"Nothing can be sent to {settings.base_url} from here: {describe_blame(blamed, kind, reason)}"
    )


def set_variables(names: Iterable[str]) -> list[str]:
    """Return those of some variables that are set, as spelled in the environment."""
    return [key for name in names for key, value in os.environ.items() if value and key.upper() == name]


def find_blame(make: Callable[[], Client], works: Callable[[Client], bool] = lambda _: True) -> list[str]:
    """Return the fewest network variables whose removal makes a client work; empty if none does.

    ``make`` creates a client, and ``works`` checks it; it is closed afterwards.
    """
    # Certificates first: without a proxy, requests take another route.
    names = set_variables((*CERTIFICATE_VARIABLES, *PROXY_VARIABLES))
    for name in names:
        if _works_without([name], make, works):
            return [name]
    if len(names) < 2 or not _works_without(names, make, works):
        return []
    for name in list(names):
        rest = [other for other in names if other != name]
        if _works_without(rest, make, works):
            names = rest
    return names


def describe_blame(names: list[str], error: type[BaseException], reason: str) -> str:
    """Describe the faulty variables and the remedy, without the proxy's URL, which may hold a password."""
    if not names:
        return f"the client failed to start ({error.__name__}). Check this computer's proxy and certificates"
    which = " and ".join(names)
    if issubclass(error, ImportError):
        return f"the proxy variable {which} needs a package. Run pip install 'httpx[socks]', or unset {which}"
    known = (words for kind, words in _REASONS.items() if issubclass(error, kind))
    reason = reason or next(known, error.__name__)
    what = "proxy variable" if names[0].upper() in PROXY_VARIABLES else "certificate variable"
    return f"the {what} {which} cannot be used ({reason}). Correct or unset {which}"


def _works_without(names: list[str], make: Callable[[], Client], works: Callable[[Client], bool]) -> bool:
    try:
        with _change_environment(dict.fromkeys(names)):
            client = make()
    except Exception:  # noqa: BLE001 - as in `open_client`
        return False
    try:
        return works(client)
    finally:
        client.close()


@contextmanager
def _change_environment(changes: dict[str, str | None]) -> Iterator[None]:
    """Change variables while a client is created."""
    with _lock:
        before = {name: os.environ[name] for name in changes}
        try:
            for name, value in changes.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            yield
        finally:
            os.environ.update(before)
