"""What a row says about a pod: the words and the percentages of every view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.text.money import format_estimate, format_usd_hr
from primepods_magic.api.text.sanitize import brief, sanitize, shorten
from primepods_magic.pods.support.rates import end_of

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.watching.snapshot import Estimate, Snapshot

__all__ = [
    "PodPhase",
    "Row",
    "Totals",
    "announcement",
    "as_of_text",
    "format_overflow",
    "format_pod",
    "format_totals",
    "read_rows",
    "trouble_text",
]

_SHOWN_NODES = 4
_LONGEST_WORD = 100
_TOLD_AT_ONCE = 3


class PodPhase(str, Enum):
    """What a pod's state means to whoever waits for it. Its value is the word in a summary of many pods."""

    WAITING = "waiting"
    INSTALLING = "installing"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """What is said about one pod.

    Parameters
    ----------
    name : str
        The pod's name, or its id where it has none.
    gpu : str
        ``8 × H100_80GB``.
    status : str
        The pod's status, in the service's word.
    installation : str
        How far the installation is: ``IN_PROGRESS 40 %``, ``COMPLETE 100 %``; empty where nothing is said.
    percent : int or None
        How far the bar reaches, from 0 to 100; None where the service does not say.
    kind : Kind
        What that means.
    price : str
        ``$2.69/h``, or empty.
    cost : str
        What it has cost until now, an estimate: ``about $0.08 so far``, or empty.
    elapsed : str
        From the creation of the pod to its end, or until now, by the service's clock: ``4 min 05 s``, or
        empty.
    left : str
        How long the installation will take, an estimate: ``about 40 s left``, or empty.
    commands : tuple of str
        Once it is ready: how to connect to each node.
    reason : str
        Why it failed, or empty.
    summary : str
        Status, installation and outcome in one line: ``ACTIVE  installing 40 %``.
    is_settled : bool
        Waiting longer changes nothing.
    """

    name: str
    gpu: str
    status: str
    installation: str
    percent: int | None
    kind: PodPhase
    price: str
    cost: str
    elapsed: str
    left: str
    commands: tuple[str, ...]
    reason: str
    summary: str
    is_settled: bool


@dataclass(frozen=True)
class Totals:
    """What is said about several pods together: how many, in which states, how far, at what price."""

    title: str
    states: str
    percent: int
    kind: PodPhase
    price: str


def read_rows(snapshot: Snapshot) -> tuple[Row, ...]:
    """A row for each pod of a snapshot, in its order."""
    return tuple(format_pod(pod, snapshot.as_of, snapshot.outlook(pod)) for pod in snapshot.pods)


def format_pod(pod: PodDetails, as_of: datetime, outlook: Estimate | None = None, *, step: int = 1) -> Row:
    """What to say about a pod.

    Parameters
    ----------
    pod : PodDetails
        The pod, as last seen.
    as_of : datetime
        When that was, by the service's clock.
    outlook : Outlook, optional
        Estimates for it.
    step : int
        Percentages are rounded down to a multiple of it.
    """
    kind = _kind(pod)
    percent = _percent(pod, kind)
    if percent is not None:
        percent -= percent % step
    reason = _reason(pod)
    commands = _commands(pod) if kind is PodPhase.READY else ()
    return Row(
        name=shorten(sanitize(pod.name) or sanitize(pod.id) or "unnamed", _LONGEST_WORD),
        gpu=_gpu(pod),
        status=shorten(sanitize(pod.status), _LONGEST_WORD),
        installation=_installation(pod, kind, percent),
        percent=percent,
        kind=kind,
        price=_price(pod.price_hr) or _unread_price(pod).strip(),
        cost=_cost(outlook.cost_usd if outlook else None),
        elapsed=_elapsed(pod.created_at, _seen_until(pod, as_of, outlook)),
        left=_left(outlook.left_s if outlook else None),
        commands=commands,
        reason=reason,
        summary=_summary(pod, kind, percent, commands, reason) + _unread_price(pod),
        is_settled=pod.is_settled,
    )


def format_totals(pods: Sequence[PodDetails]) -> Totals:
    """What to say about several pods together; those that are gone neither count nor cost."""
    kinds = [_kind(pod) for pod in pods]
    there = [(pod, kind) for pod, kind in zip(pods, kinds, strict=True) if kind is not PodPhase.GONE]
    counted = Counter(kinds)
    prices = [pod.price_hr for pod, _ in there if pod.price_hr is not None]
    settled = all(pod.is_settled for pod in pods)
    return Totals(
        title=f"{len(pods)} pods",
        states=_states(counted),
        percent=sum(_percent(pod, kind) or 0 for pod, kind in there) // len(there) if there else 0,
        kind=PodPhase.INSTALLING
        if not settled
        else PodPhase.FAILED
        if counted[PodPhase.FAILED]
        else PodPhase.READY,
        price=_price(sum(prices)) if prices else "",
    )


def format_overflow(pods: Sequence[PodDetails]) -> str:
    """What to say about pods that have no row: ``and 180 more: 30 waiting, 150 ready``; empty for none."""
    return f"and {len(pods)} more: {_states(Counter(map(_kind, pods)))}" if pods else ""


def announcement(snapshot: Snapshot) -> str:
    """What a screen reader is to say of a snapshot: changes of state, few enough to be listened to."""
    changes = [change for change in snapshot.changes if change.is_of_state]
    if len(changes) <= _TOLD_AT_ONCE:
        return ". ".join(str(change).rstrip(".") for change in changes)
    return f"{len(changes)} changes. {format_totals(snapshot.pods).states}"


def as_of_text(as_of: datetime) -> str:
    """``as of 08:02 UTC``."""
    return f"as of {as_of:%H:%M} UTC"


def trouble_text(snapshot: Snapshot) -> str:
    """From when the rows are, and why the latest look failed; empty where it did not."""
    if snapshot.trouble is None:
        return ""
    since = f"Not up to date since {snapshot.as_of:%H:%M:%S} UTC"
    return f"{since}: {brief(snapshot.trouble).rstrip('.')}"


def _states(counted: Counter[PodPhase]) -> str:
    return ", ".join(f"{counted[kind]} {kind.value}" for kind in PodPhase if counted[kind])


def _kind(pod: PodDetails) -> PodPhase:
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


def _percent(pod: PodDetails, kind: PodPhase) -> int | None:
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


def _installation(pod: PodDetails, kind: PodPhase, percent: int | None) -> str:
    word = shorten(sanitize(pod.installation_status), _LONGEST_WORD)
    if kind is PodPhase.READY:
        return "COMPLETE 100 %"
    if kind is PodPhase.INSTALLING and _lacks_only_connection(pod):
        return f"{word}, no connection yet".removeprefix(", ")
    if not word or not percent:
        return word
    return f"{word} at {percent} %" if word == InstallationStatus.FAILED else f"{word} {percent} %"


def _summary(
    pod: PodDetails, kind: PodPhase, percent: int | None, commands: tuple[str, ...], reason: str
) -> str:
    said = (pod.status, pod.installation_status)
    status, word = (shorten(sanitize(one), _LONGEST_WORD) for one in said)
    if kind is PodPhase.READY:
        return "  ".join(["ready", *commands])
    if kind is PodPhase.FAILED:
        failed = pod.installation_status == InstallationStatus.FAILED
        return f"{'FAILED' if failed else status}  {reason}"
    if kind is PodPhase.INSTALLING and _lacks_only_connection(pod):
        return f"{status}  installed, no connection yet"
    if kind is PodPhase.INSTALLING and word != InstallationStatus.PENDING:
        return f"{status}  installing" if percent is None else f"{status}  installing {percent} %"
    if kind in (PodPhase.INSTALLING, PodPhase.UNKNOWN) and word:
        return f"{status}  installation {word}"
    return status


def _reason(pod: PodDetails) -> str:
    # Ending a pod ends its installation; that is no failure.
    was_ended = not pod.is_live and pod.installation_status == InstallationStatus.TERMINATED
    if was_ended or not pod.has_failed:
        return ""
    given = brief(pod.installation_failure)
    if given:
        return given
    if pod.installation_status == InstallationStatus.FAILED:
        return "the installation failed; the service gives no reason"
    if pod.installation_status == InstallationStatus.TERMINATED and pod.status != PodStatus.ERROR:
        return "the installation was ended before it was complete"
    return "the service reports an error and gives no reason"


def _commands(pod: PodDetails) -> tuple[str, ...]:
    given = tuple(brief(target.command) for target in pod.connections if target is not None)
    if len(given) <= _SHOWN_NODES:
        return given
    shown = given[: _SHOWN_NODES - 1]
    return (*shown, f"# and {len(given) - len(shown)} more nodes")


def _gpu(pod: PodDetails) -> str:
    name = shorten(sanitize(pod.gpu_name), _LONGEST_WORD)
    return f"{pod.gpu_count} × {name}" if name and pod.gpu_count is not None else name


def _price(usd_hr: float | None) -> str:
    return "" if usd_hr is None else format_usd_hr(usd_hr)


def _unread_price(pod: PodDetails) -> str:
    if pod.unread_price is None or not pod.is_live:
        return ""
    return f"  price '{brief(pod.unread_price)}' cannot be read"


def _cost(usd: float | None) -> str:
    return "" if usd is None else f"{format_estimate(usd)} so far"


def _left(seconds: float | None) -> str:
    """Rounded as roughly as it is known."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {round(seconds, -1):.0f} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {round(seconds / 3600)} h left"


def _seen_until(pod: PodDetails, as_of: datetime, outlook: Estimate | None) -> datetime | None:
    """Return up to when a pod is measured; ``None`` if it has ended and no one knows when."""
    ended_at = end_of(pod) or (outlook.ended_at if outlook else None)
    if ended_at is None:
        return None if pod.status == PodStatus.TERMINATED else as_of
    return min(ended_at, as_of)


def _elapsed(created_at: datetime | None, until: datetime | None) -> str:
    if created_at is None or until is None:
        return ""
    seconds = max(int((until - created_at).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min {seconds % 60:02} s"
    return f"{hours} h {minutes % 60:02} min" if days < 1 else f"{days} d {hours % 24} h"
