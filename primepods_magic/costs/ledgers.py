"""The ledger: one row for everything that costs, whether closed, open or live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from primepods_magic.frames.tables.catalog import document_columns
from primepods_magic.frames.tables.estimates import estimate_unbilled
from primepods_magic.frames.tables.history import HISTORY
from primepods_magic.frames.tables.schema import STRING, TIME
from primepods_magic.pods.support.name_matching import spell_ids

from .coerce import booleans, column_of, numbers, prices, require, text, times
from .live_resources import LIVE, living_disks, living_pods, parse_now

__all__ = ["as_ledger", "is_ledger", "ledger"]

# Columns that a ledger has only if its history has them.
_OPTIONAL = ("duration", "gpu_hours", "socket", "remarks")
_PERSONAL = "personal"
_ADDED = "team begin_at end_at cost_usd is_spot estimated"
# `cost_usd` has these.
_LEFT_OUT = {*_ADDED.split(), "estimated_usd"}


@document_columns("ledger", _ADDED)
def ledger(
    history: pd.DataFrame,
    *,
    pods: pd.DataFrame | None = None,
    disks: pd.DataFrame | None = None,
    billings: pd.DataFrame | None = None,
    teams: pd.DataFrame | None = None,
    now: datetime | None = None,
) -> pd.DataFrame:
    """Collect everything that costs in one frame: the history, and the live pods and disks.

    A pod or disk whose id is in the history is not counted again. If it is live and the history bills nothing
    for it, or less than it has cost so far without stating its end, the cost so far counts instead. A live
    resource costs until its status says that it ends.
    The service is not asked, and the given frames are not changed.

    Parameters
    ----------
    history : pandas.DataFrame
        From `primepods_magic.frames.history_frame` or a file, with ``billed_usd, created_at`` and
        ``terminated_at``.
    pods, disks : pandas.DataFrame, optional
        Live resources, from ``pods_frame`` and ``disks_frame``; TERMINATED ones are left out.
    billings : pandas.DataFrame, optional
        What the service billed live resources so far (``resource_id, amount_usd, last_billed_at``), instead
        of an estimate from prices. What accrued since ``last_billed_at`` is added; without that time, the
        larger of billing and estimate counts.
    teams : pandas.DataFrame, optional
        Names of teams (``name, team_id``).
    now : datetime, optional
        Time up to which running resources count (UTC if naive); the present by default.

    Returns
    -------
    pandas.DataFrame
        The history's columns, then:

        {columns}

        ``state`` is ``closed``, ``open`` (in the history, without an end) or ``live`` (the history has
        less of it or nothing). The cost of a live resource is not known if nothing was billed for it and it
        states no price or no beginning.

    Raises
    ------
    ValueError
        A frame lacks columns, or a column cannot be read.

    Examples
    --------
    >>> history = pd.DataFrame({"name": ["train"], "billed_usd": [9.0],
    ...     "created_at": ["2026-09-01T00:00:00Z"], "terminated_at": ["2026-09-01T03:00:00Z"]})
    >>> pods = pd.DataFrame({"id": ["p1"], "name": ["eval"], "status": ["ACTIVE"], "price_usd_hr": [2.0],
    ...     "created_at": ["2026-09-02T00:00:00Z"]})
    >>> df = ledger(history, pods=pods, now=datetime(2026, 9, 2, 12))
    >>> df[["name", "state", "team", "cost_usd", "estimated"]].values.tolist()
    [['train', 'closed', 'personal', 9.0, False], ['eval', 'live', 'personal', 24.0, True]]
    """
    until = parse_now(now)
    past = _build_past(history, until)
    spelled = [each for frame in (pods, disks) if frame is not None for each in _list_ids(frame, "id")]
    past["id"] = pd.array(spell_ids(_list_ids(past, "id"), spelled), dtype=STRING)
    if billings is not None and "resource_id" in billings:
        ids = spell_ids(_list_ids(billings, "resource_id"), spelled)
        billings = billings.assign(resource_id=pd.array(ids, dtype=STRING))
    # A live thing whose row bills nothing is still costing, although the row may state an end.
    is_final = past["state"].eq("closed") & ~_is_blank(past)
    alive = [
        build(frame, billings, past["id"][is_final], until)
        for build, frame in ((living_pods, pods), (living_disks, disks))
        if frame is not None
    ]
    past = _drop_outdated(past, alive)
    alive = [rows[~rows["id"].isin(past["id"].dropna())] for rows in alive]
    joined = _append_living(past, [rows for rows in alive if len(rows)])
    if pods is not None:
        joined["is_spot"] = joined["is_spot"].fillna(_read_spot(joined["id"], pods))
    joined["team"] = _name_teams(joined["team_id"], teams)
    return joined


def _list_ids(frame: pd.DataFrame, name: str) -> list[str | None]:
    return [None if pd.isna(each) else str(each) for each in text(frame, name)]


def is_ledger(frame: object) -> bool:
    """Return whether a frame is a ledger rather than a history."""
    return isinstance(frame, pd.DataFrame) and {"cost_usd", "begin_at", "end_at"} <= {*frame.columns}


def as_ledger(frame: pd.DataFrame, now: datetime | None = None) -> pd.DataFrame:
    """Return the frame or, if it is a history, its ledger."""
    return frame if is_ledger(frame) else ledger(frame, now=now)


def _build_past(history: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Build the history's part of the ledger."""
    require(history, "history", ("billed_usd", "created_at", "terminated_at"))
    rows = history.reset_index(drop=True)
    data = {str(name): rows[name] for name in rows.columns if name not in _LEFT_OUT}
    for column in HISTORY:
        if column.name in data or column.name not in {*_OPTIONAL, *_LEFT_OUT}:
            data[column.name] = column_of(rows, column.name, column.dtype)
    data["billed_usd"] = numbers(rows, "billed_usd")
    begin, end = times(rows, "created_at"), times(rows, "terminated_at")
    derived = end.isna().map({True: "open", False: "closed"}).astype(STRING)
    # An earlier version may have written a placeholder for "no end" as an end.
    was_never = column_of(rows, "terminated_at", TIME).notna() & end.isna()
    data["state"] = text(rows, "state").fillna(derived).mask(was_never, "open")
    for name in {"duration", "gpu_hours"} & data.keys():
        data[name] = data[name].mask(was_never)
    is_open = data["state"] != "closed"
    # Rows without a beginning stay undated.
    lasts = is_open & end.isna() & begin.notna()
    data["team"] = pd.Series(index=rows.index, dtype=STRING)
    data["created_at"], data["terminated_at"] = begin, end
    data["begin_at"] = begin
    data["end_at"] = end.mask(lasts, until).astype(TIME)
    price = prices(rows, "price_usd_hr")
    is_unbilled, estimate = estimate_unbilled(data["billed_usd"], price, begin, end, is_open, until)
    data["cost_usd"] = data["billed_usd"].mask(is_unbilled, estimate)
    data["is_spot"] = booleans(rows, "is_spot")
    data["estimated"] = (is_open | is_unbilled).astype("boolean")
    past: pd.DataFrame = pd.DataFrame(data, index=rows.index)
    return past


def _is_blank(rows: Mapping[str, Any] | pd.DataFrame) -> pd.Series:
    """Return for which rows nothing was billed, as far as they say."""
    blank: pd.Series = rows["billed_usd"].fillna(0.0).eq(0.0)
    return blank


def _drop_outdated(past: pd.DataFrame, alive: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Drop rows of live resources that bill nothing, and open ones that bill less than those have cost.

    Open rows do not say until when they are billed.
    """
    costs = {
        thing_id: cost
        for rows in alive
        for thing_id, cost in zip(rows["id"], rows["cost_usd"], strict=True)
        if not pd.isna(thing_id)
    }
    own_usd = past["id"].map(costs).astype("Float64")
    is_less = past["state"].eq("open").fillna(False) & (past["billed_usd"] <= own_usd).fillna(False)
    is_unbilled = _is_blank(past) & past["id"].isin(costs)
    # If only the row states a beginning, the cost is known from the row alone.
    is_dating = past["state"].eq("open").fillna(False) & own_usd.isna()
    is_lesser = (is_less | (is_unbilled & ~is_dating)).astype(bool)
    if not is_lesser.any():
        return past
    rest: pd.DataFrame = past[~is_lesser].reset_index(drop=True)
    return rest


def _append_living(past: pd.DataFrame, alive: list[pd.DataFrame]) -> pd.DataFrame:
    """Append live rows; columns that only the history has are missing in them."""
    if not alive:
        return past
    living = pd.concat(alive, ignore_index=True)
    living["provisioned_by"] = living["user_id"].map(_map_names(past)).astype(STRING)
    length = len(past) + len(living)
    data = {}
    for name in past.columns:
        values = past[name]
        if name in living.columns:
            data[name] = pd.concat([values, living[name].astype(values.dtype)], ignore_index=True)
            continue
        if values.dtype.kind in "iub" and not pd.api.types.is_extension_array_dtype(values.dtype):
            values = values.convert_dtypes()
        data[name] = values.reindex(range(length))
    joined: pd.DataFrame = pd.DataFrame(data, index=pd.RangeIndex(length))
    # A resource that states its end is closed, although the history does not have it yet.
    joined.loc[len(past) :, "state"] = living["terminated_at"].isna().map({True: LIVE, False: "closed"}).array
    return joined


def _map_names(past: pd.DataFrame) -> dict[str, str]:
    """Map ids of people to names, as in the history; the last one wins."""
    pairs = pd.DataFrame({"id": text(past, "user_id"), "name": text(past, "provisioned_by")}).dropna()
    return dict(zip(pairs["id"], pairs["name"], strict=True))


def _read_spot(ids: pd.Series, pods: pd.DataFrame) -> pd.Series:
    pairs = pd.DataFrame({"id": text(pods, "id"), "is_spot": booleans(pods, "is_spot")}).dropna()
    return ids.map(dict(zip(pairs["id"], pairs["is_spot"], strict=True))).astype("boolean")


def _name_teams(ids: pd.Series, teams: pd.DataFrame | None) -> pd.Series:
    ids = ids.mask(ids == "", pd.NA)
    named = {}
    if teams is not None:
        require(teams, "teams", ("name", "team_id"))
        pairs = pd.DataFrame({"id": text(teams, "team_id"), "name": text(teams, "name")}).dropna()
        # Keep teams of one name apart, and from the personal wallet.
        is_taken = pairs["name"].duplicated(keep=False) | (pairs["name"] == _PERSONAL)
        pairs["name"] = pairs["name"].mask(is_taken, pairs["name"] + " (" + pairs["id"] + ")")
        named = dict(zip(pairs["id"], pairs["name"], strict=True))
    names = ids.map(named).astype(STRING) if named else pd.Series(index=ids.index, dtype=STRING)
    return names.fillna(ids).fillna(_PERSONAL)
