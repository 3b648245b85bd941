"""The installation log of a pod."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from primepods_magic.sandbox.schemas.enums import PodStatus

from .clock import iso
from .lifecycle import Event, EventKind, Phase, timeline
from .records import PodRecord

__all__ = ["log_text"]


class LogLine(NamedTuple):
    at_ms: int
    text: str


_STEPS = (
    (0, "apt-get update: 214 packages, 0 held back"),
    (6, "NVIDIA driver 570.86.15: unpacking"),
    (14, "NVIDIA driver 570.86.15: dkms build for kernel 6.8.0-41"),
    (24, "CUDA toolkit 12.8: ready"),
    (30, "image {image}: pulling layer 1 of 6"),
    (37, "image {image}: pulling layer 2 of 6"),
    (44, "image {image}: pulling layer 3 of 6"),
    (51, "image {image}: pulling layer 4 of 6"),
    (58, "image {image}: pulling layer 5 of 6"),
    (65, "image {image}: pulling layer 6 of 6"),
    (72, "image {image}: extracting"),
    (82, "container: starting"),
    (90, "nvidia-smi: {gpu_count} x {gpu_type}"),
    (96, "sshd: listening on port 22"),
)
_PHASE_TEXTS: dict[PodStatus, str] = {
    "PROVISIONING": "pod: ordered at {provider}",
    "PENDING": "pod: the machine is booting",
    "ACTIVE": "pod: the machine is up",
    "STOPPED": "pod: stopped",
    "ERROR": "pod: the provider reports an error",
    "UNKNOWN": "pod: the provider reports no status",
    "DELETING": "pod: being deleted",
    "TERMINATED": "pod: terminated",
}
_EVENT_TEXTS: dict[EventKind, str] = {"reclaim": "pod: the provider takes the machine back"}


def log_text(record: PodRecord, events: Sequence[Event], now_ms: int, *, tail: int) -> str:
    """Render the newest `tail` lines of a pod's log at `now_ms`, each ending in a newline."""
    phases = timeline(record.created_ms, record.plan, events)
    lines = [
        LogLine(phase.from_ms, _PHASE_TEXTS[phase.status].format(provider=record.provider))
        for phase in phases
    ]
    lines += [
        LogLine(event.at_ms, _EVENT_TEXTS[event.kind]) for event in events if event.kind in _EVENT_TEXTS
    ]
    lines += _make_install_lines(record, phases, events)
    written = sorted((line for line in lines if line.at_ms <= now_ms), key=lambda line: line.at_ms)
    kept = written[-tail:] if tail else []
    return "".join(f"{iso(line.at_ms)} {line.text}\n" for line in kept)


def _make_install_lines(record: PodRecord, phases: Sequence[Phase], events: Sequence[Event]) -> list[LogLine]:
    plan = record.plan
    failed_ms = next((event.at_ms for event in events if event.kind == "fail_installation"), None)
    lines = []
    for percent, text in _STEPS:
        if plan.fails_at_percent is not None and percent >= plan.fails_at_percent:
            break
        at_ms = _find_reached_ms(percent, phases, plan.install_ms)
        if at_ms is None or (failed_ms is not None and at_ms >= failed_ms):
            break
        step = text.format(image=record.image, gpu_count=record.gpu_count, gpu_type=record.gpu_type)
        lines.append(LogLine(at_ms, f"install: {percent:3d}% {step}"))
    end_percent = 100 if plan.fails_at_percent is None else plan.fails_at_percent
    end_ms = _find_reached_ms(end_percent, phases, plan.install_ms)
    if failed_ms is not None and (end_ms is None or failed_ms < end_ms):
        lines.append(LogLine(failed_ms, "install: FAILED: made to fail by the sandbox"))
    elif end_ms is not None:
        over = "install: 100% ready" if plan.fails_at_percent is None else f"install: FAILED: {plan.failure}"
        lines.append(LogLine(end_ms, over))
    return lines


def _find_reached_ms(percent: int, phases: Sequence[Phase], install_ms: int) -> int | None:
    """Return when the installation reaches `percent`, or None if the pod is not ACTIVE for long enough."""
    # Round up: the log must never be ahead of the progress.
    missing_ms = -(-percent * install_ms // 100)
    ends_ms = [phase.from_ms for phase in phases[1:]]
    for phase, end_ms in zip(phases, [*ends_ms, None], strict=True):
        if phase.status != "ACTIVE":
            continue
        if end_ms is None or end_ms - phase.from_ms > missing_ms:
            return phase.from_ms + missing_ms
        missing_ms -= end_ms - phase.from_ms
    return None
