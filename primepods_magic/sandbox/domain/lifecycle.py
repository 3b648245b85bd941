"""What a pod is at an instant: a pure function of its plan, its recorded events and the clock.

Nothing here ticks, waits or remembers. Ask about the same pod and the same instant twice, before or after a
restart, and the answer is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from primepods_magic.sandbox.schemas.enums import InstallationStatus, PodStatus

from .billing import Charge, Rates, Repricing, Span, charges_of, price_at

EventKind = Literal["stop", "start", "reclaim", "error", "lose", "fail_installation", "reprice", "delete"]

DELETING_MS = 2000
RESTART_MS = 1500

# From which states an event makes sense. Deleting twice, or waking a pod that runs, is refused, not ignored.
_LIVING: frozenset[PodStatus] = frozenset(
    {"PROVISIONING", "PENDING", "ACTIVE", "STOPPED", "ERROR", "UNKNOWN"}
)
_ALLOWED_FROM: dict[EventKind, frozenset[PodStatus]] = {
    "stop": frozenset({"ACTIVE"}),
    "start": frozenset({"STOPPED", "ERROR", "UNKNOWN"}),
    "reclaim": _LIVING,
    "error": _LIVING - {"ERROR"},
    "lose": _LIVING - {"UNKNOWN"},
    "fail_installation": _LIVING,
    "reprice": _LIVING,
    "delete": _LIVING,
}


@dataclass(frozen=True)
class Plan:
    """What will become of a pod if nobody interferes. Fixed when the pod is created."""

    provisioning_ms: int
    pending_ms: int
    connect_after_ms: int
    """From ACTIVE until the first node's SSH connection is told."""
    node_gap_ms: int
    """From one node's connection to the next node's."""
    install_ms: int
    fails_at_percent: int | None = None
    failure: str | None = None
    reclaimed_after_ms: int | None = None
    """From the order until a spot pod's provider takes the machine back."""
    repriced_after_ms: int | None = None
    """From the order until a variable price changes."""
    repriced_usd_hr: float = 0.0


@dataclass(frozen=True)
class Event:
    """Something that happened to a pod from outside its plan; ``usd_hr`` is the price after a ``reprice``."""

    at_ms: int
    kind: EventKind
    usd_hr: float | None = None


@dataclass(frozen=True)
class Phase:
    """A state and the instant from which it holds, until the next phase."""

    from_ms: int
    status: PodStatus


@dataclass(frozen=True)
class Installation:
    """How far the installation of a pod's software has come."""

    status: InstallationStatus
    progress_percent: int
    failure: str | None = None


@dataclass(frozen=True)
class State:
    """Everything about a pod that depends on the time."""

    status: PodStatus
    since_ms: int
    installation: Installation
    connected_nodes: int
    """How many nodes' SSH connections are known; the pod's nodes come up one after another."""
    price_usd_hr: float


def timeline(created_ms: int, plan: Plan, events: Sequence[Event]) -> list[Phase]:
    """All phases of a pod, the future ones included, in order of time."""
    pending_ms = created_ms + plan.provisioning_ms
    phases = [
        Phase(created_ms, "PROVISIONING"),
        Phase(pending_ms, "PENDING"),
        Phase(pending_ms + plan.pending_ms, "ACTIVE"),
    ]
    for event in events:
        consequences = _consequences(event)
        if consequences:
            phases = [phase for phase in phases if phase.from_ms <= event.at_ms] + consequences
    if plan.reclaimed_after_ms is not None:
        reclaimed_ms = created_ms + plan.reclaimed_after_ms
        if phases[-1].status != "TERMINATED" or phases[-1].from_ms > reclaimed_ms:
            phases = [phase for phase in phases if phase.from_ms < reclaimed_ms]
            phases.append(Phase(reclaimed_ms, "TERMINATED"))
    return phases


def _consequences(event: Event) -> list[Phase]:
    at_ms = event.at_ms
    if event.kind == "stop":
        return [Phase(at_ms, "STOPPED")]
    if event.kind == "start":
        return [Phase(at_ms, "PENDING"), Phase(at_ms + RESTART_MS, "ACTIVE")]
    if event.kind == "reclaim":
        return [Phase(at_ms, "TERMINATED")]
    if event.kind == "error":
        return [Phase(at_ms, "ERROR")]
    if event.kind == "lose":
        return [Phase(at_ms, "UNKNOWN")]
    if event.kind == "delete":
        return [Phase(at_ms, "DELETING"), Phase(at_ms + DELETING_MS, "TERMINATED")]
    return []


def terminated_ms(created_ms: int, plan: Plan, events: Sequence[Event]) -> int | None:
    """When the pod is, was or will be TERMINATED by what has been recorded so far."""
    last = timeline(created_ms, plan, events)[-1]
    return last.from_ms if last.status == "TERMINATED" else None


def repricings(created_ms: int, plan: Plan, events: Sequence[Event]) -> list[Repricing]:
    """Every change of the price, the future ones included, in order of time."""
    changes = [Repricing(event.at_ms, event.usd_hr) for event in events if event.usd_hr is not None]
    if plan.repriced_after_ms is not None:
        changes.append(Repricing(created_ms + plan.repriced_after_ms, plan.repriced_usd_hr))
    return sorted(changes, key=lambda change: change.at_ms)


def charges(created_ms: int, plan: Plan, events: Sequence[Event], rates: Rates) -> list[Charge]:
    """What the pod costs and will cost by what has been recorded so far."""
    phases = timeline(created_ms, plan, events)
    ends_ms: list[int | None] = [*(phase.from_ms for phase in phases[1:]), None]
    spans = [Span(phase.status, phase.from_ms, end) for phase, end in zip(phases, ends_ms, strict=True)]
    return charges_of(spans, rates, repricings(created_ms, plan, events))


def state_at(now_ms: int, created_ms: int, plan: Plan, events: Sequence[Event], rates: Rates) -> State:
    """What the pod is at ``now_ms``."""
    phases = [phase for phase in timeline(created_ms, plan, events) if phase.from_ms <= now_ms]
    current = phases[-1] if phases else Phase(created_ms, "PROVISIONING")
    return State(
        status=current.status,
        since_ms=current.from_ms,
        installation=_installation(now_ms, current.status, phases, plan, events),
        connected_nodes=_connected_nodes(now_ms, current, plan),
        price_usd_hr=price_at(now_ms, rates, repricings(created_ms, plan, events)),
    )


def refusal(kind: EventKind, state: State) -> str | None:
    """Why ``kind`` cannot happen to a pod in ``state``; None when it can."""
    if state.status not in _ALLOWED_FROM[kind]:
        return f"'{kind}' cannot happen to a pod that is {state.status}"
    if kind == "fail_installation" and state.installation.status not in ("PENDING", "IN_PROGRESS"):
        return f"The installation is already {state.installation.status}"
    return None


def _spans(until_ms: int, phases: Sequence[Phase]) -> list[tuple[PodStatus, int]]:
    """The phases up to ``until_ms`` with how long each lasted, in milliseconds."""
    ends_ms = [phase.from_ms for phase in phases[1:]] + [until_ms]
    return [
        (phase.status, max(0, min(end_ms, until_ms) - phase.from_ms))
        for phase, end_ms in zip(phases, ends_ms, strict=True)
    ]


def _progress_percent(until_ms: int, phases: Sequence[Phase], plan: Plan) -> int:
    active_ms = sum(length_ms for status, length_ms in _spans(until_ms, phases) if status == "ACTIVE")
    return min(100, 100 * active_ms // plan.install_ms)


def _installation(
    now_ms: int, status: PodStatus, phases: Sequence[Phase], plan: Plan, events: Sequence[Event]
) -> Installation:
    percent = _progress_percent(now_ms, phases, plan)
    failed_ms = next((event.at_ms for event in events if event.kind == "fail_installation"), None)
    if failed_ms is not None and failed_ms <= now_ms:
        at_percent = _progress_percent(failed_ms, phases, plan)
        return Installation("FAILED", at_percent, "The installation was made to fail by the sandbox")
    if plan.fails_at_percent is not None and percent >= plan.fails_at_percent:
        return Installation("FAILED", plan.fails_at_percent, plan.failure)
    if percent == 100:
        return Installation("COMPLETE", 100)
    if status == "TERMINATED":
        return Installation("TERMINATED", percent)
    started = any(phase.status == "ACTIVE" for phase in phases)
    return Installation("IN_PROGRESS" if started else "PENDING", percent)


def _connected_nodes(now_ms: int, current: Phase, plan: Plan) -> int:
    waited_ms = now_ms - current.from_ms - plan.connect_after_ms
    if current.status != "ACTIVE" or waited_ms < 0:
        return 0
    return 1 + waited_ms // plan.node_gap_ms
