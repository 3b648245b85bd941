"""Snapshots of watched pods, and the changes between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import brief, sanitize
from primepods_magic.api.text.short_repr import ShortRepr

__all__ = ["Change", "ChangeKind", "Estimate", "Snapshot", "changes_between"]


class ChangeKind(str, Enum):
    """Kinds of changes; UNREACHABLE, DOUBTED and BACK concern the service, the others one pod.

    PRICE: a price cannot be read, or is above the agreed one for a pod that may be in use. DOUBTED: the
    service's answers disagree.
    """

    CREATED = "created"
    STATUS = "status"
    INSTALLATION = "installation"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"
    UNREACHABLE = "unreachable"
    DOUBTED = "doubted"
    PRICE = "price"
    BACK = "back"


@dataclass(frozen=True, repr=False)
class Change(ShortRepr):
    """A change of a pod or of the service between two polls.

    `at` is the service's time (UTC). `pod` is None for the service, `before` for a new pod. If several things
    happened to a pod, `kind` is the most important one.
    """

    kind: ChangeKind
    at: datetime
    pod: PodDetails | None = None
    before: PodDetails | None = None
    reason: str | None = None

    @property
    def is_of_state(self) -> bool:
        """True if more than the percentage of an installation has changed."""
        if self.kind is not ChangeKind.INSTALLATION or self.pod is None or self.before is None:
            return True
        return self.pod.installation_status != self.before.installation_status

    def __str__(self) -> str:
        if self.pod is None:
            if self.kind is ChangeKind.BACK:
                return "the service answers again"
            what = "cannot be relied on" if self.kind is ChangeKind.DOUBTED else "cannot be reached"
            return f"the service {what}: {brief(self.reason)}"
        if self.kind is ChangeKind.PRICE:
            return self.reason or ""
        name, pod = brief(self.pod.name) or brief(self.pod.id), self.pod
        if self.kind is ChangeKind.CREATED:
            return f"{name} joined: {sanitize(pod.status)}"
        if self.kind is ChangeKind.FAILED:
            why = f": {brief(pod.installation_failure)}" if pod.installation_failure else ""
            return f"{name} failed{why}"
        if self.kind is ChangeKind.STATUS:
            return f"{name} is {sanitize(pod.status)}"
        if self.kind is ChangeKind.INSTALLATION:
            percent = "" if pod.installation_progress is None else f" {pod.installation_progress:.0f} %"
            return f"{name}: installation {sanitize(pod.installation_status) or 'unknown'}{percent}"
        return f"{name} is {self.kind.value}"


@dataclass(frozen=True, repr=False)
class Estimate(ShortRepr):
    """Estimates for a watched pod: remaining installation time, cost so far in USD, and end (UTC).

    `due_at` is when its guard ends it, as things are.

    `ended_at` is the end that the pod states, or when it was first seen to be gone. `is_billed` says that
    the cost is what the service billed.
    """

    left_s: float | None = None
    cost_usd: float | None = None
    ended_at: datetime | None = None
    is_billed: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, repr=False)
class Snapshot(ShortRepr):
    """State of the watched pods at one moment (``as_of``, by the service's clock in UTC).

    Pods keep their order; new ones come last, and an unchanged pod is the same object as before. `trouble`
    says why the latest poll failed or is doubtful. After `is_last`, polling has stopped. `changes` are those
    since the snapshot before, and `outlooks` are estimates by pod id.
    """

    pods: tuple[PodDetails, ...]
    as_of: datetime
    trouble: str | None = None
    is_last: bool = False
    changes: tuple[Change, ...] = ()
    outlooks: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """True if every pod is ready, failed or gone."""
        return all(pod.is_settled for pod in self.pods)

    @property
    def are_gone(self) -> bool:
        """True if all pods are gone."""
        return all(pod.status == PodStatus.TERMINATED for pod in self.pods)

    def outlook(self, pod: PodDetails) -> Estimate:
        """Return the estimates for a pod; empty if there are none."""
        return self.outlooks.get(pod.id or "", _UNKNOWN)


_UNKNOWN = Estimate()


def changes_between(
    before: Mapping[str | None, PodDetails], pods: Iterable[PodDetails], at: datetime
) -> tuple[Change, ...]:
    """List the changes of pods since ``before``, one for each pod that differs.

    >>> was, now = PodDetails(id="a", name="train"), PodDetails(id="a", name="train", status="TERMINATED")
    >>> [str(change) for change in changes_between({"a": was}, [now], datetime(2026, 11, 24))]
    ['train is gone']
    """
    changes = []
    for pod in pods:
        old = before.get(pod.id)
        if old is pod or not pod.id:
            continue
        kind = ChangeKind.CREATED if old is None else _classify_change(old, pod)
        if kind is not None:
            changes.append(Change(kind, at, pod, old))
    return tuple(changes)


def _classify_change(old: PodDetails, pod: PodDetails) -> ChangeKind | None:
    is_gone = pod.status == PodStatus.TERMINATED
    if is_gone and old.status != PodStatus.TERMINATED:
        return ChangeKind.GONE
    if pod.has_failed and pod.is_live and not old.has_failed:
        return ChangeKind.FAILED
    if pod.is_ready and not old.is_ready:
        return ChangeKind.READY
    if pod.status != old.status:
        return ChangeKind.STATUS
    now, before = (
        (one.installation_status, one.installation_progress, one.installation_failure) for one in (pod, old)
    )
    return ChangeKind.INSTALLATION if now != before else None
