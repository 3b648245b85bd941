"""The user's pods: polled while the launcher is open, with logs, termination, and costs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import PodsError, error_words
from primepods_magic.api.fields.lenient_types import LATEST
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.account.overview import Overview, WalletState, overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.listing import belonging
from primepods_magic.pods.logs import read_log_end
from primepods_magic.pods.terminate import GONE, TerminationResult, terminate_pods
from primepods_magic.pods.watching.snapshot import ChangeKind, Snapshot

if TYPE_CHECKING:
    from primepods_magic.pods.watching.watch import Watch

    from .worker import SerialWorker

__all__ = ["PodList"]

_MAX_TERMINATED_SHOWN = 5
# Reading wallets takes several requests, and they change only with pods or with time.
_WALLETS_INTERVAL = timedelta(minutes=5)


class PodList:
    """The user's pods; call every method on the worker's thread.

    `launched` has the ids of the pods that were launched here. `logs` has the logs that are shown, empty
    while loading. `confirming` and `terminating` are ids of pods whose termination waits for confirmation or
    is in progress. `terminated` has the latest results first. `errors` has the latest error of each pod.
    `on_terminated` receives the id of each pod verified to be gone, and `on_recovered` is called when the
    service responds again.
    """

    def __init__(
        self,
        connection: Connection,
        worker: SerialWorker,
        *,
        on_terminated: Callable[[str], object],
        on_recovered: Callable[[], object],
    ) -> None:
        self._on_terminated = on_terminated
        self._on_recovered = on_recovered
        self._connection = connection
        self._worker = worker
        self._watch: Watch | None = None
        self._is_stopped = False
        self._loading_logs: set[str] = set()
        self._is_reading_wallets = False
        self._wallets_at: datetime | None = None
        self.snapshot: Snapshot | None = None
        self.launched: set[str] = set()
        self.logs: dict[str, str] = {}
        self.confirming: set[str] = set()
        self.terminating: set[str] = set()
        self.terminated: tuple[TerminationResult, ...] = ()
        self.errors: dict[str, str] = {}
        self.wallets: tuple[WalletState, ...] = ()

    @property
    def pods(self) -> tuple[PodDetails, ...]:
        """The pods of the last snapshot that are not gone, newest first.

        Pods that were launched here and ended elsewhere stay.
        """
        if self.snapshot is None:
            return ()
        gone = {result.id for result in self.terminated if result.outcome == GONE}
        shown = [
            pod
            for pod in self.snapshot.pods
            if pod.id not in gone and (pod.status != PodStatus.TERMINATED or pod.id in self.launched)
        ]
        # Without a time, it was created just now.
        return tuple(sorted(shown, key=lambda pod: pod.created_at or LATEST, reverse=True))

    def watch(self) -> None:
        """Start watching all pods, including new ones, unless that is running already."""
        if self._is_stopped or (self._watch is not None and not self._watch.has_ended):
            return
        is_mine = belonging(self._connection)

        def joins(pod: PodDetails) -> bool:
            try:
                return is_mine(pod)
            except PodsError:
                # The owner could not be read now; the next poll asks again.
                return False

        self._watch = self._connection.poller.watch(
            self.snapshot.pods if self.snapshot else (),
            lambda snapshot: self._worker.submit(lambda: self._store_snapshot(snapshot)),
            joins=joins,
            is_over=lambda snapshot: False,
            at_once=True,
        )

    def stop(self) -> None:
        """Stop watching for good; call after the worker is closed."""
        self._is_stopped = True
        if self._watch is not None:
            self._watch.close()

    def wallet(self, team_id: str | None) -> WalletState | None:
        """Return the wallet of a team, or the user's own for None; None if unknown."""
        return next((wallet for wallet in self.wallets if wallet.team_id == team_id), None)

    def poll_soon(self) -> None:
        """Poll the pods and the wallets now."""
        if self._watch is not None and not self._watch.has_ended:
            self._connection.poller.look_soon()
        self.read_wallets()

    def toggle_logs(self, pod_id: str) -> None:
        """Show the end of a pod's logs, or hide them."""
        self.errors.pop(pod_id, None)
        if self.logs.pop(pod_id, None) is None:
            self.logs[pod_id] = ""
            self._read_logs(pod_id)

    def request_termination(self, pod_id: str) -> None:
        """Ask for confirmation before terminating a pod."""
        self.errors.pop(pod_id, None)
        self.confirming.add(pod_id)

    def cancel_termination(self, pod_id: str) -> None:
        """Withdraw a request for termination."""
        self.confirming.discard(pod_id)

    def terminate(self, pod_id: str) -> None:
        """Terminate a pod, if that was requested before."""
        pod = next((pod for pod in self.pods if pod.id == pod_id), None)
        if pod is None or pod_id not in self.confirming:
            return
        self.confirming.discard(pod_id)
        self.terminating.add(pod_id)
        self._worker.run_slow(
            lambda: terminate_pods(self._connection, [pod])[0],
            lambda done: self._store_termination(done, pod_id),
        )

    def read_wallets(self) -> None:
        """Read balances and burn rates in the background."""
        if not self._is_reading_wallets:
            self._is_reading_wallets = True
            self._worker.run_slow(lambda: overview(self._connection), self._store_wallets)

    def _store_wallets(self, done: Future[Overview]) -> None:
        self._is_reading_wallets = False
        self._wallets_at = self._connection.now()
        if done.exception() is None:
            self.wallets = done.result().wallets

    def _store_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for pod_id in list(self.logs):
            pod = next((pod for pod in snapshot.pods if pod.id == pod_id), None)
            if pod is None or pod.status == PodStatus.TERMINATED:
                del self.logs[pod_id]
            elif not pod.is_settled or any(change.pod is pod for change in snapshot.changes):
                self._read_logs(pod_id)
        if any(change.kind is ChangeKind.BACK for change in snapshot.changes):
            self._on_recovered()
        is_old = self._wallets_at is not None and snapshot.as_of - self._wallets_at > _WALLETS_INTERVAL
        # The hourly cost of a pod depends on its state.
        if is_old or any(change.is_of_state for change in snapshot.changes):
            self.read_wallets()

    def _read_logs(self, pod_id: str) -> None:
        if pod_id in self._loading_logs:
            return
        self._loading_logs.add(pod_id)
        client = self._connection.client
        self._worker.run_slow(
            lambda: read_log_end(client, pod_id), lambda done: self._store_logs(done, pod_id)
        )

    def _store_logs(self, done: Future[str], pod_id: str) -> None:
        self._loading_logs.discard(pod_id)
        if pod_id not in self.logs:
            return
        error = done.exception()
        if error is None:
            self.logs[pod_id] = done.result()
            self.errors.pop(pod_id, None)
        else:
            self.errors[pod_id] = f"Could not read the logs: {sanitize(error_words(error))}"
            if not self.logs[pod_id]:
                del self.logs[pod_id]

    def _store_termination(self, done: Future[TerminationResult], pod_id: str) -> None:
        self.terminating.discard(pod_id)
        error = done.exception()
        if error is not None:
            self.errors[pod_id] = f"Not terminated: {sanitize(error_words(error))}"
        else:
            result = done.result()
            self.terminated = (result, *self.terminated)[:_MAX_TERMINATED_SHOWN]
            if result.outcome == GONE:
                self.logs.pop(pod_id, None)
                self._on_terminated(pod_id)
        self.poll_soon()
