"""Frames of guards: their rules, activity on a pod, how guarded pods ended; and of alerts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from primepods_magic.api.text.instants import duration
from primepods_magic.api.text.money import format_usd
from primepods_magic.pods.guards.alert_records import AlertRecord
from primepods_magic.pods.guards.records import GuardRecord, Verdict
from primepods_magic.pods.guards.rules import RuleName
from primepods_magic.pods.guards.times import describe_end
from primepods_magic.remote.guards.activity import Signal

from .schema import SPAN, TIME, Column, build

__all__ = [
    "ALERTS",
    "ENDINGS",
    "GUARDS",
    "SIGNALS",
    "alerts_frame",
    "endings_frame",
    "guards_frame",
    "signals_frame",
]


@dataclass(frozen=True)
class _GuardRow:
    record: GuardRecord
    rule: RuleName

    @property
    def setting(self) -> str:
        rules = self.record.rules
        if self.rule == "deadline" and rules.ends_at is not None:
            return describe_end(rules.ends_at)
        if self.rule == "idle" and rules.idle_s is not None:
            return duration(timedelta(seconds=rules.idle_s))
        return format_usd(rules.max_total_usd if self.rule == "sum" else rules.max_month_usd)

    @property
    def is_first(self) -> bool:
        """True for the rule that ends the pod first, as things are."""
        return self.rule == self.record.due_rule

    @property
    def due_at(self) -> datetime | None:
        return self.record.due_at if self.is_first else None

    @property
    def why(self) -> str | None:
        record = self.record
        parts = [record.why if self.is_first or record.due_rule is None else "", record.trouble]
        return "; ".join(filter(None, parts)) or None


def guards_frame(guards: Iterable[GuardRecord]) -> pd.DataFrame:
    """Build a frame with a row for each rule of each guard.

    >>> guards_frame([]).columns.tolist()[:4]
    ['pod', 'rule', 'setting', 'where']
    """
    return build(GUARDS, [_GuardRow(guard, rule) for guard in guards for rule in guard.rules.list_rules()])


def signals_frame(signals: Iterable[Signal]) -> pd.DataFrame:
    """Build a frame of the signals of activity on a pod, in the order given.

    >>> signals_frame([]).columns.tolist()
    ['signal', 'state', 'value', 'quiet', 'age', 'reason']
    """
    return build(SIGNALS, signals)


def endings_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Build a frame of how guarded pods ended, in the order given.

    >>> endings_frame([]).columns.tolist()[:3]
    ['pod', 'ended_at', 'outcome']
    """
    return build(ENDINGS, verdicts)


def alerts_frame(alerts: Iterable[AlertRecord]) -> pd.DataFrame:
    """Build a frame with a row for each alert, and for each launch that waits for stock.

    >>> alerts_frame([]).columns.tolist()[:4]
    ['what', 'state', 'pod', 'since']
    """
    return build(ALERTS, alerts)


def _to_span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


GUARDS: tuple[Column[_GuardRow], ...] = (
    Column("pod", "string", "record.pod", "name of the guarded pod", format="strong"),
    Column("rule", "string", doc="deadline, idle, sum or budget"),
    Column("setting", "string", doc="when the rule ends the pod"),
    Column("where", "string", "record.where", "where the guard runs: here, on this computer, or on the pod"),
    Column("state", "string", "record.state", "armed, unproven if it cannot end the pod, ending", "badge"),
    Column("due_at", TIME, doc="when the pod ends by this rule, as things are", format="long_time"),
    Column("why", "string", doc="why then, or what is wrong", max_length=120),
    Column("checked_at", TIME, "record.checked_at", "when the pod was last checked"),
    Column("held_until", TIME, "record.held_until", "until when the pod is kept"),
    Column("armed_at", TIME, "record.armed_at", "when the guard was armed"),
    Column("tested_at", TIME, "record.tested_at", "when its power to end the pod was last proven"),
    Column("pod_id", "string", "record.pod_id", "id of its pod", max_length=34),
)

SIGNALS: tuple[Column[Signal], ...] = (
    Column("signal", "string", "name", "what is watched", format="strong"),
    Column("state", "string", doc="busy, idle or unknown, which counts as busy", format="badge"),
    Column("value", "string", lambda row: row.value or None, "what was last seen", max_length=80),
    Column("quiet", SPAN, lambda row: _to_span(row.quiet_s), "how long it has been idle", "duration"),
    Column("age", SPAN, lambda row: _to_span(row.age_s), "how old the value is", format="duration"),
    Column("reason", "string", lambda row: row.reason or None, "why it is not idle", max_length=120),
)

ENDINGS: tuple[Column[Verdict], ...] = (
    Column("pod", "string", doc="name of the pod", format="strong"),
    Column("ended_at", TIME, "at", "when it ended", format="long_time"),
    Column("outcome", "string", doc="ended, or ended by something else"),
    Column("rule", "string", doc="the rule that ended it"),
    Column("why", "string", lambda row: row.why or None, "why then", max_length=120),
    Column("billed_usd", "Float64", doc="USD that the service has billed", format="billed"),
    Column("estimated_usd", "Float64", doc="USD by its price, until it is billed", format="amount"),
    Column("due_at", TIME, doc="when it was due to end"),
    Column("where", "string", doc="where the guard ran"),
    Column("saved", "string", lambda row: ", ".join(row.saved) or None, "files that were fetched before"),
    Column("created_at", TIME),
    Column("pod_id", "string", doc="id of the pod", max_length=34),
)

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
