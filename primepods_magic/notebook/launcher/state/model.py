"""The launcher without widgets: filters, offers, choice, form, price, launch, and the pods that come of it
(`OfferList`, `LaunchFlow` and `PodList`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import error_words
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.offers import find_offers
from primepods_magic.pods.spec.spec import PodSpec

from .account import Account, read_account
from .cell import HEAD
from .offers import FilterResult, Filters, OfferKey, OfferList, find
from .order import LaunchFlow, LaunchSettings
from .pods import PodList
from .worker import SerialWorker

if TYPE_CHECKING:
    from primepods_magic.api.models import Offer

__all__ = ["LauncherModel"]


class LauncherModel:
    """What a launcher knows and does. Every method returns at once, whoever calls it; what comes of it is in
    the attributes by the time that a listener is called, on a thread of the model's.

    Parameters
    ----------
    connection : Connection
        Where.
    namespace : dict
        The notebook's variables, which a cell can take secrets from.
    settings : callable
        Tells what holds for every launch, whenever that is asked.

    Attributes
    ----------
    market : Market
        All offers that can be rented.
    filters : Filters
        What is wanted.
    filter_changes : int
        Counts the changes of the filters that nobody typed.
    found : Found
        The offers that are wanted.
    is_loading : bool
        A newer list is being taken.
    trouble : str
        Why the list could not be taken; empty where it could.
    account : Account
        Whose it is.
    order : Order
        The chosen offer, the form, and how far its launch is.
    fleet : Fleet
        My pods.

    Examples
    --------
    >>> model = LauncherModel(connect(sandbox=True), {})                     # doctest: +SKIP
    >>> model.open()                                                         # doctest: +SKIP
    >>> model.wait_until_idle(10), len(model.found.rows)                     # doctest: +SKIP
    (True, 50)
    """

    def __init__(
        self,
        connection: Connection,
        namespace: dict[str, Any],
        settings: Callable[[], LaunchSettings] = LaunchSettings,
    ) -> None:
        self.connection = connection
        self._desk = SerialWorker(connection, self._show)
        self._listeners: list[Callable[[], object]] = []
        self.market = OfferList()
        self.filters = Filters()
        self.filter_changes = 0
        self.found = FilterResult()
        self.is_loading = True
        self.trouble = ""
        self.account = Account()
        self._is_asking_account = False
        self.order = LaunchFlow(
            connection,
            self._desk,
            namespace,
            settings,
            on_launched=self._launched,
            on_sold_out=self._take_list,
        )
        self.fleet = PodList(connection, self._desk, on_ended=self.order.ended, on_back=self._back)

    def listen(self, listener: Callable[[], object]) -> None:
        """Have something called now and whenever anything may have changed, on the model's thread."""
        self._desk.put(lambda: self._listeners.append(listener))

    def open(self) -> None:
        """Take the list of offers, and begin to watch pods."""
        self._desk.open()
        self._desk.put(self._take_list)

    def close(self) -> None:
        """Stop watching and asking; the pods go on."""
        self._desk.close()
        self.fleet.stop()

    @property
    def is_here(self) -> bool:
        """Whether the caller is the model's thread."""
        return self._desk.is_here

    @property
    def failure(self) -> str:
        """What was raised here last and was not meant to be; empty where nothing was."""
        return self._desk.failure

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until everything that was asked for is done; false where that takes longer."""
        return self._desk.wait_until_idle(timeout_s)

    def wait_until_read(self, timeout_s: float) -> bool:
        """Wait until what was typed so far is in the cell; slow work is not waited for."""
        is_read = threading.Event()

        def read() -> None:
            self._check()
            is_read.set()

        self._desk.put(read)
        return is_read.wait(timeout_s)

    @property
    def cell(self) -> str:
        """The form as a ``%%pod_create`` cell; empty before an offer is chosen."""
        return f"{HEAD}{self.order.body}" if self.order.body else ""

    def filter(self, **values: Any) -> None:
        """Change what is wanted: fields of `Filters` by name."""
        self._desk.put(lambda: self._filter(replace(self.filters, **values)))

    def clear_filters(self) -> None:
        """Want anything again."""

        def clear() -> None:
            self.filter_changes += 1
            self._filter(Filters())

        self._desk.put(clear)

    def refresh(self) -> None:
        """Take the list again, and ask again for whatever is not known yet."""
        self._desk.put(self._take_list)

    def choose(self, key: OfferKey | None) -> None:
        """Choose an offer of the list."""
        self._desk.put(lambda: self.order.choose(self.market.get(key) if key else None))

    def set(self, **values: Any) -> None:
        """Change fields of the form by name."""
        self._desk.put(lambda: self.order.set(**values))

    def review(self) -> None:
        """Find out what a launch would do, by the form as it is now."""

        def check_and_review() -> None:
            self._check()
            self.order.review()

        self._desk.put(check_and_review)

    def launch(self) -> None:
        """Carry out what the summary says, where nothing stands in the way by now."""

        def check_and_launch() -> None:
            self._check()
            self.order.launch()

        self._desk.put(check_and_launch)

    def do(self, action: Callable[..., object], *args: Any) -> None:
        """Have a method of `order` or `fleet` called.

        Parameters
        ----------
        action : callable
            The method.
        *args
            What it is given.
        """
        self._desk.put(lambda: action(*args))

    def _check(self) -> None:
        self.order.check(self.account, self.fleet.pods)

    def _show(self) -> None:
        self._check()
        for listener in self._listeners:
            listener()

    def _filter(self, filters: Filters) -> None:
        self.filters = filters
        self.found = find(self.market, filters)

    def _take_list(self) -> None:
        self.is_loading = True
        self._desk.send(self._read_offers, self._list_came)
        if self.market.taken_at is not None or self.trouble:
            self._read_the_rest()

    def _read_offers(self) -> list[Offer]:
        return find_offers(self.connection.client, PodSpec())

    def _list_came(self, done: Future[list[Offer]]) -> None:
        is_first = self.market.taken_at is None and not self.trouble
        error = done.exception()
        self.is_loading = False
        if error is not None:
            self.trouble = error_words(error)
        else:
            self.trouble = ""
            self.market = OfferList.read(done.result(), self.connection.now())
            self.order.follow(self.market)
            self._filter(self.filters)
        if is_first:
            # What is looked for first comes first.
            self._read_the_rest()

    def _read_the_rest(self) -> None:
        if not self._is_asking_account:
            self._is_asking_account = True
            self._desk.send(lambda: read_account(self.connection), self._account_came)
        if not self.connection.is_closed:
            self.fleet.watch()
            self.fleet.read_wallets()

    def _account_came(self, done: Future[Account]) -> None:
        self._is_asking_account = False
        if done.exception() is None:
            self.account = done.result()

    def _launched(self) -> None:
        self.fleet.look_soon()

    def _back(self) -> None:
        """The service answers again: what could not be asked is asked now."""
        if self.trouble or self.account.trouble:
            self._take_list()
