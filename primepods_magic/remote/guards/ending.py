"""The end of a guarded pod: interrupt its cells, save what was asked for, terminate it, and verify that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.records import GuardRecord
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.terminate import GONE, TerminationResult, terminate_pods
from primepods_magic.remote.links import open_link

__all__ = ["NotDue", "UnsavedFiles", "end_pod"]

_GRACE_S = 30.0
_POLL_S = 0.5
# A pod that hangs must not live longer for it.
_ASK_S = 10.0
_ON_END_S = 900.0
_VERIFY_S = 120.0
_STILL_S = 120.0
_FETCH_S = 4 * 3600.0
_MAX_CHARS = 200


class UnsavedFiles(Exception):
    """Saving failed; the message says what."""


class NotDue(Exception):
    """The pod is not due any more: it is busy, or held; the message says why."""


def end_pod(
    connection: Connection,
    pod: PodDetails,
    record: GuardRecord,
    note_step: Callable[..., object],
    check_due: Callable[..., str],
) -> tuple[TerminationResult, str]:
    """End a pod, and return the result and what could not be saved before.

    ``note_step`` is called with each step before it, and with what is ``unsaved``, so that a guard that is
    killed goes on there.
    ``check_due`` returns why the pod is not due any more; with ``has_saved``, saving was activity.
    Raises UnsavedFiles if the pod should be kept for a while, NotDue, and PodsError if it cannot be
    terminated now.
    """
    if pod.status == PodStatus.DELETING:
        # Another guard, or a person, was faster. It is not terminated twice.
        raise PodsError("it is being terminated")
    rules = record.rules
    has_saved, unsaved = False, record.unsaved
    # So has a guard that was killed while it terminated the pod.
    is_saved_before = record.step in ("saved", "terminating")
    if why := check_due(has_saved=is_saved_before):
        raise NotDue(why)
    if not is_saved_before:
        if record.due_rule != "idle":
            note_step("interrupting")
            with suppress(PodsError):
                _end_cells(connection, pod)
        if rules.get or rules.on_end:
            note_step("saving")
            unsaved = _save_files(connection, pod, record)
            if unsaved and rules.hold_s > 0 and record.unsaved_until is None:
                raise UnsavedFiles(unsaved)
            has_saved = True
    if has_saved and (why := check_due(has_saved=True)):
        raise NotDue(why)
    note_step("terminating", unsaved=unsaved)
    result = terminate_pods(connection, [pod], timeout_s=_VERIFY_S, cause=f"guard: {record.due_rule}")[0]
    if result.outcome != GONE:
        raise PodsError(f"it is {sanitize(result.outcome)}")
    return result, unsaved


def _end_cells(connection: Connection, pod: PodDetails) -> None:
    """Interrupt what runs and waits in the sessions of a pod; after a while, end it."""
    link = open_link(connection, pod)
    give_up = time.monotonic() + _GRACE_S
    for job in _list_running(link.ask("jobs", timeout_s=_ASK_S)):
        if time.monotonic() < give_up:
            link.ask("interrupt", timeout_s=_ASK_S, job=job)
    while running := _list_running(link.ask("jobs", timeout_s=_ASK_S)):
        if time.monotonic() > give_up:
            break
        time.sleep(_POLL_S)
    give_up += _GRACE_S
    for job in running:
        if time.monotonic() < give_up:
            link.ask("cancel", timeout_s=_ASK_S, job=job)


def _list_running(answer: dict[str, Any]) -> list[str]:
    jobs = answer.get("jobs")
    return [
        str(job.get("id"))
        for job in (jobs if isinstance(jobs, list) else ())
        if isinstance(job, dict) and job.get("state") in ("running", "queued")
    ]


def _save_files(connection: Connection, pod: PodDetails, record: GuardRecord) -> str:
    """Run the command on the pod, then fetch the files; return what failed."""
    rules, problems, handle = record.rules, [], Pod(connection, pod)
    if rules.on_end:
        try:
            handle.exec(rules.on_end, timeout_s=_ON_END_S)
        except PodsError as error:
            problems.append(f"the command at the end failed ({shorten(str(error), _MAX_CHARS)})")
    if rules.get and (failure := _fetch_files(handle, record)):
        problems.append(f"files were not fetched ({shorten(failure, _MAX_CHARS)})")
    return "; ".join(problems)


def _fetch_files(pod: Pod, record: GuardRecord) -> str:
    """Fetch the files; return why they were not: a transfer that stands still, or takes hours, must end."""
    began_s = moved_s = time.monotonic()
    failures: list[str] = []

    def note_progress(*_: object) -> None:
        nonlocal moved_s
        moved_s = time.monotonic()

    def fetch() -> None:
        try:
            pod.get(list(record.rules.get), record.rules.folder or ".", on_progress=note_progress)
        except PodsError as error:
            failures.append(str(error))
        except Exception as error:  # noqa: BLE001 - it is one more failure
            failures.append(type(error).__name__)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
        if time.monotonic() - moved_s > _STILL_S:
            return f"nothing has arrived for {_STILL_S:.0f} s"
        if time.monotonic() - began_s > _FETCH_S:
            return f"they have not arrived within {_FETCH_S / 3600:.0f} h"
    return failures[0] if failures else ""
