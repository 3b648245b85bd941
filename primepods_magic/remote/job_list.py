"""The jobs of pods: every cell that is running or has run there, from whichever computer it was started."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from primepods_magic.api.errors import NotFound, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import join_first, sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.listing import list_pod_details
from primepods_magic.pods.support.notices import warn

from .agent.frames import Header
from .frame_checks import read_number
from .job import Job
from .limits.figures import MAX_SECONDS, bound_seconds, estimate_usd
from .links import open_link

__all__ = ["JobInfo", "find_job", "list_jobs"]

_ANSWER_S = 20.0
_TICK_S = 0.2
_MAX_TEXT_CHARS = 200
_MAX_NAMES = 5


@dataclass(frozen=True, repr=False)
class JobInfo(ShortRepr):
    """A cell that runs or ran on a pod.

    Attributes
    ----------
    id, pod, session, title, state : str
    started_at : datetime or None
        By the service's clock.
    duration : timedelta or None
    estimated_usd : float or None
        Cost of the pod while the job ran.
    """

    id: str
    pod: str
    session: str
    title: str
    state: str
    started_at: datetime | None
    duration: timedelta | None
    estimated_usd: float | None


def list_jobs(connection: Connection, pods: Sequence[PodDetails] | None = None) -> list[JobInfo]:
    """Return the jobs of pods, running ones first, then the newest; by default, of all your ready pods.

    Pods that do not answer are left out with a warning.
    """
    jobs: list[JobInfo] = []
    answers, complaints = _ask_pods(connection, pods)
    for complaint in complaints:
        warn(complaint)
    for pod, answer in answers:
        jobs += _read_jobs(connection, pod, answer)
    # The sort is stable: for each pod, its newest running jobs come first, then the newest of the others.
    jobs.reverse()
    return sorted(jobs, key=lambda job: job.state not in ("running", "queued"))


def find_job(connection: Connection, job_id: str) -> tuple[Job, PodDetails]:
    """Return a job of any of your ready pods, and its pod; raise NotFound if none has it."""
    answers, complaints = _ask_pods(connection, None)
    for pod, answer in answers:
        for facts in answer.get("jobs", []):
            if facts.get("id") == job_id:
                session, title = str(facts.get("session")), str(facts.get("title"))
                return Job(open_link(connection, pod), job_id, session, title=title), pod
    names = join_first([f"'{sanitize(pod.name)}'" for pod, _ in answers], _MAX_NAMES)
    found = (
        f"No job {sanitize(shorten(job_id, 40))!r} on {names}"
        if names
        else "No pod could be searched for jobs"
    )
    raise NotFound("; ".join([found, *complaints[:_MAX_NAMES]]) + ". '%pods jobs' lists jobs")


def _ask_pods(
    connection: Connection, pods: Sequence[PodDetails] | None
) -> tuple[list[tuple[PodDetails, Header]], list[str]]:
    """Ask pods for their jobs; return their answers, and sentences about those that do not answer."""
    if pods is None:
        pods = [pod for pod in list_pod_details(connection) if pod.is_ready]
    complaints: list[str] = []
    requests: list[tuple[PodDetails, Future[Header]]] = []
    for pod in pods:
        try:
            requests.append((pod, open_link(connection, pod).request("jobs")))
        except PodsError as error:
            complaints.append(f"'{sanitize(pod.name)}' is left out: {error}")
    waiting = {future for _, future in requests}
    give_up = time.monotonic() + _ANSWER_S
    while waiting and time.monotonic() < give_up:
        waiting = wait(waiting, timeout=_TICK_S).not_done
    answers = []
    for pod, future in requests:
        if not future.done():
            complaints.append(f"'{sanitize(pod.name)}' did not answer within {_ANSWER_S:.0f} s")
        elif future.exception():
            complaints.append(f"'{sanitize(pod.name)}' is left out: {future.exception()}")
        else:
            answers.append((pod, future.result()))
    return answers, complaints


def _read_jobs(connection: Connection, pod: PodDetails, answer: Header) -> list[JobInfo]:
    """Read the jobs in an agent's reply, whose times are by the pod's clock."""
    now, now_there = connection.now(), read_number(answer, "now")
    jobs = []
    for facts in answer.get("jobs", []):
        started = read_number(facts, "started_at")
        age_s = None if started is None or now_there is None else max(0.0, now_there - started)
        age_s = None if age_s is None or age_s > MAX_SECONDS else bound_seconds(connection, pod, age_s)
        seconds = read_number(facts, "seconds", lowest=0.0, highest=MAX_SECONDS)
        seconds = age_s if seconds is None and facts.get("state") == "running" else seconds
        seconds = bound_seconds(connection, pod, seconds)
        jobs.append(
            JobInfo(
                id=_read_text(facts, "id"),
                pod=sanitize(pod.name),
                session=_read_text(facts, "session"),
                title=_read_text(facts, "title"),
                state=_read_text(facts, "state"),
                started_at=None if age_s is None else now - timedelta(seconds=age_s),
                duration=None if seconds is None else timedelta(seconds=seconds),
                estimated_usd=estimate_usd(pod, seconds),
            )
        )
    return jobs


def _read_text(facts: Mapping[str, Any], name: str) -> str:
    return sanitize(shorten(str(facts.get(name, "")), _MAX_TEXT_CHARS))
