"""My pods: watched while the launcher is open; their logs, their end, and what all of it costs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import PodsError, error_words
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.account.overview import Overview, WalletState, overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.listing import belonging
from primepods_magic.pods.terminate import GONE, TerminationResult, terminate_pods
from primepods_magic.pods.watching.snapshot import ChangeKind, Snapshot

if TYPE_CHECKING:
    from primepods_magic.pods.watching.watch import Watch

    from .worker import SerialWorker

__all__ = ["PodList"]

_LOG_LINES, _LOG_CHARACTERS = 200, 40_000
_ENDED_SHOWN = 5
# It takes several requests, and says nothing new before something has happened or time has passed.
_WALLETS_EVERY = timedelta(minutes=5)


class PodList:
    """Pods of mine. Every method belongs to the thread of the desk.

    Parameters
    ----------
    connection : Connection
        Where.
    desk : Desk
        Does the slow work.
    on_ended : callable
        Is called with the id of a pod that was ended here and is verified to be gone.
    on_back : callable
        Is called when the service answers again.

    Attributes
    ----------
    snapshot : Snapshot, optional
        What is known of the pods; ``None`` before the first look.
    logs : dict of str to str
        The logs that are shown, by the pods' ids; empty while they are being read.
    asking, ending : set of str
        Ids of pods whose end has to be agreed to, or is under way.
    ended : tuple of Removal
        What was ended here, the latest first, and what it cost.
    refusals : dict of str to str
        Why a pod could not be ended, or its logs not be read, by its id.
    wallets : tuple of WalletState
        Burn rate, this month and balance of my wallet and my teams'.
    """

    def __init__(
        self,
        connection: Connection,
        desk: SerialWorker,
        *,
        on_ended: Callable[[str], object],
        on_back: Callable[[], object],
    ) -> None:
        self._on_ended = on_ended
        self._on_back = on_back
        self._connection = connection
        self._desk = desk
        self._watch: Watch | None = None
        self._is_stopped = False
        self._reading: set[str] = set()
        self._is_reading_wallets = False
        self._wallets_at: datetime | None = None
        self.snapshot: Snapshot | None = None
        self.logs: dict[str, str] = {}
        self.asking: set[str] = set()
        self.ending: set[str] = set()
        self.ended: tuple[TerminationResult, ...] = ()
        self.refusals: dict[str, str] = {}
        self.wallets: tuple[WalletState, ...] = ()

    @property
    def pods(self) -> tuple[PodDetails, ...]:
        """The pods as last seen, without those that were ended here since and are verified to be gone."""
        gone = {removal.id for removal in self.ended if removal.outcome == GONE}
        return tuple(pod for pod in self.snapshot.pods if pod.id not in gone) if self.snapshot else ()

    def watch(self) -> None:
        """Watch all of them, new ones included, where that is not done already."""
        if self._is_stopped or (self._watch is not None and not self._watch.has_ended):
            return
        is_mine = belonging(self._connection)

        def joins(pod: PodDetails) -> bool:
            try:
                return is_mine(pod)
            except PodsError:
                # Whose it is could not be asked now; the next look asks again.
                return False

        self._watch = self._connection.poller.watch(
            self.snapshot.pods if self.snapshot else (),
            lambda snapshot: self._desk.put(lambda: self._saw(snapshot)),
            joins=joins,
            is_over=lambda snapshot: False,
            at_once=True,
        )

    def stop(self) -> None:
        """Stop watching for good, once nothing is done on the desk any more."""
        self._is_stopped = True
        if self._watch is not None:
            self._watch.close()

    def wallet(self, team_id: str | None) -> WalletState | None:
        """The wallet that pays for a team, or my own; ``None`` where it is not known."""
        return next((wallet for wallet in self.wallets if wallet.team_id == team_id), None)

    def look_soon(self) -> None:
        """Something has happened: look now."""
        if self._watch is not None and not self._watch.has_ended:
            self._connection.poller.look_soon()
        self.read_wallets()

    def show_logs(self, pod_id: str) -> None:
        """Show the end of a pod's logs, or hide them again."""
        self.refusals.pop(pod_id, None)
        if self.logs.pop(pod_id, None) is None:
            self.logs[pod_id] = ""
            self._read_logs(pod_id)

    def ask(self, pod_id: str) -> None:
        """Ask whether a pod is to be ended."""
        self.refusals.pop(pod_id, None)
        self.asking.add(pod_id)

    def keep(self, pod_id: str) -> None:
        """Do not end it."""
        self.asking.discard(pod_id)

    def end(self, pod_id: str) -> None:
        """End it, as was agreed to."""
        pod = next((pod for pod in self.pods if pod.id == pod_id), None)
        if pod is None or pod_id not in self.asking:
            return
        self.asking.discard(pod_id)
        self.ending.add(pod_id)
        self._desk.send(
            lambda: terminate_pods(self._connection, [pod])[0], lambda done: self._ended(done, pod_id)
        )

    def read_wallets(self) -> None:
        """Ask what there is to spend and what is being spent."""
        if not self._is_reading_wallets:
            self._is_reading_wallets = True
            self._desk.send(lambda: overview(self._connection), self._wallets_came)

    def _wallets_came(self, done: Future[Overview]) -> None:
        self._is_reading_wallets = False
        self._wallets_at = self._connection.now()
        if done.exception() is None:
            self.wallets = done.result().wallets

    def _saw(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for pod_id in list(self.logs):
            pod = next((pod for pod in snapshot.pods if pod.id == pod_id), None)
            if pod is None or pod.status == PodStatus.TERMINATED:
                del self.logs[pod_id]
            elif not pod.is_settled or any(change.pod is pod for change in snapshot.changes):
                self._read_logs(pod_id)
        if any(change.kind is ChangeKind.BACK for change in snapshot.changes):
            self._on_back()
        is_old = self._wallets_at is not None and snapshot.as_of - self._wallets_at > _WALLETS_EVERY
        # What a pod costs an hour depends on its state.
        if is_old or any(change.is_of_state for change in snapshot.changes):
            self.read_wallets()

    def _read_logs(self, pod_id: str) -> None:
        if pod_id in self._reading:
            return
        self._reading.add(pod_id)
        client = self._connection.client
        self._desk.send(
            lambda: client.pod_logs(pod_id, tail=_LOG_LINES), lambda done: self._logs_came(done, pod_id)
        )

    def _logs_came(self, done: Future[str], pod_id: str) -> None:
        self._reading.discard(pod_id)
        if pod_id not in self.logs:
            return
        error = done.exception()
        if error is None:
            text = "\n".join(done.result().splitlines()[-_LOG_LINES:])
            self.logs[pod_id] = text[-_LOG_CHARACTERS:] or "no logs yet"
            self.refusals.pop(pod_id, None)
        else:
            self.refusals[pod_id] = f"the logs cannot be read: {sanitize(error_words(error))}"
            if not self.logs[pod_id]:
                del self.logs[pod_id]

    def _ended(self, done: Future[TerminationResult], pod_id: str) -> None:
        self.ending.discard(pod_id)
        error = done.exception()
        if error is not None:
            self.refusals[pod_id] = f"not ended: {sanitize(error_words(error))}"
        else:
            removal = done.result()
            self.ended = (removal, *self.ended)[:_ENDED_SHOWN]
            if removal.outcome == GONE:
                self.logs.pop(pod_id, None)
                self._on_ended(pod_id)
        self.look_soon()
