"""Arm, hold and end the guards of pods, by the guard process of the account."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from primepods_magic.api.errors import GuardNotArmed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection

from .alert_records import list_alert_records
from .process import find_process, open_process
from .records import (
    GuardRecord,
    Verdict,
    find_account_folder,
    has_guards,
    list_records,
    list_verdicts,
    take_news,
)
from .rules import GuardRules, Place

__all__ = [
    "arm_guard",
    "check_guards",
    "end_guard",
    "hold_pod",
    "keep_guards",
    "read_endings",
    "refuse_idle",
    "require_guards",
]

_HISTORY_ROWS = 100


def require_guards(connection: Connection) -> None:
    """Raise GuardNotArmed unless a guard on this computer could end a pod: a test fire, before any launch."""
    answer = open_process(connection).ask("test")
    if answer["obstacle"]:
        raise GuardNotArmed(f"No guard can be armed here: {answer['obstacle']}. Nothing was created")


def refuse_idle(what: str, outcome: str) -> GuardNotArmed:
    """Return the error for an idle rule on several nodes, which could never end them."""
    return GuardNotArmed(
        f"An idle rule watches one node, and {what} has several. {outcome}. End it with 'for' or 'until', or "
        "at a sum with 'max_total_usd'"
    )


def arm_guard(
    connection: Connection, pod: PodDetails, rules: GuardRules, where: Place = "here"
) -> GuardRecord:
    """Arm the guard of a pod, after a test fire for this pod, and return it; an earlier one is replaced.

    One on the pod is armed there before, and only watched from here. Raises GuardNotArmed if the guard could
    not end the pod; an earlier guard stays as it is.
    """
    name = sanitize(pod.name)
    try:
        answer = open_process(connection).ask(
            "arm", pod_id=pod.id, pod=pod.name, rules=rules.model_dump(mode="json"), where=where
        )
    except GuardNotArmed:
        raise
    except PodsError as error:
        raise GuardNotArmed(f"The guard of '{name}' is not armed: {error}") from None
    return GuardRecord.model_validate(answer["record"])


def end_guard(connection: Connection, pod_id: str) -> None:
    """End the guard of a pod, which then ends only by hand. Raises PodsError if it has none."""
    open_process(connection).ask("disarm", pod_id=pod_id)


def hold_pod(connection: Connection, pod_id: str, until: datetime) -> GuardRecord:
    """Keep a pod from its deadline and from idleness until a time; sums still end it.

    Raises PodsError if it has no guard.
    """
    answer = open_process(connection).ask("hold", pod_id=pod_id, until=until.isoformat())
    return GuardRecord.model_validate(answer["record"])


def check_guards(connection: Connection) -> list[GuardRecord]:
    """Return the guards of an account, checked now if their process runs."""
    folder = find_account_folder(connection)
    if list_records(folder):
        open_process(connection).ask("check")
    return list_records(folder)


def read_endings(connection: Connection) -> list[Verdict]:
    """Return how guarded pods ended, the latest first, with what the service has billed since then."""
    verdicts = list_verdicts(find_account_folder(connection))[::-1]
    unbilled = {verdict.pod_id for verdict in verdicts if verdict.billed_usd is None}
    if not unbilled:
        return verdicts
    try:
        rows = connection.client.pod_history(limit=_HISTORY_ROWS).items
    except PodsError:
        return verdicts
    # Until it is billed, the service says 0.
    billed = {row.id: row.total_billed_price for row in rows if row.id in unbilled and row.total_billed_price}
    return [
        verdict.model_copy(update={"billed_usd": billed[verdict.pod_id]})
        if verdict.pod_id in billed
        else verdict
        for verdict in verdicts
    ]


def keep_guards(connection: Connection) -> list[str]:
    """Return what guards and alerts have to say since the last command; restart a killed process.

    Nothing is requested if no guard was ever armed here, and no error is raised.
    """
    if not has_guards():
        return []
    try:
        folder = find_account_folder(connection)
    except PodsError:
        return []
    return [*take_news(folder), *filter(None, [_restart_process(connection, folder)])]


def _restart_process(connection: Connection, folder: Path | None) -> str:
    records = list_records(folder)
    alerts = [alert for alert in list_alert_records(folder) if alert.is_active]
    if not (records or alerts) or find_process(folder) is not None:
        return ""
    if not records:
        return _restart_alerts(connection, len(alerts))
    names = ", ".join(f"'{sanitize(record.pod)}'" for record in records)
    checked = max((record.checked_at for record in records if record.checked_at), default=None)
    since = f" since {checked:%H:%M:%S} UTC" if checked else ""
    try:
        open_process(connection)
    except PodsError as error:
        return f"{names} may not end in time: no guard runs{since}, and it cannot be started. {error}"
    return f"The guard of {names} did not run{since}, and was started again"


def _restart_alerts(connection: Connection, count: int) -> str:
    what = f"{count} alert{'' if count == 1 else 's'}"
    try:
        open_process(connection)
    except PodsError as error:
        return f"{what} cannot watch, and no launch can wait for stock: {error}"
    return f"The process of {what} was ended, and was started again"
