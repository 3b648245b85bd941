"""The connection that the commands of this process use: chosen with `connect`, or made from the settings."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primepods_magic.api.errors import NotConfigured, PodsError
from primepods_magic.api.local.folders import find_folder
from primepods_magic.api.settings import Settings, load_settings, settings_state
from primepods_magic.api.validation.bounds import check_flags, check_kind
from primepods_magic.pods.support.clock import ServiceClock, SteppedClock

from .connection import Connection
from .open_client import open_client
from .sandbox_detection import about_sandbox, instance_of

if TYPE_CHECKING:
    from primepods_magic.sandbox import RunningSandbox

__all__ = ["connect", "current", "disconnect", "in_use"]

SANDBOX_KEY = "sandbox"
SANDBOX_URL_VARIABLE = "PRIMEPODS_SANDBOX_URL"


@dataclass(frozen=True)
class _Followed:
    """Settings that nobody chose, and what they were read from."""

    settings: Settings
    state: str


_current: Connection | None = None
_followed: _Followed | None = None
_lock = threading.RLock()


def _reset_in_child() -> None:
    """In a child process the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def connect(
    *,
    sandbox: bool = False,
    live: bool = False,
    context: str | None = None,
    settings: Settings | None = None,
) -> Connection:
    """Choose where the commands of this process go, and return that connection.

    A choice stays as it was made until the next one. Without any, the settings are followed: where the
    variables or files of the official command line change, the next command notices.

    Parameters
    ----------
    sandbox : bool
        Use the sandbox, whatever keys there are. The one at ``PRIMEPODS_SANDBOX_URL`` where that is set,
        else one inside this process, whose pods are kept on this computer.
    live : bool
        Use the live service that the settings name, and nothing that turns out to be a sandbox.
    context : str, optional
        Use a saved context of the official command line. The environment's key, URL and team beat its own.
    settings : Settings, optional
        Use exactly this service and key.

    Raises
    ------
    NotConfigured
        ``live`` without a key or with the URL of a sandbox, two places at once, no such context, or settings
        that cannot be read.
    ServiceUnavailable
        The sandbox at ``PRIMEPODS_SANDBOX_URL`` does not answer.

    Examples
    --------
    >>> connect(sandbox=True)                                                # doctest: +SKIP
    connected to the sandbox: its pods are simulated, nothing is billed
    """
    check_flags(sandbox=sandbox, live=live)
    check_kind("context", context, is_right=isinstance(context, str), form="the name of a context")
    check_kind("settings", settings, is_right=isinstance(settings, Settings), form="Settings(url, api_key)")
    if sandbox and live:
        raise NotConfigured("'sandbox' and 'live' are two places; name one")
    if (sandbox or settings is not None) and context is not None:
        raise NotConfigured("'context' and 'sandbox' or 'settings' are two places; name one")
    with _lock:
        if sandbox:
            return _use_connection(_reuse_sandbox() or _open_sandbox())
        state = settings_state()
        found = settings or load_settings(context=context)
        kept = _reuse_connection(found)
        chosen = kept or _open_connection(found)
        if live and chosen.is_sandbox:
            if kept is None:
                chosen.close()
            raise NotConfigured(f"{chosen.settings.base_url} is a sandbox, not the live service")
        is_choice = live or context is not None or settings is not None
        return _use_connection(chosen, None if is_choice else _Followed(found, state))


def current(*, sandbox_without_key: bool = False) -> Connection:
    """The connection that the commands of this process use; the first call makes it from the settings.

    Where the settings have changed since, and nobody has chosen with `connect`, it is made anew: the old one
    is closed, and watches on it end.

    Parameters
    ----------
    sandbox_without_key : bool
        Where there is no key, use the sandbox. Right for a person who tries things out, and wrong for a
        pipeline, which must not succeed on simulated pods.

    Raises
    ------
    NotConfigured
        There is no key, and ``sandbox_without_key`` is false.
    """
    check_flags(sandbox_without_key=sandbox_without_key)
    with _lock:
        open_already = in_use()
        if open_already is not None:
            open_already.client.session.follow_environment()
            return open_already
        state = settings_state()
        found = load_settings()
        followed = _Followed(found, state)
        kept = _current if _followed is not None and _followed.settings == found else None
        if kept is not None and not kept.is_closed:
            return _use_connection(kept, followed)
        if found.api_key or not sandbox_without_key:
            return _use_connection(_reuse_connection(found) or _open_connection(found), followed)
        return _use_connection(_reuse_sandbox() or _open_sandbox(), followed)


def in_use() -> Connection | None:
    """The connection that the next command uses, where it is open already; none is made."""
    with _lock:
        if _current is None or _followed is None:
            return _current
        is_as_then = not _current.is_closed and _followed.state == settings_state()
        return _current if is_as_then else None


def disconnect() -> None:
    """Forget the connection and close what it holds."""
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
        # Equal values may come from another place by now.
        connection.client.settings = followed.settings
    connection.client.session.follow_environment()
    _followed = followed
    return connection


def _reuse_connection(settings: Settings) -> Connection | None:
    """The connection in use, where it leads to the same place; then the pods of its cells stay good."""
    if _current is None or _current.is_closed or _current.settings != settings:
        return None
    if settings.is_loopback and instance_of(about_sandbox(_current.client)) != _current._instance:
        return None
    return _current


def _reuse_sandbox() -> Connection | None:
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if url:
        kept = _reuse_connection(Settings(url, SANDBOX_KEY))
        return kept if kept is not None and kept.is_sandbox else None
    is_ours = _current is not None and _current._sandbox is not None and not _current.is_closed
    return _current if is_ours else None


def _open_connection(settings: Settings, sandbox: RunningSandbox | None = None) -> Connection:
    if not settings.api_key:
        missing = (
            "there is no API key. Set PRIME_API_KEY or run 'prime login'; to try without an account: "
            "%pods connect --sandbox"
        )
        raise NotConfigured("; ".join([missing, *settings.notes]))
    client = open_client(settings)
    try:
        about = about_sandbox(client) if settings.is_loopback else None
    except PodsError:
        client.close()
        raise
    pace = about.get("clock") if about else None
    stepped = isinstance(pace, dict) and pace.get("mode") == "stepped"
    clock = SteppedClock(client.session) if stepped else ServiceClock(client.session)
    return Connection(client, clock, about is not None, _sandbox=sandbox, _instance=instance_of(about))


def _open_sandbox() -> Connection:
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if url:
        return _open_connection(Settings(url, SANDBOX_KEY))
    # The only import of the sandbox: it is started here and from then on reached through HTTP alone.
    from primepods_magic.sandbox import start

    try:
        running = start(_find_sandbox_database())
    except (OSError, RuntimeError, ValueError) as error:
        raise NotConfigured(f"the sandbox cannot be started here: {error}") from None
    try:
        return _open_connection(Settings(running.url, SANDBOX_KEY), running)
    except PodsError:
        running.stop()
        raise


def _find_sandbox_database() -> Path | None:
    folder = find_folder("data")
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # A sandbox that is forgotten at its end is better than none.
        return None
    return folder / "sandbox.db"
