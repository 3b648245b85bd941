"""Lists of the service as DataFrames, for plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.frames.tables.offers import offers_frame
from primepods_magic.pods.connection.current import choose_connection
from primepods_magic.pods.listing import list_fitting_offers
from primepods_magic.pods.spec.spec import spec_from_mapping

if TYPE_CHECKING:
    import pandas as pd

    from primepods_magic.pods.connection.connection import Connection

__all__ = ["list_offers"]


@shorten_tracebacks
def list_offers(
    *,
    count: int | None = None,
    spot: bool = False,
    connection: Connection | None = None,
    **filters: Any,
) -> pd.DataFrame:
    """List offers, cheapest first, as ``%pods avail`` does; those that are sold out come last.

    Parameters
    ----------
    count : int, optional
        The number of GPUs; else any.
    spot : bool
        List spot machines, which can be reclaimed at any time, instead of the others.
    connection : Connection, optional
        The account to use; else the current connection.
    **filters
        ``gpu``, ``region``, ``country``, ``provider``, ``security``, ``socket``, ``max_price`` (USD per
        hour), or another field of a spec. Part of a name is enough if it matches only one. The first four
        take several as well, such as ``gpu=["H100_80GB", "A100_80GB"]``.

    Returns
    -------
    pandas.DataFrame
        The columns of ``%pods avail``.

    Raises
    ------
    InvalidRequest
        A filter is not valid. Nothing was sent.
    PodsError
        The service could not be asked.

    Examples
    --------
    >>> list_offers(gpu="H100_80GB", max_price=3)                            # doctest: +SKIP
    """
    spec = spec_from_mapping(filters, needs_gpu=False)
    return offers_frame(list_fitting_offers(choose_connection(connection), spec, count=count, spot=spot))
