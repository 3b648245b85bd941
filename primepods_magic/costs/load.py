"""The ledger of an account, asked of the service."""

from __future__ import annotations

import pandas as pd

from primepods_magic.frames.tables.account import billings_frame, disks_frame, teams_frame
from primepods_magic.frames.tables.history import history_frame
from primepods_magic.frames.tables.pods import pods_frame
from primepods_magic.pods.account.spending import Spending, read_spending
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import current

from .ledgers import ledger

__all__ = ["ledger_of", "read_ledger"]


def read_ledger(connection: Connection | None = None, *, refresh: bool = False) -> pd.DataFrame:
    """Everything that an account has paid and pays for, as `ledger` has it: the history, and the pods and
    disks that live.

    Parameters
    ----------
    connection : Connection, optional
        Whose; the one that the commands use unless given.
    refresh : bool
        Read also the rows of the history that are kept on this computer.

    Returns
    -------
    pandas.DataFrame
        As `ledger` answers.

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
    return ledger_of(read_spending(connection or current(), refresh=refresh))


def ledger_of(spending: Spending) -> pd.DataFrame:
    """The ledger of what was read; its history is used up.

    Parameters
    ----------
    spending : Spending
        As `primepods_magic.pods.account.spending.read_spending` answers.
    """
    return ledger(
        history_frame(spending.history.table, spending.now),
        pods=pods_frame(spending.pods),
        disks=disks_frame(spending.disks),
        billings=billings_frame(spending.billings),
        teams=teams_frame(spending.teams),
        now=spending.now,
    )
