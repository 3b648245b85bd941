"""Rows of pods: the texts and percentages that every view shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.text.instants import duration, format_clock
from primepods_magic.api.text.money import format_estimate, format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import brief, sanitize, shorten
from primepods_magic.notebook.display.links import list_links
from primepods_magic.pods.support.rates import end_of
from primepods_magic.pods.watching.snapshot import ChangeKind

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.watching.snapshot import Change, Estimate, Snapshot

__all__ = [
    "PodPhase",
    "Row",
    "Totals",
    "announcement",
    "as_of_text",
    "describe_change",
    "format_overflow",
    "format_pod",
    "format_totals",
    "read_rows",
    "trouble_text",
]

_MAX_NODES = 4
_MAX_WORD = 100
_MAX_ANNOUNCED = 3
_STATES = {
    PodStatus.PENDING: "starting",
    PodStatus.DELETING: "terminating",
    PodStatus.UNKNOWN: "state unknown",
}


class PodPhase(str, Enum):
    """The phase of a pod for a person who waits; its value is the word in a summary of many pods."""

    WAITING = "waiting"
    INSTALLING = "installing"
    READY = "ready"
    FAILED = "failed"
    GONE = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """The texts of one pod, empty if unknown; ``summary`` is the whole row on one line.

    ``percent`` is the length of the bar, None if the service does not report it. Elapsed time follows the
    service's clock, until the pod ends. ``cost`` says whether it is an estimate (≈) or billed; ``left`` is an
    estimate. A settled pod does not change by waiting longer. ``width`` is the length of the longest name
    among its rows.
    """

    name: str
    gpu: str
    state: str
    detail: str
    percent: int | None
    kind: PodPhase
    price: str
    cost: str
    elapsed: str
    left: str
    commands: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    reason: str
    summary: str
    is_settled: bool
    width: int = 0


@dataclass(frozen=True)
class Totals:
    """The texts of several pods together: number, states, progress and price."""

    title: str
    states: str
    percent: int
    kind: PodPhase
    price: str


def read_rows(snapshot: Snapshot) -> tuple[Row, ...]:
    """Format a row for each pod of a snapshot, in its order."""
    rows = [format_pod(pod, snapshot.as_of, snapshot.outlook(pod)) for pod in snapshot.pods]
    width = max((max(len(row.name), len(row.gpu)) for row in rows), default=0)
    return tuple(replace(row, width=width) for row in rows)


def format_pod(pod: PodDetails, as_of: datetime, outlook: Estimate | None = None, *, step: int = 1) -> Row:
    """Format the row of a pod; percentages are rounded down to a multiple of ``step``."""
    kind = _find_phase(pod)
    is_gone = pod.status == PodStatus.TERMINATED
    percent = _read_percent(pod, kind)
    if percent is not None:
        percent -= percent % step
    reason = _explain_failure(pod)
    commands = _list_commands(pod) if kind is PodPhase.READY else ()
    state, detail = _describe_state(pod, kind, percent)
    return Row(
        name=shorten(sanitize(pod.name) or sanitize(pod.id) or "unnamed", _MAX_WORD),
        gpu=_format_gpu(pod),
        state=state,
        detail=detail,
        percent=percent,
        kind=kind,
        price=(_format_price(pod.price_hr) or _format_unread_price(pod).strip()) if not is_gone else "",
        cost=_format_cost(outlook),
        elapsed=_format_elapsed(pod.created_at, _find_end(pod, as_of, outlook)),
        left=_format_left(outlook.left_s if outlook else None) or _format_due(pod, as_of, outlook),
        commands=commands,
        links=tuple(list_links(pod)) if kind is PodPhase.READY else (),
        reason=reason,
        summary=_format_summary(kind, state, detail, commands, reason) + _format_unread_price(pod),
        is_settled=pod.is_settled,
    )


def format_totals(pods: Sequence[PodDetails]) -> Totals:
    """Format several pods together; pods that are gone neither count nor cost."""
    kinds = [_find_phase(pod) for pod in pods]
    existing = [(pod, kind) for pod, kind in zip(pods, kinds, strict=True) if kind is not PodPhase.GONE]
    counted = Counter(kinds)
    prices = [pod.price_hr for pod, _ in existing if pod.price_hr is not None]
    settled = all(pod.is_settled for pod in pods)
    return Totals(
        title=f"{len(pods)} pods",
        states=_count_phases(counted),
        percent=sum(_read_percent(pod, kind) or 0 for pod, kind in existing) // len(existing)
        if existing
        else 0,
        kind=PodPhase.INSTALLING
        if not settled
        else PodPhase.FAILED
        if counted[PodPhase.FAILED]
        else PodPhase.READY,
        price=_format_price(sum(prices)) if prices else "",
    )


def format_overflow(pods: Sequence[PodDetails]) -> str:
    """Format pods without a row, such as ``and 180 more: 30 waiting, 150 ready``; empty for none."""
    return f"and {len(pods)} more: {_count_phases(Counter(map(_find_phase, pods)))}" if pods else ""


def announcement(snapshot: Snapshot) -> str:
    """Format changes of state for a screen reader, in few enough words to listen to."""
    changes = [change for change in snapshot.changes if change.is_of_state]
    if len(changes) <= _MAX_ANNOUNCED:
        return ". ".join(map(describe_change, changes))
    return f"{len(changes)} changes. {format_totals(snapshot.pods).states}"


def describe_change(change: Change) -> str:
    """Describe a change in the words of its pod's row, so that listeners and readers learn the same."""
    if change.pod is None or change.kind in (ChangeKind.FAILED, ChangeKind.PRICE):
        return str(change).rstrip(".")
    row = format_pod(change.pod, change.at)
    return f"{row.name}{':' if row.kind is PodPhase.UNKNOWN else ' is'} {_join_state(row.state, row.detail)}"


def as_of_text(as_of: datetime) -> str:
    """Format the time of a snapshot, such as ``as of 08:02 UTC``."""
    return f"as of {format_clock(as_of)}"


def trouble_text(snapshot: Snapshot) -> str:
    """Format the age of the rows and the reason why the latest poll failed; empty if it did not."""
    if snapshot.trouble is None:
        return ""
    since = f"Not up to date since {format_clock(snapshot.as_of, seconds=True)}"
    return f"{since}: {brief(snapshot.trouble).rstrip('.')}"


def _count_phases(counted: Counter[PodPhase]) -> str:
    return ", ".join(f"{counted[kind]} {kind.value}" for kind in PodPhase if counted[kind])


def _find_phase(pod: PodDetails) -> PodPhase:
    if not pod.is_live:
        return PodPhase.GONE
    if pod.has_failed:
        return PodPhase.FAILED
    if pod.is_ready:
        return PodPhase.READY
    if pod.status in (PodStatus.PROVISIONING, PodStatus.PENDING, PodStatus.STOPPED):
        return PodPhase.WAITING
    if pod.status != PodStatus.ACTIVE or pod.installation_status == InstallationStatus.TERMINATED:
        return PodPhase.UNKNOWN
    if isinstance(pod.installation_status, InstallationStatus) or pod.installation_status is None:
        return PodPhase.INSTALLING
    return PodPhase.UNKNOWN


def _read_percent(pod: PodDetails, kind: PodPhase) -> int | None:
    if kind is PodPhase.READY or (kind is PodPhase.INSTALLING and _lacks_only_connection(pod)):
        return 100
    if kind is PodPhase.WAITING:
        return 0
    if pod.installation_progress is not None:
        return int(min(max(pod.installation_progress, 0), 100))
    begins = kind is PodPhase.FAILED or pod.installation_status == InstallationStatus.PENDING
    return 0 if begins else None


def _lacks_only_connection(pod: PodDetails) -> bool:
    return pod.status == PodStatus.ACTIVE and pod.is_installed and not pod.is_ready


def _describe_state(pod: PodDetails, kind: PodPhase, percent: int | None) -> tuple[str, str]:
    """Describe the state of a pod in words, and what there is to add; unknown words stay as they are."""
    at = "" if percent is None else f" {percent} %"
    word = shorten(sanitize(pod.installation_status), _MAX_WORD)
    if kind is PodPhase.READY:
        return "ready", ""
    if kind is PodPhase.FAILED:
        if pod.installation_status == InstallationStatus.FAILED:
            return "failed", f"installation failed at{at}" if percent else "installation failed"
        return "failed", "" if pod.status == PodStatus.ERROR else "installation stopped"
    if kind is PodPhase.INSTALLING:
        if _lacks_only_connection(pod):
            up = len(_list_targets(pod))
            return "installed", f"{up} of {pod.nodes} nodes up" if up else "no connection yet"
        if pod.installation_status == InstallationStatus.PENDING:
            return "active", "installation not started"
        return f"installing{at}", ""
    state = shorten(sanitize(pod.status), _MAX_WORD)
    if isinstance(pod.status, PodStatus):
        state = _STATES.get(pod.status, state.lower())
    is_told = kind is PodPhase.UNKNOWN and word
    return state, f"installation {word}{at if percent else ''}" if is_told else ""


def _format_summary(kind: PodPhase, state: str, detail: str, commands: tuple[str, ...], reason: str) -> str:
    if kind is PodPhase.READY:
        return "  ".join(["ready", *commands])
    if kind is PodPhase.FAILED:
        return f"failed  {reason}"
    return _join_state(state, detail)


def _join_state(state: str, detail: str) -> str:
    return f"{state}, {detail}" if detail else state


def _explain_failure(pod: PodDetails) -> str:
    # Terminating a pod stops its installation; that is not a failure.
    was_ended = not pod.is_live and pod.installation_status == InstallationStatus.TERMINATED
    if was_ended or not pod.has_failed:
        return ""
    given = brief(pod.installation_failure)
    if given:
        return given
    if pod.installation_status == InstallationStatus.FAILED:
        return "the installation failed; the service gives no reason"
    if pod.installation_status == InstallationStatus.TERMINATED and pod.status != PodStatus.ERROR:
        return "the installation was stopped before it was complete"
    return "the service reports an error and gives no reason"


def _list_targets(pod: PodDetails) -> list[str]:
    return [target.command for target in pod.connections if target]


def _list_commands(pod: PodDetails) -> tuple[str, ...]:
    given = tuple(map(brief, _list_targets(pod)))
    if len(given) <= _MAX_NODES:
        return given
    shown = given[: _MAX_NODES - 1]
    return (*shown, f"# and {len(given) - len(shown)} more nodes")


def _format_gpu(pod: PodDetails) -> str:
    name = shorten(sanitize(pod.gpu_name), _MAX_WORD)
    return f"{pod.total_gpus} × {name}" if name and pod.total_gpus is not None else name


def _format_price(usd_hr: float | None) -> str:
    return "" if usd_hr is None else format_usd_hr(usd_hr)


def _format_unread_price(pod: PodDetails) -> str:
    if pod.unread_price is None or not pod.is_live:
        return ""
    return f"  price '{brief(pod.unread_price)}' cannot be read"


def _format_cost(outlook: Estimate | None) -> str:
    if outlook is None or outlook.cost_usd is None:
        return ""
    return (
        f"{format_usd(outlook.cost_usd)} billed" if outlook.is_billed else format_estimate(outlook.cost_usd)
    )


def _format_left(seconds: float | None) -> str:
    """Format the remaining time, rounded to its accuracy."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {round(seconds, -1):.0f} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {round(seconds / 3600)} h left"


def _format_due(pod: PodDetails, as_of: datetime, outlook: Estimate | None) -> str:
    """Format when the guard ends a pod; a row that does not change any more names the time."""
    if outlook is None or outlook.due_at is None or not pod.is_live:
        return ""
    if pod.is_settled:
        return f"ends at {format_clock(outlook.due_at)}"
    return f"ends in {duration(max(outlook.due_at - as_of, timedelta()))}"


def _find_end(pod: PodDetails, as_of: datetime, outlook: Estimate | None) -> datetime | None:
    """Return the end of a pod's elapsed time; ``None`` if it ended at an unknown time."""
    ended_at = end_of(pod) or (outlook.ended_at if outlook else None)
    if pod.status == PodStatus.TERMINATED:
        return ended_at
    return as_of if ended_at is None else min(ended_at, as_of)


def _format_elapsed(created_at: datetime | None, until: datetime | None) -> str:
    if created_at is None or until is None:
        return ""
    seconds = max(int((until - created_at).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min {seconds % 60:02} s"
    return f"{hours} h {minutes % 60:02} min" if days < 1 else f"{days} d {hours % 24} h"
