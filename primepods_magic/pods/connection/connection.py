"""A connection: one account at one service, with a poller that watches its pods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.settings import mask
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.launching.agreed_prices import Agreements
from primepods_magic.pods.launching.journal.journal import was_created_here
from primepods_magic.pods.launching.journal.recorded_prices import hold_recorded, note_kept
from primepods_magic.pods.support.background import join_background, run_in_background
from primepods_magic.pods.watching.poller import Poller

from .base import BaseConnection

__all__ = ["Connection"]


@dataclass(eq=False, repr=False)
class Connection(BaseConnection):
    """One account at one service.

    >>> from primepods_magic import connect
    >>> connection = connect(sandbox=True)                                   # doctest: +SKIP
    >>> [pod.name for pod in connection.client.list_all_pods()]              # doctest: +SKIP
    []
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.agreements = Agreements(
            partial(run_in_background, self),
            self._read_s,
            partial(note_kept, self),
            partial(hold_recorded, self),
        )
        self.client.on_pods = self._note_pods
        self.on_close: list[Callable[[], object]] = []
        """Called, each, when the connection closes."""

    def _read_s(self) -> float:
        return self.clock.monotonic()

    def _note_pods(self, pods: list[PodDetails]) -> None:
        self.completion_cache.update_pods(pods)
        self.agreements.release_kept(
            pods, {pod.id for pod in pods if pod.id and pod.highest_usd_hr is not None}
        )
        self.note_mine()

    def is_mine(self, pod: PodDetails | HistoryRow) -> bool:
        """Return whether the service or a launch record proves that I launched this pod."""
        if None in (self.user_id, pod.user_id):
            return was_created_here(self, pod.id)
        return self.is_my_id(pod.user_id)

    @cached_property
    def poller(self) -> Poller:
        """The poller that watches this connection's pods in the background."""
        return Poller(self)

    def close(self) -> None:
        """Stop watching, close the client, and stop a sandbox that was started for this connection."""
        self.is_closed = True
        for end in self.on_close:
            end()
        if "poller" in self.__dict__:
            self.poller.stop()
        self.client.close()
        join_background(self)
        if self._sandbox is not None:
            self._sandbox.stop()

    def __repr__(self) -> str:
        if self.is_sandbox:
            return "connected to the sandbox: its pods are simulated, nothing is billed"
        team = f", team {sanitize(self.settings.team_id)}" if self.settings.team_id else ""
        key = f"{mask(self.settings.api_key)} from {self.settings.sources.get('api_key', 'given')}"
        return f"connected to {sanitize(self.settings.base_url)} (live: pods are billed){team}, key {key}"
