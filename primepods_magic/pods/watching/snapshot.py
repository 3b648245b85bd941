"""What is known of watched pods at one moment, and what has changed since the moment before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import brief, sanitize

__all__ = ["Change", "ChangeKind", "Estimate", "Snapshot", "changes_between"]


class ChangeKind(str, Enum):
    """What happened. ``INSTALLATION`` is another word or percentage. ``PRICE``: a price was told that
    cannot be read, or that is above what was agreed to for a pod that may be in use. ``UNREACHABLE``,
    ``DOUBTED`` (its answers disagree) and ``BACK`` are about the service, the others about one pod.
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


@dataclass(frozen=True)
class Change:
    """One thing that happened to a pod or to the service between two looks.

    Parameters
    ----------
    kind : ChangeKind
        What happened. Of a pod to which several things happened, what matters most to whoever waits.
    at : datetime
        When it was seen, by the service's clock (UTC).
    pod : PodDetails, optional
        The pod as it is now; ``None`` where it is about the service.
    before : PodDetails, optional
        The pod as it was; ``None`` where it was not watched before.
    reason : str, optional
        Why the service cannot be reached or relied on, or what is known of a price.
    """

    kind: ChangeKind
    at: datetime
    pod: PodDetails | None = None
    before: PodDetails | None = None
    reason: str | None = None

    @property
    def is_of_state(self) -> bool:
        """More than another percentage."""
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


@dataclass(frozen=True)
class Estimate:
    """What watching tells of a pod beyond the service's last word: estimates.

    Parameters
    ----------
    left_s : float, optional
        Until its installation is complete, in seconds, at the speed seen so far.
    cost_usd : float, optional
        What it has cost until now, or until its end, at the rates of the states that it was seen in.
    ended_at : datetime, optional
        Its end as it says itself, or when it was first seen to be gone.
    """

    left_s: float | None = None
    cost_usd: float | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """What is known of the watched pods at one moment.

    Parameters
    ----------
    pods : tuple of PodDetails
        In the order in which they were asked for; those that joined, last. A pod that has not changed is the
        same object as in the snapshot before.
    as_of : datetime
        When they were seen so, by the service's clock (UTC).
    trouble : str, optional
        Why the latest look failed, or what became of a pod cannot be told; it is then as last seen.
    is_last : bool
        Nobody looks any more, although pods may not be settled.
    changes : tuple of Change
        What has changed since the snapshot before; each change is in one snapshot, and in no other.
    outlooks : mapping of str to Outlook
        Estimates, by the pods' ids.
    """

    pods: tuple[PodDetails, ...]
    as_of: datetime
    trouble: str | None = None
    is_last: bool = False
    changes: tuple[Change, ...] = ()
    outlooks: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Every pod is ready, failed or gone."""
        return all(pod.is_settled for pod in self.pods)

    @property
    def are_gone(self) -> bool:
        """None of the pods is there any more."""
        return all(pod.status == PodStatus.TERMINATED for pod in self.pods)

    def outlook(self, pod: PodDetails) -> Estimate:
        """The estimates for a pod; empty where there are none."""
        return self.outlooks.get(pod.id or "", _UNKNOWN)


_UNKNOWN = Estimate()


def changes_between(
    before: Mapping[str | None, PodDetails], pods: Iterable[PodDetails], at: datetime
) -> tuple[Change, ...]:
    """What happened to pods since they were last seen, one change for each pod that differs.

    Parameters
    ----------
    before : mapping of str to PodDetails
        As they were, by id.
    pods : iterable of PodDetails
        As they are.
    at : datetime
        When they were seen so.

    Examples
    --------
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
    said, before = (
        (one.installation_status, one.installation_progress, one.installation_failure) for one in (pod, old)
    )
    return ChangeKind.INSTALLATION if said != before else None
