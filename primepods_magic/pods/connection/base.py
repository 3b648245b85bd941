"""The part of a connection that the lower layers build on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from primepods_magic.api.client import Client
from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import NotFound, PermissionDenied
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.settings import Settings, normalize_url
from primepods_magic.pods.launching.agreed_prices import Agreements
from primepods_magic.pods.support.clock import Clock
from primepods_magic.pods.support.name_matching import fold_letters
from primepods_magic.pods.watching.backoff import LIVE_INTERVAL_S, SANDBOX_INTERVAL_S, SETTLE_S

from .completion_cache import CompletionCache
from .last_seen import note_seen

__all__ = ["BaseConnection"]


class _Stoppable(Protocol):
    def stop(self) -> None: ...


@dataclass(eq=False)
class BaseConnection:
    """One account at one service: the client, the service's clock, and recently seen pods.

    `poll_interval_s` overrides the service's default interval. A pod created here must appear within
    `settle_s`. `has_machines` says whether you can log in to the sandbox's pods.
    """

    client: Client
    clock: Clock
    is_sandbox: bool
    poll_interval_s: float | None = None
    settle_s: float = SETTLE_S
    _sandbox: _Stoppable | None = field(default=None, repr=False)
    _instance: str | None = field(default=None, repr=False)
    has_machines: bool = field(default=False, repr=False)
    is_closed: bool = field(default=False, init=False, repr=False)

    agreements: Agreements = field(init=False, repr=False)
    on_gone: Callable[[Mapping[str, HistoryRow | None]], object] = field(
        default_factory=lambda: lambda _: None, init=False, repr=False
    )
    """Called with the ids of terminated pods, and their rows of the history as far as they are known."""

    def __post_init__(self) -> None:
        self.completion_cache = CompletionCache()
        self.client.on_offers = self.completion_cache.update_offers
        self.client.on_disks = self.completion_cache.update_disks
        self.client.on_disk_change = self.completion_cache.expire_disks

    def note_gone(self, pod_ids: Iterable[str]) -> None:
        """Forget pods that two witnesses report as gone."""
        if self.completion_cache.forget_pods(pod_ids):
            self.note_mine()

    def report_gone(self, rows: Mapping[str, HistoryRow | None]) -> None:
        """Forget terminated pods, and have their displays show the end, by their rows of the history."""
        self.note_gone(rows)
        self.on_gone(rows)

    def note_mine(self) -> None:
        """Store how many of my pods are running; skip sandboxes that are not stored on this computer."""
        # Do not request the user for this alone.
        if (self.is_sandbox and self._sandbox is None) or "user_id" not in self.__dict__:
            return
        mine = [pod for pod in self.completion_cache.list_running() if self.may_be_mine(pod)]
        note_seen(
            self.account, len(mine), sum(pod.price_hr or 0.0 for pod in mine), is_sandbox=self.is_sandbox
        )

    @property
    def settings(self) -> Settings:
        """The settings in use: URL, key and team."""
        return self.client.settings

    @property
    def label(self) -> str:
        """Either ``sandbox`` or ``live``."""
        return "sandbox" if self.is_sandbox else "live"

    @property
    def is_sandbox_here(self) -> bool:
        """True for a sandbox that was started for this connection, and ends with it."""
        return self._sandbox is not None

    @property
    def instance(self) -> str | None:
        """A sandbox's id, which it keeps at any port."""
        return self._instance

    @property
    def place(self) -> str:
        """The service's identity: a normalized URL, or a sandbox's id at any port."""
        if self._instance is not None:
            return f"sandbox {self._instance}"
        return normalize_url(self.settings.base_url)

    @property
    def access(self) -> str:
        """The service and a digest of the key; identifies what this key can see."""
        return f"{self.place}\n{hashlib.sha256(self.settings.api_key.encode()).hexdigest()}"

    @property
    def account(self) -> str:
        """The service and the user; identifies the account without the key."""
        return f"{self.place}\n{self.user_id}" if self.user_id else self.access

    def now(self) -> datetime:
        """Return the service's time (UTC)."""
        return self.clock.now()

    def interval_s(self) -> float:
        """Return the base polling interval in seconds."""
        if self.poll_interval_s is not None:
            return self.poll_interval_s
        return SANDBOX_INTERVAL_S if self.is_sandbox else LIVE_INTERVAL_S

    @cached_property
    def user_id(self) -> str | None:
        """My user id, or None if this key may not read it."""
        # Twice: after one mistaken response, data would be stored under another identity.
        for _ in range(2):
            with suppress(PermissionDenied, NotFound):
                return self.client.whoami().id
        return None

    def may_be_mine(self, pod: PodDetails | HistoryRow | Disk) -> bool:
        """Return whether I launched this pod or created this disk, or it is unknown who did."""
        return None in (self.user_id, pod.user_id) or self.is_my_id(pod.user_id)

    def is_my_id(self, user_id: str | None) -> bool:
        # Ids may differ in case and dashes.
        return user_id == self.user_id or fold_letters(user_id) == fold_letters(self.user_id)
