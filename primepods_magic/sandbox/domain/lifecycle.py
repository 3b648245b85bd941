"""The state of a pod as a pure function of its plan, its recorded events and the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from primepods_magic.sandbox.schemas.enums import InstallationStatus, PodStatus

from .billing import Charge, Rates, Repricing, Span, charges_of, price_at

EventKind = Literal["stop", "start", "reclaim", "error", "lose", "fail_installation", "reprice", "delete"]

DELETING_MS = 2000
RESTART_MS = 1500

# The states in which each event is allowed. An event in another state is an error, not ignored.
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
# The phases that follow an event, with their delays in milliseconds.
_CONSEQUENCES: dict[EventKind, tuple[tuple[int, PodStatus], ...]] = {
    "stop": ((0, "STOPPED"),),
    "start": ((0, "PENDING"), (RESTART_MS, "ACTIVE")),
    "reclaim": ((0, "TERMINATED"),),
    "error": ((0, "ERROR"),),
    "lose": ((0, "UNKNOWN"),),
    "delete": ((0, "DELETING"), (DELETING_MS, "TERMINATED")),
}


@dataclass(frozen=True)
class Plan:
    """The course of a pod, fixed when it is created, unless events change it."""

    provisioning_ms: int
    pending_ms: int
    connect_after_ms: int
    """From ACTIVE until the first node's SSH connection is known."""
    node_gap_ms: int
    """From one node's connection to the next node's."""
    install_ms: int
    fails_at_percent: int | None = None
    failure: str | None = None
    reclaimed_after_ms: int | None = None
    """From the order until the provider reclaims a spot pod."""
    repriced_after_ms: int | None = None
    """From the order until a variable price changes."""
    repriced_usd_hr: float = 0.0


@dataclass(frozen=True)
class Event:
    """A recorded event; `usd_hr` is the new price of a `reprice`."""

    at_ms: int
    kind: EventKind
    usd_hr: float | None = None


@dataclass(frozen=True)
class Phase:
    """A state that holds from an instant until the next phase."""

    from_ms: int
    status: PodStatus


@dataclass(frozen=True)
class Installation:
    status: InstallationStatus
    progress_percent: int
    failure: str | None = None


@dataclass(frozen=True)
class State:
    """The time-dependent part of a pod."""

    status: PodStatus
    since_ms: int
    installation: Installation
    connected_nodes: int
    """Number of nodes with a known SSH connection; nodes come up one after another."""
    price_usd_hr: float


def timeline(created_ms: int, plan: Plan, events: Sequence[Event]) -> list[Phase]:
    """Return all phases of a pod, including future ones, in order of time."""
    pending_ms = created_ms + plan.provisioning_ms
    phases = [
        Phase(created_ms, "PROVISIONING"),
        Phase(pending_ms, "PENDING"),
        Phase(pending_ms + plan.pending_ms, "ACTIVE"),
    ]
    for event in events:
        consequences = _CONSEQUENCES.get(event.kind)
        if consequences:
            # Replace what was planned after the event.
            phases = [phase for phase in phases if phase.from_ms <= event.at_ms]
            phases += [Phase(event.at_ms + delay_ms, status) for delay_ms, status in consequences]
    if plan.reclaimed_after_ms is not None:
        reclaimed_ms = created_ms + plan.reclaimed_after_ms
        if phases[-1].status != "TERMINATED" or phases[-1].from_ms > reclaimed_ms:
            phases = [phase for phase in phases if phase.from_ms < reclaimed_ms]
            phases.append(Phase(reclaimed_ms, "TERMINATED"))
    return phases


def terminated_ms(created_ms: int, plan: Plan, events: Sequence[Event]) -> int | None:
    """Return when the pod becomes TERMINATED, as far as is recorded."""
    last = timeline(created_ms, plan, events)[-1]
    return last.from_ms if last.status == "TERMINATED" else None


def repricings(created_ms: int, plan: Plan, events: Sequence[Event]) -> list[Repricing]:
    """Return all price changes, including future ones, in order of time."""
    changes = [Repricing(event.at_ms, event.usd_hr) for event in events if event.usd_hr is not None]
    if plan.repriced_after_ms is not None:
        changes.append(Repricing(created_ms + plan.repriced_after_ms, plan.repriced_usd_hr))
    return sorted(changes, key=lambda change: change.at_ms)


def charges(created_ms: int, plan: Plan, events: Sequence[Event], rates: Rates) -> list[Charge]:
    """Return all charges of a pod, including future ones."""
    phases = timeline(created_ms, plan, events)
    ends_ms: list[int | None] = [*(phase.from_ms for phase in phases[1:]), None]
    spans = [Span(phase.status, phase.from_ms, end) for phase, end in zip(phases, ends_ms, strict=True)]
    return charges_of(spans, rates, repricings(created_ms, plan, events))


def state_at(now_ms: int, created_ms: int, plan: Plan, events: Sequence[Event], rates: Rates) -> State:
    phases = [phase for phase in timeline(created_ms, plan, events) if phase.from_ms <= now_ms]
    current = phases[-1] if phases else Phase(created_ms, "PROVISIONING")
    return State(
        status=current.status,
        since_ms=current.from_ms,
        installation=_compute_installation(now_ms, current.status, phases, plan, events),
        connected_nodes=_count_connected_nodes(now_ms, current, plan),
        price_usd_hr=price_at(now_ms, rates, repricings(created_ms, plan, events)),
    )


def refusal(kind: EventKind, state: State) -> str | None:
    """Explain why an event cannot happen in this state, or return None."""
    if state.status not in _ALLOWED_FROM[kind]:
        return f"'{kind}' cannot happen to a pod that is {state.status}"
    if kind == "fail_installation" and state.installation.status not in ("PENDING", "IN_PROGRESS"):
        return f"The installation is already {state.installation.status}"
    return None


def _measure_phases(until_ms: int, phases: Sequence[Phase]) -> list[tuple[PodStatus, int]]:
    """Return the phases up to `until_ms`, each with its length in milliseconds."""
    ends_ms = [phase.from_ms for phase in phases[1:]] + [until_ms]
    return [
        (phase.status, max(0, min(end_ms, until_ms) - phase.from_ms))
        for phase, end_ms in zip(phases, ends_ms, strict=True)
    ]


def _compute_progress(until_ms: int, phases: Sequence[Phase], plan: Plan) -> int:
    active_ms = sum(
        length_ms for status, length_ms in _measure_phases(until_ms, phases) if status == "ACTIVE"
    )
    return min(100, 100 * active_ms // plan.install_ms)


def _compute_installation(
    now_ms: int, status: PodStatus, phases: Sequence[Phase], plan: Plan, events: Sequence[Event]
) -> Installation:
    percent = _compute_progress(now_ms, phases, plan)
    failed_ms = next((event.at_ms for event in events if event.kind == "fail_installation"), None)
    if failed_ms is not None and failed_ms <= now_ms:
        at_percent = _compute_progress(failed_ms, phases, plan)
        return Installation("FAILED", at_percent, "The installation was made to fail by the sandbox")
    if plan.fails_at_percent is not None and percent >= plan.fails_at_percent:
        return Installation("FAILED", plan.fails_at_percent, plan.failure)
    if percent == 100:
        return Installation("COMPLETE", 100)
    if status == "TERMINATED":
        return Installation("TERMINATED", percent)
    started = any(phase.status == "ACTIVE" for phase in phases)
    return Installation("IN_PROGRESS" if started else "PENDING", percent)


def _count_connected_nodes(now_ms: int, current: Phase, plan: Plan) -> int:
    waited_ms = now_ms - current.from_ms - plan.connect_after_ms
    if current.status != "ACTIVE" or waited_ms < 0:
        return 0
    return 1 + waited_ms // plan.node_gap_ms
