"""The current connection of this process: chosen with `connect`, or created from the settings."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primepods_magic.api.errors import NO_API_KEY, NotConfigured, PodsError
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.settings import Settings, load_settings, settings_state
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags, check_kind
from primepods_magic.pods.ssh.own_keys import prepare_sandbox_key
from primepods_magic.pods.support.clock import ServiceClock, SteppedClock

from .connection import Connection
from .open_client import open_client
from .sandbox_detection import about_sandbox, instance_of

if TYPE_CHECKING:
    from primepods_magic.sandbox import RunningSandbox

__all__ = [
    "check_connection",
    "choose_connection",
    "connect",
    "current",
    "disconnect",
    "in_use",
    "open_connection",
]

SANDBOX_KEY = "sandbox"
SANDBOX_URL_VARIABLE = "PRIMEPODS_SANDBOX_URL"


@dataclass(frozen=True)
class _Followed:
    """Settings that were not chosen explicitly, and the state that they were read from."""

    settings: Settings
    state: str


_current: Connection | None = None
_followed: _Followed | None = None
_lock = threading.RLock()


def _reset_in_child() -> None:
    """Replace the lock in a forked child: a missing thread may hold it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


@shorten_tracebacks
def connect(
    *,
    sandbox: bool = False,
    machines: bool | None = None,
    live: bool = False,
    context: str | None = None,
    settings: Settings | None = None,
) -> Connection:
    """Choose the service for the commands of this process, and return the connection.

    The choice lasts until the next one. Without one, the settings are followed: if variables or files of the
    official command line change, the next command uses them.

    Parameters
    ----------
    sandbox : bool
        Use the sandbox, even if there is a key: the one at ``PRIMEPODS_SANDBOX_URL`` if that is set, else one
        inside this process, which stores its pods on this computer.
    machines : bool, optional
        Whether you can log in to the pods of a sandbox that starts now, over SSH on this computer; commands
        run as you. By default, if `asyncssh` is installed.
    live : bool
        Use the live service of the settings; refuse a sandbox.
    context : str, optional
        Use a saved context of the official command line; the environment's key, URL and team take precedence.
    settings : Settings, optional
        Use exactly this service and key.

    Raises
    ------
    NotConfigured
        If ``live`` has no key or the URL of a sandbox, two services are chosen at once, the context does not
        exist, the settings cannot be read, or the sandbox cannot have `machines`.
    ServiceUnavailable
        If the sandbox at ``PRIMEPODS_SANDBOX_URL`` does not answer.

    Examples
    --------
    >>> connect(sandbox=True)                                                # doctest: +SKIP
    connected to the sandbox: its pods are simulated, nothing is billed
    """
    check_flags(sandbox=sandbox, live=live)
    check_kind("context", context, is_right=isinstance(context, str), form="the name of a context")
    check_kind("settings", settings, is_right=isinstance(settings, Settings), form="Settings(url, api_key)")
    check_kind("machines", machines, is_right=isinstance(machines, bool), form="True or False")
    if machines is not None and not sandbox:
        raise NotConfigured("'machines' are those of the sandbox. Pass sandbox=True, too")
    if sandbox and live:
        raise NotConfigured("'sandbox' and 'live' cannot be combined. Pass one of them")
    if (sandbox or settings is not None) and context is not None:
        raise NotConfigured("'context' cannot be combined with 'sandbox' or 'settings'. Pass one of them")
    with _lock:
        if sandbox:
            return _use_connection(_reuse_sandbox(machines) or _open_sandbox(machines))
        state = settings_state()
        loaded = settings or load_settings(context=context)
        kept = _reuse_connection(loaded)
        chosen = kept or open_connection(loaded)
        if live and chosen.is_sandbox:
            if kept is None:
                chosen.close()
            raise NotConfigured(f"{chosen.settings.base_url} is a sandbox, not the live service")
        is_choice = live or context is not None or settings is not None
        return _use_connection(chosen, None if is_choice else _Followed(loaded, state))


def check_connection(connection: object) -> None:
    """Raise InvalidRequest for anything but a connection or ``None``, before any request."""
    check_kind(
        "connection",
        connection,
        is_right=isinstance(connection, Connection),
        form="a Connection, such as connect(sandbox=True) returns",
    )


def choose_connection(connection: Connection | None) -> Connection:
    """Return the given connection, or the current one. Errors as `check_connection` and `current`."""
    check_connection(connection)
    return connection or current()


def current(*, sandbox_without_key: bool = False) -> Connection:
    """Return the current connection; create it from the settings if there is none.

    If the settings have changed and none was chosen with `connect`, it is replaced: the old one is closed,
    and its watches end. `sandbox_without_key` uses the sandbox if there is no key: right for a person who
    tries things out, wrong for a pipeline, which must not succeed on simulated pods. Raises NotConfigured
    without a key otherwise.
    """
    check_flags(sandbox_without_key=sandbox_without_key)
    with _lock:
        open_already = in_use()
        if open_already is not None:
            open_already.client.session.follow_environment()
            return open_already
        state = settings_state()
        loaded = load_settings()
        followed = _Followed(loaded, state)
        kept = _current if _followed is not None and _followed.settings == loaded else None
        if kept is not None and not kept.is_closed:
            return _use_connection(kept, followed)
        if loaded.api_key or not sandbox_without_key:
            return _use_connection(_reuse_connection(loaded) or open_connection(loaded), followed)
        return _use_connection(_reuse_sandbox() or _open_sandbox(), followed)


def in_use() -> Connection | None:
    """Return the connection that the next command will use if it is open already; create none."""
    with _lock:
        if _current is None or _followed is None:
            return _current
        is_as_then = not _current.is_closed and _followed.state == settings_state()
        return _current if is_as_then else None


def disconnect() -> None:
    """Close the current connection and forget it."""
    global _current, _followed
    with _lock:
        if _current is not None:
            _current.close()
        _current, _followed = None, None


def _use_connection(connection: Connection, followed: _Followed | None = None) -> Connection:
    global _current, _followed
    if connection is not _current:
        disconnect()
        _current = connection
    elif followed is not None and followed.settings == connection.settings:
        # Equal values may come from another source now.
        connection.client.settings = followed.settings
    connection.client.session.follow_environment()
    _followed = followed
    return connection


def _reuse_connection(settings: Settings) -> Connection | None:
    """Return the current connection if it leads to the same place, so that its cells' pods stay valid."""
    if _current is None or _current.is_closed or _current.settings != settings:
        return None
    if settings.is_loopback and instance_of(about_sandbox(_current.client)) != _current._instance:
        return None
    return _current


def _reuse_sandbox(machines: bool | None = None) -> Connection | None:
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if url:
        kept = _reuse_connection(Settings(url, SANDBOX_KEY))
        if kept is None or not kept.is_sandbox:
            return None
        return None if machines and not kept.has_machines else kept
    if _current is None or _current._sandbox is None or _current.is_closed:
        return None
    return _current if machines in (None, _current.has_machines) else None


def open_connection(settings: Settings, sandbox: RunningSandbox | None = None) -> Connection:
    """Open a connection beside the current one, which the caller closes.

    Raises NotConfigured without a key, or another PodsError if a sandbox cannot be asked.
    """
    if not settings.api_key:
        raise NotConfigured("; ".join([NO_API_KEY, *settings.notes]))
    client = open_client(settings)
    try:
        about = about_sandbox(client) if settings.is_loopback else None
    except PodsError:
        client.close()
        raise
    clock_info = about.get("clock") if about else None
    is_stepped = isinstance(clock_info, dict) and clock_info.get("mode") == "stepped"
    clock = SteppedClock(client.session) if is_stepped else ServiceClock(client.session)
    has_machines = about is not None and about.get("machines") is True
    instance = instance_of(about)
    if has_machines:
        prepare_sandbox_key(client, instance)
    return Connection(
        client, clock, about is not None, _sandbox=sandbox, _instance=instance, has_machines=has_machines
    )


def _open_sandbox(machines: bool | None = None) -> Connection:
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if url:
        opened = open_connection(Settings(url, SANDBOX_KEY))
        if machines and not opened.has_machines:
            opened.close()
            raise NotConfigured(f"The sandbox at {sanitize(url)} has no machines. Start it with --machines")
        return opened
    # The only import of the sandbox: it is started here and reached through HTTP from then on.
    from primepods_magic.sandbox import start

    try:
        running = start(_find_sandbox_database(), machines=machines)
    except (OSError, RuntimeError, ValueError) as error:
        raise NotConfigured(f"Cannot start the sandbox here: {error}") from None
    try:
        return open_connection(Settings(running.url, SANDBOX_KEY), running)
    except PodsError:
        running.stop()
        raise


def _find_sandbox_database() -> Path | None:
    folder = find_folder("data")
    if folder is None:
        return None
    try:
        make_folder(folder)
    except OSError:
        # An in-memory sandbox is better than none.
        return None
    return folder / "sandbox.db"
