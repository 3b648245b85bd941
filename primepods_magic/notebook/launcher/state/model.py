"""The launcher without widgets: filters and offers, the launch flow, and the user's pods."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import error_words
from primepods_magic.pods.choose_offer import find_offers
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.spec import PodSpec

from .account import Account, read_account
from .cell import CELL_MAGIC
from .flow import LaunchFlow, LaunchSettings
from .offers import FilterResult, Filters, OfferKey, OfferList, OfferOrder, filter_offers
from .pods import PodList
from .worker import SerialWorker

if TYPE_CHECKING:
    from primepods_magic.api.models import Offer

__all__ = ["LauncherModel"]


class LauncherModel:
    """The state of a launcher and its actions.

    Every method returns at once. Results are in the attributes by the time a listener is called, on the
    model's own thread. `filter_changes` counts changes of the filters that the user did not type, and
    `offers_error` says why the offers could not be listed.

    >>> model = LauncherModel(connect(sandbox=True), {})                     # doctest: +SKIP
    >>> model.open()                                                         # doctest: +SKIP
    >>> model.wait_until_idle(10), len(model.results.rows)                   # doctest: +SKIP
    (True, 125)
    """

    def __init__(
        self,
        connection: Connection,
        namespace: dict[str, Any],
        settings: Callable[[], LaunchSettings] = LaunchSettings,
    ) -> None:
        self.connection = connection
        self._worker = SerialWorker(connection, self._notify_listeners)
        self._listeners: list[Callable[[], object]] = []
        self.offer_list = OfferList()
        self.filters = Filters()
        self.order = OfferOrder.PRICE
        self.filter_changes = 0
        self.results = FilterResult()
        self.is_loading = True
        self.offers_error = ""
        self.account = Account()
        self._is_reading_account = False
        self.flow = LaunchFlow(
            connection,
            self._worker,
            namespace,
            settings,
            on_launched=self._poll_pods,
            on_sold_out=self._load_offers,
        )
        self.pod_list = PodList(
            connection, self._worker, on_terminated=self.flow.forget_pod, on_recovered=self._reload_failed
        )

    def listen(self, listener: Callable[[], object]) -> None:
        """Call `listener` now and after every change, on the model's thread."""
        self._worker.submit(lambda: self._listeners.append(listener))

    def open(self) -> None:
        """Load the offers and start watching pods."""
        self._worker.open()
        self._worker.submit(self._load_offers)

    def close(self) -> None:
        """Stop watching and sending requests; pods keep running."""
        self._worker.close()
        self.pod_list.stop()

    @property
    def is_current_thread(self) -> bool:
        """Return whether the caller runs on the model's thread."""
        return self._worker.is_current_thread

    @property
    def internal_error(self) -> str:
        """The type of the last unexpected exception, or an empty string."""
        return self._worker.error

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no work is left; return False after `timeout_s`."""
        return self._worker.wait_until_idle(timeout_s)

    def wait_until_read(self, timeout_s: float) -> bool:
        """Wait until the cell reflects all input so far; slow work is not waited for."""
        is_read = threading.Event()

        def read() -> None:
            self._check_form()
            is_read.set()

        self._worker.submit(read)
        return is_read.wait(timeout_s)

    @property
    def cell(self) -> str:
        """The form as a ``%%pod_create`` cell; empty before an offer is selected."""
        return f"{CELL_MAGIC}{self.flow.body}" if self.flow.body else ""

    def filter(self, **values: Any) -> None:
        """Change fields of `Filters` by name."""
        self._worker.submit(lambda: self._apply_filters(replace(self.filters, **values)))

    def sort(self, order: OfferOrder) -> None:
        """Change the order of the offers."""

        def apply_order() -> None:
            self.order = order
            self._apply_filters(self.filters)

        self._worker.submit(apply_order)

    def clear_filters(self) -> None:
        """Reset all filters."""

        def clear() -> None:
            self.filter_changes += 1
            self._apply_filters(Filters())

        self._worker.submit(clear)

    def refresh(self) -> None:
        """Reload the offers, and the account and wallets."""
        self._worker.submit(self._load_offers)

    def choose(self, key: OfferKey | None) -> None:
        """Select an offer of the list, or none."""
        self._worker.submit(lambda: self.flow.choose(self.offer_list.get(key) if key else None))

    def set(self, **values: Any) -> None:
        """Change fields of the form by name."""
        self._worker.submit(lambda: self.flow.set(**values))

    def review(self) -> None:
        """Plan a launch of the form as it is now."""

        def check_and_review() -> None:
            self._check_form()
            self.flow.review()

        self._worker.submit(check_and_review)

    def launch(self) -> None:
        """Launch the reviewed plan, unless a problem has appeared since."""

        def check_and_launch() -> None:
            self._check_form()
            self.flow.launch()

        self._worker.submit(check_and_launch)

    def do(self, action: Callable[..., object], *args: Any) -> None:
        """Call a method of `flow` or `pod_list` on the model's thread."""
        self._worker.submit(lambda: action(*args))

    def _check_form(self) -> None:
        self.flow.check(self.account, self.pod_list.pods)

    def _notify_listeners(self) -> None:
        self._check_form()
        for listener in self._listeners:
            listener()

    def _apply_filters(self, filters: Filters) -> None:
        self.filters = filters
        self.results = filter_offers(self.offer_list, filters, self.order)

    def _load_offers(self) -> None:
        self.is_loading = True
        self._worker.run_slow(self._read_offers, self._store_offers)
        if self.offer_list.taken_at is not None or self.offers_error:
            self._load_rest()

    def _read_offers(self) -> list[Offer]:
        return find_offers(self.connection.client, PodSpec())

    def _store_offers(self, done: Future[list[Offer]]) -> None:
        is_first = self.offer_list.taken_at is None and not self.offers_error
        error = done.exception()
        self.is_loading = False
        if error is not None:
            self.offers_error = error_words(error)
        else:
            self.offers_error = ""
            self.offer_list = OfferList.read(done.result(), self.connection.now())
            self.flow.update_offer(self.offer_list)
            self._apply_filters(self.filters)
        if is_first:
            # Offers first: the user is waiting for them.
            self._load_rest()

    def _load_rest(self) -> None:
        if not self._is_reading_account:
            self._is_reading_account = True
            self._worker.run_slow(lambda: read_account(self.connection), self._store_account)
        if not self.connection.is_closed:
            self.pod_list.watch()
            self.pod_list.read_wallets()

    def _store_account(self, done: Future[Account]) -> None:
        self._is_reading_account = False
        if done.exception() is None:
            self.account = done.result()

    def _poll_pods(self) -> None:
        if self.flow.outcome is not None and self.flow.outcome.pod_id:
            self.pod_list.launched.add(self.flow.outcome.pod_id)
        self.pod_list.poll_soon()

    def _reload_failed(self) -> None:
        """Load again what failed while the service did not respond."""
        if self.offers_error or self.account.error:
            self._load_offers()
