"""Checks of a pod itself: its connection, Python, ipykernel, disk, GPUs, SSH server and clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_sanitized, sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.doctor.finding import Finding

from .frame_checks import read_number
from .links import open_link

__all__ = ["check_pod"]

_MIN_DISK_GB = 5.0
_MAX_SKEW_S = 5.0
_MAX_CHARS = 200


def check_pod(connection: Connection, pod: PodDetails) -> list[Finding]:
    """Return the findings about a pod; a connection that fails is a finding, too.

    >>> check_pod(connection, get_pod("train").details)[0].check             # doctest: +SKIP
    'connection'
    """
    began_s = time.monotonic()
    try:
        link = open_link(connection, pod)
        link.ask("jobs")
        connected_s = time.monotonic() - began_s
        answer = link.ask("report")
    except PodsError as error:
        return [Finding("connection", "problem", str(error))]
    facts = answer.get("content")
    facts = facts if isinstance(facts, dict) else {}
    took_s = time.monotonic() - began_s - connected_s
    detail = f"logged in, and its agent answered, in {connected_s:.1f} s; the checks took {took_s:.1f} s"
    return [
        Finding("connection", "ok", detail),
        *_check_python(facts),
        *_check_disk(facts),
        *_check_gpus(pod, facts),
        *_check_server(facts),
        *_check_clock(facts, time.time() - took_s / 2),
    ]


def _clean_text(value: object) -> str:
    return sanitize(shorten(str(value), _MAX_CHARS))


def _check_python(facts: Mapping[str, Any]) -> Iterator[Finding]:
    yield Finding("python", "ok", f"the agent runs on Python {_clean_text(facts.get('python'))}")
    place = _clean_text(facts.get("kernel_python"))
    if facts.get("has_kernel") is True:
        yield Finding("ipykernel", "ok", f"kernels run in {place}")
    else:
        yield Finding(
            "ipykernel",
            "warning",
            f"{place} has no ipykernel",
            "nothing: the first '%%pod' cell installs it once, which takes a few seconds",
        )


def _check_disk(facts: Mapping[str, Any]) -> Iterator[Finding]:
    free, total = read_number(facts, "disk_free_gb"), read_number(facts, "disk_total_gb")
    if free is None or total is None:
        return
    is_low = free < _MIN_DISK_GB
    advice = "remove what you do not need; '%pods exec NAME -- du -xh -d2 ~' shows what is large"
    yield Finding(
        "disk",
        "warning" if is_low else "ok",
        f"{free:,.0f} of {total:,.0f} GB free in the home folder",
        advice if is_low else "",
    )


def _check_gpus(pod: PodDetails, facts: Mapping[str, Any]) -> Iterator[Finding]:
    # The first node is checked, and the others have as many.
    expected = (pod.total_gpus or 0) // (pod.nodes or 1)
    if "gpus" not in facts:
        said = facts.get("gpu_error") or "no answer"
        reason = join_sanitized(list(map(_clean_text, said if isinstance(said, list) else [said]))[:2])
        if expected:
            yield Finding(
                "gpu", "problem", f"nvidia-smi fails: {reason}", "terminate the pod and rent another one"
            )
        return
    gpus = list(map(_clean_text, facts["gpus"])) if isinstance(facts["gpus"], list) else []
    kinds = join_sanitized(sorted(set(gpus)))
    if len(gpus) < expected:
        yield Finding(
            "gpu",
            "problem",
            f"{len(gpus)} of {expected} GPUs: {kinds}",
            "terminate the pod and rent another one: all of them are billed",
        )
    else:
        yield Finding("gpu", "ok", f"{len(gpus)} × {kinds}")


def _check_server(facts: Mapping[str, Any]) -> Iterator[Finding]:
    limits = facts.get("limits")
    if isinstance(limits, dict) and limits:
        said = ", ".join(
            f"{_clean_text(name)} {_clean_text(value)}" for name, value in sorted(limits.items())
        )
        yield Finding("sshd", "ok", said)


def _check_clock(facts: Mapping[str, Any], now_s: float) -> Iterator[Finding]:
    there = read_number(facts, "now")
    if there is None:
        return
    skew_s = there - now_s
    if abs(skew_s) <= _MAX_SKEW_S:
        yield Finding("clock", "ok", "agrees with this computer's")
        return
    side = "ahead of" if skew_s > 0 else "behind"
    yield Finding(
        "clock",
        "warning",
        f"{abs(skew_s):,.0f} s {side} this computer's",
        "nothing here depends on it; times in your logs differ",
    )
