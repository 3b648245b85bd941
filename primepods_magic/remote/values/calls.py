"""Calls into a session on a pod: between two of its cells, in order, and without a trace in it."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from primepods_magic.api.errors import PodsError, RemoteNameError, WaitInterrupted
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.validation.suggest import format_suggestions
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.files.streams import Stopped
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.job_errors import FAILURES, make_failure
from primepods_magic.remote.limits.names import make_job_id
from primepods_magic.remote.link import PodLink

__all__ = ["OnNote", "await_answer", "make_call", "pass_over", "raise_failed", "run_call"]

OnNote = Callable[[str], object]
"""Called with a line about what is waited for."""

_TICK_S = 0.2
_ENDED_S = 2.0
_MAX_TEXT_CHARS = 800
_MAX_NAMES = 50


def pass_over(text: str) -> None:
    """Show nothing."""


def make_call(call: str, **arguments: Any) -> Header:
    """Return what the agent needs to run a call of its module `namespace`."""
    module = "__import__('primepods_agent.values.namespace', fromlist=['answer'])"
    expression = f"{module}.answer({call!r}, {json.dumps(arguments)!r})"
    return {"id": make_job_id(), "msg_id": secrets.token_hex(16), "expression": expression}


def run_call(
    link: PodLink,
    session: str,
    call: Header,
    on_note: OnNote = pass_over,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Run a call behind everything that waits in a session, and return its answer."""
    link.request("run", session=session, again=True, **call)
    return await_answer(link, call["id"], on_note, stop)


def await_answer(
    link: PodLink, job_id: str, on_note: OnNote = pass_over, stop: threading.Event | None = None
) -> dict[str, Any]:
    """Return the answer of a call, once it has run.

    Raises RemoteNameError if a variable is missing, PodsError if the call failed, or WaitInterrupted, also
    once `stop` is set.
    """
    frames = JobFrames(link, job_id)
    reply: Mapping[str, Any] = {}
    try:
        while True:
            if stop is not None and stop.is_set():
                raise Stopped
            frame = frames.get(_TICK_S)
            if frame is None:
                continue
            header = frame[0]
            if header["type"] == "execute_reply":
                reply = header["content"]
            elif header["type"] == "note":
                on_note(sanitize(shorten(header["text"], 300)))
            elif header["type"] == "queued":
                title = sanitize(shorten(str(header.get("title", "")), 60))
                on_note(f"Waiting for job {sanitize(str(header['behind']))} in the same session: {title}")
            elif header["type"] in FAILURES:
                raise make_failure(link, job_id, header)
            elif header["type"] == "done":
                return _read_answer(link, reply, str(header.get("state")))
    except (KeyboardInterrupt, Stopped):
        link.request("interrupt", job=job_id)
        raise WaitInterrupted(
            f"Interrupted while waiting for '{link.name}'. No variable was changed here. The pod keeps "
            "running and is billed"
        ) from None
    finally:
        frames.leave()


def raise_failed(job: Job, before: Sequence[Header]) -> None:
    """Raise the error of a call before a cell, if that is why the cell was not run."""
    for call in before:
        # It may still wait behind another cell.
        ended = Job(job.link, call["id"], job.session)
        with suppress(PodsError):
            ended.result(_ENDED_S)
        try:
            if ended.is_done:
                await_answer(job.link, call["id"])
        except PodsError as error:
            error.prepend("The cell was not run")
            raise


def _read_answer(link: PodLink, reply: Mapping[str, Any], state: str) -> dict[str, Any]:
    answers = reply.get("user_expressions")
    answer = answers.get("answer") if isinstance(answers, dict) else None
    answer = answer if isinstance(answer, dict) else {}
    if answer.get("status") == "ok" and state == "ok":
        data = answer.get("data")
        facts = _parse_facts(data.get("text/plain") if isinstance(data, dict) else None)
        if facts is not None:
            return facts
    if state == "cancelled":
        raise PodsError(f"It was cancelled on '{link.name}'. The pod keeps running and is billed")
    if state == "died":
        raise PodsError(
            f"The kernel on '{link.name}' ended meanwhile, perhaps because there was no memory left; the "
            "variables of its session are gone. The pod keeps running and is billed"
        )
    problem = _parse_facts(answer.get("evalue")) or {}
    if isinstance(problem.get("missing"), dict) and problem["missing"]:
        raise _make_name_error(link.name, problem["missing"])
    text = problem.get("problem") or answer.get("ename") or "it sent no answer"
    raise PodsError(f"'{link.name}' could not do it: {sanitize(shorten(str(text), _MAX_TEXT_CHARS))}")


def _parse_facts(text: object) -> dict[str, Any] | None:
    try:
        facts = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _make_name_error(pod_name: str, missing: Mapping[str, Any]) -> RemoteNameError:
    parts = []
    for name, near in list(missing.items())[:_MAX_NAMES]:
        words = [word for word in near if isinstance(word, str)][:3] if isinstance(near, list) else []
        parts.append(f"{sanitize(shorten(name, 80))!r}{format_suggestions(words)}")
    return RemoteNameError(
        f"There is no variable {', '.join(parts)} on '{pod_name}'. Nothing was fetched",
        names=[sanitize(shorten(name, 80)) for name in missing],
    )
