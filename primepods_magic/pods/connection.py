"""Which service the commands talk to, and whose account that is."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primepods_magic.api.client import Client
from primepods_magic.api.errors import (
    NotConfigured,
    NotFound,
    PermissionDenied,
    PodsError,
    RequestRefused,
    UnexpectedAnswer,
)
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.settings import Settings, load_settings, mask

from .behind import finish
from .clock import Clock, ServiceClock, SteppedClock
from .watch import Poller

if TYPE_CHECKING:
    from primepods_magic.sandbox import RunningSandbox

__all__ = ["Connection", "connect", "current", "disconnect"]

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
        Whether requests go to a sandbox, where pods are pretended and nothing is billed.

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
    _sandbox: RunningSandbox | None = field(default=None, repr=False)
    _instance: str | None = field(default=None, repr=False)

    @property
    def settings(self) -> Settings:
        """Where requests go, with which key and team."""
        return self.client.settings

    @property
    def label(self) -> str:
        """``sandbox`` or ``live``, by where requests go."""
        return "sandbox" if self.is_sandbox else "live"

    @property
    def account(self) -> str:
        """Whose pods these are, for what is kept apart by account; a sandbox is itself at any port. Holds no
        key."""
        place = self.settings.base_url if self._instance is None else f"sandbox {self._instance}"
        key_digest = hashlib.sha256(self.settings.api_key.encode()).hexdigest()
        return f"{place}\n{self.user_id or key_digest}"

    def now(self) -> datetime:
        """The service's time (UTC)."""
        return self.clock.now()

    @cached_property
    def user_id(self) -> str | None:
        """My user id, or ``None`` where this key may not ask whose it is."""
        try:
            user_id = self.client.whoami().get("id")
        except (PermissionDenied, NotFound):
            return None
        return user_id if isinstance(user_id, str) else None

    def may_be_mine(self, pod: PodDetails | HistoryRow) -> bool:
        """Whether I launched this pod, or it cannot be told."""
        return None in (self.user_id, pod.user_id) or pod.user_id == self.user_id

    def is_mine(self, pod: PodDetails) -> bool:
        """Whether it is known that I launched this pod."""
        return self.user_id is not None and pod.user_id == self.user_id

    @cached_property
    def poller(self) -> Poller:
        """Watches pods of this connection in the background."""
        return Poller(self)

    def close(self) -> None:
        """Stop watching, close the connections, and stop the sandbox where it was started for this."""
        if "poller" in self.__dict__:
            self.poller.stop()
        self.client.close()
        finish(self)
        if self._sandbox is not None:
            self._sandbox.stop()

    def __repr__(self) -> str:
        if self.is_sandbox:
            return "connected to the sandbox: its pods are pretended, nothing is billed"
        team = f", team {self.settings.team_id}" if self.settings.team_id else ""
        source = self.settings.sources.get("api_key", "given")
        return (
            f"connected to {self.settings.base_url} (live: pods are billed){team}, key "
            f"{mask(self.settings.api_key)} from {source}"
        )


_current: Connection | None = None
_lock = threading.RLock()


def connect(*, sandbox: bool = False, live: bool = False, settings: Settings | None = None) -> Connection:
    """Choose where the commands of this process go, and return that connection.

    Parameters
    ----------
    sandbox : bool
        Use the sandbox, whatever keys there are. The one at ``PRIMEPODS_SANDBOX_URL`` where that is set,
        else one inside this process, whose pods are kept on this computer.
    live : bool
        Use the live service that the settings name, and nothing that turns out to be a sandbox.
    settings : Settings, optional
        Use exactly this service and key.

    Raises
    ------
    NotConfigured
        ``live`` without a key or with the URL of a sandbox, both at once, or settings that cannot be read.
    ServiceUnavailable
        The sandbox at ``PRIMEPODS_SANDBOX_URL`` does not answer.

    Examples
    --------
    >>> connect(sandbox=True)                                                # doctest: +SKIP
    connected to the sandbox: its pods are pretended, nothing is billed
    """
    global _current
    if sandbox and live:
        raise NotConfigured("'sandbox' and 'live' are two places; name one")
    with _lock:
        if sandbox and _current is not None and _is_this_sandbox(_current):
            return _current
        chosen = _open_sandbox() if sandbox else _open(settings or load_settings())
        if live and chosen.is_sandbox:
            chosen.close()
            raise NotConfigured(f"{chosen.settings.base_url} is a sandbox, not the live service")
        disconnect()
        _current = chosen
        return chosen


def current(*, sandbox_without_key: bool = False) -> Connection:
    """The connection that the commands of this process use; the first call makes it from the settings.

    Parameters
    ----------
    sandbox_without_key : bool
        Where there is no key, use the sandbox. Right for a person who tries things out, and wrong for a
        pipeline, which must not succeed on pretended pods.

    Raises
    ------
    NotConfigured
        There is no key, and ``sandbox_without_key`` is false.
    """
    with _lock:
        if _current is not None:
            return _current
        settings = load_settings()
        return connect(sandbox=sandbox_without_key and not settings.api_key, settings=settings)


def disconnect() -> None:
    """Forget the connection and close what it holds."""
    global _current
    with _lock:
        if _current is not None:
            _current.close()
        _current = None


def _is_this_sandbox(connection: Connection) -> bool:
    """The connection leads to the sandbox that would be opened now; then the pods of its cells stay good."""
    url = os.environ.get(SANDBOX_URL_VARIABLE)
    if not url:
        return connection._sandbox is not None
    return connection.settings == Settings(url, SANDBOX_KEY) and _about_sandbox(connection.client) is not None


def _open(settings: Settings, sandbox: RunningSandbox | None = None) -> Connection:
    if not settings.api_key:
        raise NotConfigured(
            "there is no API key. Set PRIME_API_KEY or run 'prime login'; to try without an account: "
            "%pods connect --sandbox"
        )
    client = Client(settings)
    try:
        about = _about_sandbox(client) if settings.is_loopback else None
    except PodsError:
        client.close()
        raise
    stepped = about is not None and about.get("clock", {}).get("mode") == "stepped"
    clock = SteppedClock(client.transport) if stepped else ServiceClock(client.transport)
    instance = about.get("instance") if about else None
    return Connection(client, clock, about is not None, sandbox, str(instance) if instance else None)


def _about_sandbox(client: Client) -> dict[str, Any] | None:
    """What a sandbox says of itself, or ``None`` where another service answers on this computer."""
    try:
        about = client.transport.request("GET", "/sandbox")
    except (RequestRefused, UnexpectedAnswer):
        return None
    if isinstance(about, dict) and "sandbox" in str(about.get("product", "")):
        return about
    return None


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


def _sandbox_database() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("primepods_magic", ensure_exists=True)) / "sandbox.db"
