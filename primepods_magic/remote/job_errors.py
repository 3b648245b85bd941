"""Errors of cells on a pod: raised there, or because the job cannot be followed."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError, RemoteError
from primepods_magic.api.text.sanitize import sanitize, shorten

from .agent.frames import Header
from .link import PodLink
from .stream_text import clean_escapes

__all__ = ["FAILURES", "describe_death", "make_failure", "make_remote_error"]

FAILURES = ("setup_failed", "link_failed", "unknown")
"""Types of frames after which no more frames of a job arrive, although it has not ended."""

_COLOR = re.compile(r"\x1b\[[\d;]*m")


def make_failure(link: PodLink, job_id: str, header: Header) -> PodsError:
    """Build the error for a frame that reports that a job cannot be followed or did not start."""
    if header["type"] == "setup_failed":
        text = shorten(sanitize(header["text"]), 800)
        return PodsError(
            f"The cell was not run on '{link.name}': {text}. The pod keeps running and is billed"
        )
    if header["type"] == "unknown":
        return InvalidRequest(f"'{link.name}' has no job {job_id}. '%pods jobs' lists them")
    return link.failure or PodsError(f"The connection to '{link.name}' was closed")


def describe_death(header: Mapping[str, Any]) -> str:
    """Describe how a kernel ended, as far as a frame of the agent says.

    >>> describe_death({"death": {"exit_code": -11}})
    'its kernel was ended by the signal SIGSEGV'
    """
    death = header.get("death")
    code = death.get("exit_code") if isinstance(death, Mapping) else None
    if not isinstance(code, int) or not -64 < code < 256:
        return "its kernel ended, because the code ended it, it was killed, or memory ran out"
    if isinstance(death, Mapping) and death.get("has_run_out") is True:
        return "the pod's memory ran out, so the system killed its kernel"
    if code >= 0:
        return f"its kernel ended itself with exit code {code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
        why = ", as when memory runs out" if name == "SIGKILL" else ""
        return f"its kernel was ended by the signal {name}{why}"
    return f"its kernel was ended by the signal {-code}"


def make_remote_error(
    pod_name: str, state: str, reply: Mapping[str, Any], *, death: str = "", number: int | None = None
) -> RemoteError:
    """Build the error for a cell that failed, was cancelled, or lost its kernel.

    `death` says how its kernel ended. `number` is the cell's local number, which replaces the number on the
    pod in the traceback.
    """
    there = reply.get("execution_count")

    def renumber(line: str) -> str:
        return line if number is None else line.replace(f"In[{there}]", f"In[{number}]")

    traceback: list[str] = []
    place = ""
    if state == "error":
        ename, evalue = str(reply.get("ename", "Error")), str(reply.get("evalue", ""))
        lines = reply.get("traceback")
        traceback = [clean_escapes(str(line)) for line in lines] if isinstance(lines, list) else []
        place = _find_place(traceback, there)
        traceback = list(map(renumber, traceback))
    elif state == "cancelled":
        ename, evalue = "Cancelled", "the cell was cancelled"
    else:
        ename = "KernelDied"
        lost = "the variables of its session are gone, and the next cell gets a new kernel"
        evalue = f"{death or describe_death({})}; {lost}"
    message = f"{sanitize(ename)} on '{pod_name}'{evalue and f': {sanitize(shorten(evalue, 2000))}'}{place}"
    return RemoteError(message, ename=ename, evalue=evalue, traceback=traceback)


def _find_place(traceback: list[str], number: object) -> str:
    """Return the line of the cell that raised the exception, in parentheses, if the traceback names it."""
    text = _COLOR.sub("", "\n".join(traceback))
    lines = (
        re.findall(rf"\bIn ?\[{int(number)}\], line (\d{{1,9}})\b", text) if isinstance(number, int) else []
    )
    return f" (line {lines[-1]})" if lines else ""
