"""Which service the commands talk to, and whose account that is."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from primepods_magic.api.account import Disk
from primepods_magic.api.bounds import check_flags, check_kind
from primepods_magic.api.client import Client
from primepods_magic.api.errors import NotConfigured, NotFound, PermissionDenied, PodsError
from primepods_magic.api.folders import find_folder
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.settings import Settings, load_settings, mask, normalize_url, settings_state
from primepods_magic.api.text import clean

from .about import about_sandbox, instance_of
from .agreements import Agreements
from .behind import finish, run_behind
from .clock import Clock, ServiceClock, SteppedClock
from .intents import was_created_here
from .kept_prices import note_kept
from .last_seen import note_seen
from .likeness import fold_letters
from .memory import Memory
from .opening import open_client
from .pace import SETTLE_S
from .poller import Poller

if TYPE_CHECKING:
    from primepods_magic.sandbox import RunningSandbox

__all__ = ["Connection", "connect", "current", "disconnect", "in_use"]

SANDBOX_KEY = "sandbox"
SANDBOX_URL_VARIABLE = "PRIMEPODS_SANDBOX_URL"


@dataclass(eq=False)
class Connection:
    """One account at one service.

    Parameters
    ----------
    client : Client
        Speaks to the service.
    clock : Clock
        The service's time.
    is_sandbox : bool
        Whether requests go to a sandbox, where pods are simulated and nothing is billed.
    poll_interval_s : float, optional
        Seconds between two looks at pods that are watched; unless given, what suits the service.
    settle_s : float
        The longest that a pod of a launch here may take to be seen.

    Examples
    --------
    >>> from primepods_magic import connect
    >>> connection = connect(sandbox=True)                                   # doctest: +SKIP
    >>> [pod.name for pod in connection.client.list_all_pods()]              # doctest: +SKIP
    []
    """

    client: Client
    clock: Clock
    is_sandbox: bool
    poll_interval_s: float | None = None
    settle_s: float = SETTLE_S
    _sandbox: RunningSandbox | None = field(default=None, repr=False)
    _instance: str | None = field(default=None, repr=False)
    is_closed: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self.memory = Memory()
        self.agreements = Agreements(partial(run_behind, self), self._read_s, partial(note_kept, self))
        self.client.on_offers = self.memory.learn_offers
        self.client.on_pods = self._note_pods

    def _read_s(self) -> float:
        return self.clock.monotonic()

    def _note_pods(self, pods: list[PodDetails]) -> None:
        self.memory.learn_pods(pods)
        self.agreements.release_kept(
            pods, {pod.id for pod in pods if pod.id and pod.highest_usd_hr is not None}
        )
        self._note_mine()

    def note_gone(self, pod_ids: Iterable[str]) -> None:
        """Forget pods that two witnesses call gone."""
        if self.memory.forget_pods(pod_ids):
            self._note_mine()

    def _note_mine(self) -> None:
        """Note how many of mine run: billed ones, and those of the sandbox that this computer keeps."""
        # Whose they are is not asked for this alone.
        if (self.is_sandbox and self._sandbox is None) or "user_id" not in self.__dict__:
            return
        mine = [pod for pod in self.memory.list_running() if self.may_be_mine(pod)]
        note_seen(
            self.account, len(mine), sum(pod.price_hr or 0.0 for pod in mine), is_sandbox=self.is_sandbox
        )

    @property
    def settings(self) -> Settings:
        """Where requests go, with which key and team."""
        return self.client.settings

    @property
    def label(self) -> str:
        """``sandbox`` or ``live``, by where requests go."""
        return "sandbox" if self.is_sandbox else "live"

    @property
    def place(self) -> str:
        """Where requests go, however its address is written; a sandbox is itself at any port."""
        if self._instance is not None:
            return f"sandbox {self._instance}"
        return normalize_url(self.settings.base_url)

    @property
    def access(self) -> str:
        """The service and the key, for what is kept by what this key can see. Holds no key."""
        return f"{self.place}\n{hashlib.sha256(self.settings.api_key.encode()).hexdigest()}"

    @property
    def account(self) -> str:
        """Whose pods these are, for what is kept apart by account. Holds no key."""
        return f"{self.place}\n{self.user_id}" if self.user_id else self.access

    def now(self) -> datetime:
        """The service's time (UTC)."""
        return self.clock.now()

    @cached_property
    def user_id(self) -> str | None:
        """My user id, or ``None`` where this key may not ask whose it is."""
        # Twice: what is kept by user would be another user's after one mistaken answer.
        for _ in range(2):
            with suppress(PermissionDenied, NotFound):
                return self.client.whoami().id
        return None

    def may_be_mine(self, pod: PodDetails | HistoryRow | Disk) -> bool:
        """Return whether I launched this pod or made this disk, or no one can say."""
        return None in (self.user_id, pod.user_id) or self._is_my_id(pod.user_id)

    def is_mine(self, pod: PodDetails | HistoryRow) -> bool:
        """Whether it is known that I launched this pod: the service says so, or its launch record."""
        if None in (self.user_id, pod.user_id):
            return was_created_here(self, pod.id)
        return self._is_my_id(pod.user_id)

    def _is_my_id(self, user_id: str | None) -> bool:
        # An id may come in capital letters, or with dashes.
        return user_id == self.user_id or fold_letters(user_id) == fold_letters(self.user_id)

    @cached_property
    def poller(self) -> Poller:
        """Watches pods of this connection in the background."""
        return Poller(self)

    def close(self) -> None:
        """Stop watching, close the connections, and stop the sandbox where it was started for this."""
        self.is_closed = True
        if "poller" in self.__dict__:
            self.poller.stop()
        self.client.close()
        finish(self)
        if self._sandbox is not None:
            self._sandbox.stop()

    def __repr__(self) -> str:
        if self.is_sandbox:
            return "connected to the sandbox: its pods are simulated, nothing is billed"
        team = f", team {clean(self.settings.team_id)}" if self.settings.team_id else ""
        key = f"{mask(self.settings.api_key)} from {self.settings.sources.get('api_key', 'given')}"
        return f"connected to {clean(self.settings.base_url)} (live: pods are billed){team}, key {key}"


@dataclass(frozen=True)
class _Followed:
    """Settings that nobody chose, and what they were read from."""

    settings: Settings
    state: str


_current: Connection | None = None
_followed: _Followed | None = None
_lock = threading.RLock()


def _in_child() -> None:
    """In a child process the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


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
            return _use(_kept_sandbox() or _open_sandbox())
        state = settings_state()
        found = settings or load_settings(context=context)
        kept = _kept(found)
        chosen = kept or _open(found)
        if live and chosen.is_sandbox:
            if kept is None:
                chosen.close()
            raise NotConfigured(f"{chosen.settings.base_url} is a sandbox, not the live service")
        is_choice = live or context is not None or settings is not None
        return _use(chosen, None if is_choice else _Followed(found, state))


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
            open_already.client.transport.follow_environment()
            return open_already
        state = settings_state()
        found = load_settings()
        followed = _Followed(found, state)
        kept = _current if _followed is not None and _followed.settings == found else None
        if kept is not None and not kept.is_closed:
            return _use(kept, followed)
        if found.api_key or not sandbox_without_key:
            return _use(_kept(found) or _open(found), followed)
        return _use(_kept_sandbox() or _open_sandbox(), followed)


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


def _use(connection: Connection, followed: _Followed | None = None) -> Connection:
    global _current, _followed
    if connection is not _current:
        disconnect()
        _current = connection
    elif followed is not None and followed.settings == connection.settings:
        # Equal values may come from another place by now.
        connection.client.settings = followed.settings
    connection.client.transport.follow_environment()
    _followed = followed
    return connection


def _kept(settings: Settings) -> Connection | None:
    """The connection in use, where it leads to the same place; then the pods of its cells stay good."""
    if _current is None or _current.is_closed or _current.settings != settings:
        return None
    if settings.is_loopback and instance_of(about_sandbox(_current.client)) != _current._instance:
        return None
    return _current


def _kept_sandbox() -> Connection | None:
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if url:
        kept = _kept(Settings(url, SANDBOX_KEY))
        return kept if kept is not None and kept.is_sandbox else None
    is_ours = _current is not None and _current._sandbox is not None and not _current.is_closed
    return _current if is_ours else None


def _open(settings: Settings, sandbox: RunningSandbox | None = None) -> Connection:
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
    clock = SteppedClock(client.transport) if stepped else ServiceClock(client.transport)
    return Connection(client, clock, about is not None, _sandbox=sandbox, _instance=instance_of(about))


def _open_sandbox() -> Connection:
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if url:
        return _open(Settings(url, SANDBOX_KEY))
    # The only import of the sandbox: it is started here and from then on reached through HTTP alone.
    from primepods_magic.sandbox import start

    try:
        running = start(_sandbox_database())
    except (OSError, RuntimeError, ValueError) as error:
        raise NotConfigured(f"the sandbox cannot be started here: {error}") from None
    try:
        return _open(Settings(running.url, SANDBOX_KEY), running)
    except PodsError:
        running.stop()
        raise


def _sandbox_database() -> Path | None:
    folder = find_folder("data")
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # A sandbox that is forgotten at its end is better than none.
        return None
    return folder / "sandbox.db"
