"""Lists of the service as DataFrames, for plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.frames.tables.offers import gpus_frame, offers_frame
from primepods_magic.pods.connection.current import choose_connection
from primepods_magic.pods.listing import list_fitting_offers
from primepods_magic.pods.spec.spec import spec_from_mapping

if TYPE_CHECKING:
    import pandas as pd

    from primepods_magic.pods.connection.connection import Connection

__all__ = ["list_gpus", "list_offers"]


@shorten_tracebacks
def list_offers(
    *,
    count: int | None = None,
    spot: bool = False,
    multi_node: bool = False,
    sort: str = "price_hr",
    connection: Connection | None = None,
    **filters: Any,
) -> pd.DataFrame:
    """List offers, cheapest first, as ``%pods avail`` does; those that are sold out come last.

    Parameters
    ----------
    count : int, optional
        The number of GPUs; else any. More than 8 are searched among multi-node offers, too.
    spot : bool
        List spot machines, which can be reclaimed at any time, instead of the others.
    multi_node : bool
        List only multi-node offers, which are several connected machines for one price.
    sort : str
        ``"price_hr"``, ``"price_gpu_hr"``, ``"usd_gb_vram"`` (USD per hour and GB of GPU memory), or
        ``"start"``: the fewest minutes until it is up, as stated by the provider, then the most stock.
    connection : Connection, optional
        The account to use; else the current connection.
    **filters
        ``gpu``, ``region``, ``country``, ``provider``, ``security``, ``socket``, ``max_price`` (USD per
        hour), ``min_vram_gb``, ``min_total_vram_gb``, ``min_memory_gb``, ``min_vcpus``, ``min_disk_gb``, or
        another field of a spec. Part of a name is enough if it matches only one. The first four and
        ``data_center_id`` take several as well, such as ``gpu=["H100_80GB", "A100_80GB"]``. An offer that
        does not state an amount does not reach a minimum. ``disks`` are ids or names of disks: only offers
        where all of them can be attached.

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
    connection = choose_connection(connection)
    return offers_frame(
        list_fitting_offers(connection, spec, count=count, spot=spot, multi_node=multi_node, sort=sort)
    )


@shorten_tracebacks
def list_gpus(*, connection: Connection | None = None, **filters: Any) -> pd.DataFrame:
    """List GPU types with the cheapest price of each, as ``%pods gpus`` does; the cheapest GPU comes first.

    Parameters
    ----------
    connection : Connection, optional
        The account to use; else the current connection.
    **filters
        Which offers count, as for `list_offers`.

    Returns
    -------
    pandas.DataFrame
        The columns of ``%pods gpus``. Only on-demand offers that are in stock and have a price in USD count.

    Raises
    ------
    InvalidRequest
        A filter is not valid. Nothing was sent.
    PodsError
        The service could not be asked.

    Examples
    --------
    >>> list_gpus(min_vram_gb=48)["gpu"].iloc[0]                             # doctest: +SKIP
    'A40_48GB'
    """
    spec = spec_from_mapping(filters, needs_gpu=False)
    return gpus_frame(list_fitting_offers(choose_connection(connection), spec))
