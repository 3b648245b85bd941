"""The ledger of an account, read from the service."""

from __future__ import annotations

import pandas as pd

from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.frames.tables.account import billings_frame, disks_frame, teams_frame
from primepods_magic.frames.tables.history import history_frame
from primepods_magic.frames.tables.pods import pods_frame
from primepods_magic.pods.account.spending import Spending, read_spending
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import choose_connection

from .ledgers import ledger

__all__ = ["ledger_of", "read_ledger"]


@shorten_tracebacks
def read_ledger(connection: Connection | None = None, *, refresh: bool = False) -> pd.DataFrame:
    """Read the ledger of an account: its history, and its live pods and disks.

    Parameters
    ----------
    connection : Connection, optional
        The account; the connection of the commands by default.
    refresh : bool
        Read the cached rows of the history again, too.

    Returns
    -------
    pandas.DataFrame
        As returned by `ledger`.

    Raises
    ------
    PodsError
        The history or the pods cannot be read.

    Examples
    --------
    >>> from primepods_magic import connect, costs
    >>> df = costs.read_ledger(connect(sandbox=True))                        # doctest: +SKIP
    >>> costs.breakdown(df, by="gpu", freq="M")                              # doctest: +SKIP
    """
    return ledger_of(read_spending(choose_connection(connection), refresh=refresh))


def ledger_of(spending: Spending) -> pd.DataFrame:
    """Build the ledger of what was read; its history is used up."""
    return ledger(
        history_frame(spending.history.table, spending.now),
        pods=pods_frame(spending.pods),
        disks=disks_frame(spending.disks),
        billings=billings_frame(spending.billings),
        teams=teams_frame(spending.teams),
        now=spending.now,
    )
