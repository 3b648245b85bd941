"""The frame of alerts, and of launches that wait for stock."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from primepods_magic.pods.guards.alert_records import AlertRecord

from .schema import TIME, Column, build

__all__ = ["ALERTS", "alerts_frame"]


def alerts_frame(alerts: Iterable[AlertRecord]) -> pd.DataFrame:
    """Build a frame with a row for each alert, and for each launch that waits for stock.

    >>> alerts_frame([]).columns.tolist()[:4]
    ['what', 'state', 'pod', 'since']
    """
    return build(ALERTS, alerts)


ALERTS: tuple[Column[AlertRecord], ...] = (
    Column("what", "string", doc="the offer that is looked for", format="strong", max_length=120),
    Column(
        "state",
        "string",
        doc="watching, or offered while an offer fits; for a launch waiting, launched, over, failed, or "
        "lost: run it again",
        format="badge",
    ),
    Column("pod", "string", "order.name", "name of the pod that is launched once an offer fits"),
    Column("since", TIME, doc="since when it watches"),
    Column("checked_at", TIME, doc="when the offers were last seen"),
    Column("offer", "string", lambda row: row.offer or None, "the offer that fitted last", max_length=80),
    Column("price_usd_hr", "Float64", doc="its price in USD per hour"),
    Column("seen_at", TIME, doc="when it was last seen"),
    Column("until", TIME, doc="until when the launch waits"),
    Column("trouble", "string", lambda row: row.trouble or None, "what is wrong", max_length=120),
    Column("notify", "string", lambda row: row.notify or None, "the command that gets each offer"),
    Column("pod_id", "string", lambda row: row.pod_id or None, "id of the pod that was launched"),
    Column("id", "string", doc="id by which it is ended"),
)
