"""A cell on a pod: its output, its outcome, and ways to stop it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError, WaitInterrupted, WaitTimedOut
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.code_titles import describe_code
from primepods_magic.api.text.sanitize import replace_surrogates, sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.api.validation.bounds import check_seconds
from primepods_magic.pods.connection.connection import Connection

from .agent.frames import Header
from .agent.job import DONE_STATES
from .frame_checks import UNNUMBERED, read_number
from .job_errors import FAILURES, describe_death, make_failure, make_remote_error
from .limits.figures import MAX_SECONDS, Stopwatch
from .limits.following import FrameHandler
from .limits.kept_text import KeptText
from .limits.names import check_session, is_job_id, make_job_id
from .link import PodLink
from .links import open_link

__all__ = ["Job", "JobEnd", "JobFrames", "start_job"]

# Values from a pod above these are neither shown nor used in calculations.
_HIGHEST = {"seconds": MAX_SECONDS, "gpu_mean_pct": 100.0, "gpu_peak_pct": 100.0, "idle_s": MAX_SECONDS}
_TICK_S = 0.2
_POLL_S = 0.05


@dataclass(frozen=True, repr=False)
class JobEnd(ShortRepr):
    """The outcome of a cell on a pod.

    Attributes
    ----------
    state : str
        ``"ok"``, ``"error"``, ``"cancelled"``, or ``"died"`` if its kernel did.
    seconds : float
        How long it ran.
    gpu_mean_pct, gpu_peak_pct : float or None
        Utilization of the pod's GPUs, from one sample a second.
    idle_s : float or None
        How long nothing of yours had run on the pod before.
    death : str
        How its kernel ended, in words, if it died.
    """

    state: str
    seconds: float = 0.0
    gpu_mean_pct: float | None = None
    gpu_peak_pct: float | None = None
    idle_s: float | None = None
    death: str = ""

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> JobEnd:
        """Build the outcome from a frame of the agent."""
        read = {name: read_number(header, name, lowest=0.0, highest=most) for name, most in _HIGHEST.items()}
        numbers = {name: value for name, value in read.items() if value is not None}
        state = header.get("state")
        state = state if state in DONE_STATES else "died"
        return cls(state=state, death=describe_death(header) if state == "died" else "", **numbers)


class JobFrames:
    """The frames of a job as they arrive, in order and exactly once; use each before taking the next."""

    def __init__(self, link: PodLink, job_id: str) -> None:
        self.link = link
        self.job_id = job_id
        self._queue: SimpleQueue[tuple[Header, list[bytes]]] = SimpleQueue()
        self._handler: FrameHandler | None = None
        self._is_passing = False
        self._lock = threading.Lock()
        self._place = link.follow(job_id, self._receive_frame)

    def leave(self) -> None:
        """Take no further frames."""
        self.link.leave(self._place)

    def release(self, handler: FrameHandler) -> None:
        """Pass every further frame to a handler, in a thread that runs while there are some."""
        self._handler = handler
        if not self._queue.empty():
            self._start_passing()

    def _receive_frame(self, header: Header, buffers: list[bytes]) -> None:
        self._queue.put((header, buffers))
        if self._handler is not None:
            self._start_passing()

    def _start_passing(self) -> None:
        with self._lock:
            if self._is_passing:
                return
            self._is_passing = True
        name = f"primepods-late-{self.job_id}"
        threading.Thread(target=self._pass_frames, name=name, daemon=True).start()

    def _pass_frames(self) -> None:
        """Pass frames on at the pace of the handler: the link's thread must not wait for it."""
        while True:
            frame = self.get(_TICK_S)
            if frame is not None and self._handler is not None:
                with contextlib.suppress(Exception):
                    self._handler(*frame)
                continue
            with self._lock:
                if self._queue.empty():
                    self._is_passing = False
                    return

    def get(self, timeout_s: float) -> tuple[Header, list[bytes]] | None:
        """Return the next frame, or None if none arrives in time."""
        try:
            header, buffers = self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get_nowait()
        except Empty:
            return None
        self._note_used(header)
        return header, buffers

    def _note_used(self, header: Header) -> None:
        if "n" in header and header["type"] not in UNNUMBERED:
            self.link.note_used(self._place, header["n"] + header.get("dropped", 1))


@dataclass
class _Outcome:
    """The state of a job, as known from its frames."""

    text: KeptText = field(default_factory=KeptText)
    end: JobEnd | None = None
    failure: PodsError | None = None
    reply: Mapping[str, Any] = field(default_factory=dict)


class Job:
    r"""A cell on a pod, running or done.

    `Pod.run` starts one. It lives on the pod: if this process or the connection ends, it keeps running.

    Attributes
    ----------
    id : str
        For ``%pods attach`` and ``%pods cancel``.
    pod_name, session : str
    title : str
        First line of its code, without parts that may hold a secret.

    Examples
    --------
    >>> job = get_pod("train").run("print(6 * 7)")                           # doctest: +SKIP
    >>> job.result().state, job.output                                       # doctest: +SKIP
    ('ok', '42\n')
    """

    def __init__(
        self,
        link: PodLink,
        job_id: str,
        session: str,
        *,
        title: str = "",
        frames: JobFrames | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.id = job_id
        self.session = session
        self.pod_name = link.name
        self.link = link
        self.title = title
        self._frames = frames
        # Of a job that was not started here, it is not known how long it can have run.
        self._stopwatch = stopwatch
        self._outcome = _Outcome()

    @property
    def is_done(self) -> bool:
        """True if it is known to have ended."""
        self._take_frames(0.0)
        return self._outcome.end is not None

    @property
    def output(self) -> str:
        """Text that it has printed so far, and the text of its results; the first and last 16 MB of it."""
        self._take_frames(0.0)
        return self._outcome.text.join()

    def result(self, timeout_s: float | None = None) -> JobEnd:
        """Wait until it ends, and return its outcome.

        Parameters
        ----------
        timeout_s : float, optional
            Stop waiting after this many seconds; the job keeps running.

        Raises
        ------
        RemoteError
            It raised an exception, or its kernel died.
        WaitTimedOut
            It is still running.
        PodsError
            There is no connection, and none can be made.
        """
        if timeout_s is not None:
            check_seconds("timeout_s", timeout_s)
        give_up = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._has_outcome(_TICK_S):
            if give_up is not None and time.monotonic() > give_up:
                raise WaitTimedOut(
                    f"Job {self.id} is still running on '{self.pod_name}' after {timeout_s:g} s. The pod is "
                    "billed"
                )
        return self._make_result()

    async def wait_async(self) -> JobEnd:
        """Wait as `result` does, without blocking the event loop. Cancelling it leaves the job running."""
        # The event loop cannot end before a thread that waits.
        while not self._has_outcome(0.0):
            await asyncio.sleep(_POLL_S)
        return self._make_result()

    def _has_outcome(self, timeout_s: float) -> bool:
        """Process frames; return whether it is known how it ended, or that this cannot be known."""
        self._take_frames(timeout_s)
        return self._outcome.end is not None or self._outcome.failure is not None

    def _make_result(self) -> JobEnd:
        end = self._outcome.end
        # One that never began has ended, too.
        if self._outcome.failure is not None:
            raise self._outcome.failure
        assert end is not None
        if end.state != "ok":
            raise make_remote_error(self.pod_name, end.state, self._outcome.reply, death=end.death)
        return end

    def interrupt(self) -> str:
        """Interrupt it as Ctrl-C does; return ``"running"``, ``"queued"``, or ``""`` if it had ended."""
        return self._ask_agent("interrupt")

    def cancel(self) -> str:
        """Interrupt it; if it is still running 5 s later, end its kernel, with the variables of its session.

        Return ``"running"``, ``"queued"``, or ``""`` if it had already ended.
        """
        return self._ask_agent("cancel")

    def _ask_agent(self, verb: str) -> str:
        answer = self.link.ask(verb, job=self.id)
        if answer.get("unknown"):
            raise InvalidRequest(f"'{self.pod_name}' has no job {self.id}. '%pods jobs' lists them")
        state = str(answer.get("state"))
        return state if state in ("running", "queued") else ""

    def take_frames(self) -> JobFrames:
        """Return its frames from the first one, for a separate display."""
        frames, self._frames = self._frames, None
        return frames or JobFrames(self.link, self.id)

    def read_end(self, header: Mapping[str, Any]) -> JobEnd:
        """Build its outcome from a frame of the agent; it did not run longer than since it was sent."""
        end = JobEnd.from_header(header)
        return replace(end, seconds=min(end.seconds, self._stopwatch.measure_s())) if self._stopwatch else end

    def _take_frames(self, timeout_s: float) -> None:
        """Process the frames that have arrived; wait up to `timeout_s` for the first one."""
        if self._frames is None:
            self._frames = JobFrames(self.link, self.id)
        while self._outcome.end is None:
            frame = self._frames.get(timeout_s)
            if frame is None:
                # In a forked process, no frame says so.
                self._outcome.failure = self._outcome.failure or self.link.failure
                return
            timeout_s = 0.0
            self._note_frame(frame[0])

    def _note_frame(self, header: Header) -> None:
        kind, content = header["type"], header.get("content", {})
        if kind == "stream":
            self._outcome.text.append(content["text"])
        elif kind in ("display_data", "execute_result"):
            text = content.get("data", {}).get("text/plain")
            if isinstance(text, str):
                self._outcome.text.append(text + "\n")
        elif kind == "execute_reply":
            self._outcome.reply = content
        elif kind == "gap":
            self._outcome.text.append(f"\n[{header['dropped']} pieces of output were not kept]\n")
        elif kind == "done":
            self._outcome.end = self.read_end(header)
        elif kind in FAILURES:
            self._outcome.failure = make_failure(self.link, self.id, header)

    def __repr__(self) -> str:
        # It may end at any time, so text that stays on the page does not say that it is running.
        state = f", {self._outcome.end.state}" if self._outcome.end else ""
        title = shorten(sanitize(self.title), 40)
        return f"<Job {self.id} on '{self.pod_name}'{state}{title and f': {title}'}>"


def start_job(
    connection: Connection,
    pod: PodDetails,
    code: str,
    *,
    session: str = "main",
    allow_stdin: bool = False,
    again: bool = False,
    msg_id: str | None = None,
    on_wait: Callable[[PodLink], object] | None = None,
    before: Sequence[Header] = (),
    after: Sequence[Header] = (),
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Job, bool]:
    """Send a cell to a pod; return its job, and whether it was already running.

    `msg_id` is the id of the local request, for widgets; `on_wait` is called repeatedly until the agent has
    answered. Calls `before` and `after` run around it, each if the one before it ended well. `extra` has more
    parts of the request. Raises SshFailed, InvalidRequest, or WaitInterrupted on Ctrl-C.
    """
    check_session(session)
    if not isinstance(code, str):
        raise InvalidRequest(f"Code must be text, not {type(code).__name__}. Nothing was run")
    if replace_surrogates(code) != code:
        raise InvalidRequest("The code has a character that cannot be encoded. Nothing was run")
    link = open_link(connection, pod)
    title = describe_code(code)
    job_id = make_job_id()
    stopwatch = Stopwatch()
    frames: JobFrames | None = None
    try:
        request = link.request(
            "run",
            id=job_id,
            msg_id=msg_id or secrets.token_hex(16),
            session=session,
            code=code,
            title=title,
            digest=hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest(),
            allow_stdin=allow_stdin,
            again=again,
            before=list(before),
            after=list(after),
            **extra,
        )
        # Follow it at once: waiting for the answer would take another round trip.
        frames = JobFrames(link, job_id)
        while not request.done():
            wait([request], timeout=_TICK_S)
            if on_wait:
                on_wait(link)
        running = request.result().get("running")
    except KeyboardInterrupt:
        if frames is not None:
            frames.leave()
        raise _describe_interrupted(link, job_id) from None
    if running and not is_job_id(running):
        raise PodsError(f"'{link.name}' returned an invalid job id. The pod keeps running and is billed")
    if running:
        frames.leave()
        return Job(link, str(running), session, title=title), True
    return Job(link, job_id, session, title=title, frames=frames, stopwatch=stopwatch), False


def _describe_interrupted(link: PodLink, job_id: str) -> WaitInterrupted:
    """Take a cell back, or interrupt it, and say which."""
    if link.withdraw(job_id):
        did = f"Interrupted while connecting to '{link.name}'. Nothing was run"
    else:
        link.request("interrupt", job=job_id)
        did = (
            f"Interrupted while the cell was sent to '{link.name}'. It may have begun, and is interrupted "
            "there; '%pods jobs' shows whether it still runs"
        )
    return WaitInterrupted(f"{did}. The pod keeps running and is billed")
