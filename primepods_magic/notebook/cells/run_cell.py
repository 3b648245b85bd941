"""Running a cell on a pod, or attaching to one that runs: its output, its questions, and Ctrl-C."""

from __future__ import annotations

import getpass
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from primepods_magic.api.errors import RemoteError, WaitInterrupted
from primepods_magic.api.text.sanitize import clean_message, sanitize, shorten
from primepods_magic.notebook.shell.kernel import has_front_end, in_kernel
from primepods_magic.notebook.shell.output import say, write_stream
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.interrupts import Interrupts, counted_interrupts
from primepods_magic.remote.job import Job, JobEnd, JobFrames
from primepods_magic.remote.job_errors import FAILURES, make_failure, make_remote_error
from primepods_magic.remote.link import PodLink

from .file_notes import describe_hint, describe_new_files
from .late_output import LateOutput
from .output import CellOutput
from .widget_relay import WidgetRelay

__all__ = ["CellView", "LinkNotes", "say_running"]

_TICK_S = 0.2
_SAY_LOST_AFTER_S = 1.0
_SAY_STILL_AFTER_S = 3.0
_MAX_FOLLOWED = 30

_followed: deque[tuple[JobFrames, WidgetRelay | None]] = deque()


class LinkNotes:
    """Notes about a connection that does not work right now, each printed once.

    Parameters
    ----------
    meanwhile : str
        What is the case on the pod while the connection is lost.
    """

    def __init__(self, meanwhile: str) -> None:
        self._meanwhile = meanwhile
        self._lost_at: float | None = None
        self._is_said = False
        self._was_connected = False

    def check(self, link: PodLink) -> None:
        """Print that a connection was lost, is refused, or is back."""
        if link.connected.is_set():
            if self._is_said and self._was_connected:
                _print_note(f"Connected to '{link.name}' again.")
            self._lost_at, self._is_said, self._was_connected = None, False, True
            return
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        if self._is_said or now - self._lost_at < _SAY_LOST_AFTER_S or not link.trouble:
            return
        self._is_said = True
        if self._was_connected or link.connects:
            self._was_connected = True
            _print_note(f"The connection to '{link.name}' was lost. {self._meanwhile}; reconnecting …")
        else:
            _print_note(f"'{link.name}' is up, but its SSH server does not accept logins yet. Trying again …")


def _print_note(text: str) -> None:
    write_stream("stderr", f"{text}\n")


class CellView:
    """Shows a job in the local cell until it ends.

    Parameters
    ----------
    shell : InteractiveShell
    job : Job
    on_end : callable, optional
        Called with the JobEnd once all output is shown, before an error is raised.
    only_watches : bool
        The first Ctrl-C stops showing the job, and does not interrupt it.
    names_files : bool
        Name the files that it has written.
    """

    def __init__(
        self,
        shell: Any,
        job: Job,
        on_end: Callable[[JobEnd], object] | None = None,
        *,
        only_watches: bool = False,
        names_files: bool = True,
    ) -> None:
        self._on_end = on_end
        self._only_watches = only_watches
        self._names_files = names_files
        self._shell = shell
        self._link = job.link
        self._job = job
        self._relay = WidgetRelay(shell, job) if in_kernel(shell) else None
        self._output = CellOutput(shell, job.id, self._relay)
        self._notes = LinkNotes("The cell keeps running there")
        self._reply: Mapping[str, Any] = {}
        self._input_number = -1
        self._new_files: object = None
        self._started: Header = {}

    def follow(self) -> JobEnd:
        """Show everything in order; raise RemoteError if the cell failed.

        The first Ctrl-C interrupts the cell on the pod. A second one within two seconds leaves it
        running, and raises WaitInterrupted.
        """
        frames = self._job.take_frames()
        try:
            with counted_interrupts() as interrupts:
                end = self._follow_frames(frames, interrupts)
        except WaitInterrupted:
            frames.leave()
            raise
        self._output.show_rest()
        self._output.show_finished_bars()
        self._keep_following(frames)
        if self._names_files:
            self._say_new_files()
        if self._on_end:
            self._on_end(end)
        if end.state != "ok":
            number = self._shell.displayhook.prompt_count
            error = make_remote_error(self._link.name, end.state, self._reply, death=end.death, number=number)
            self._add_hint(error)
            raise error
        return end

    def _add_hint(self, error: RemoteError) -> None:
        """Add a hint if a name or a file that is unknown on the pod exists here."""
        hint = describe_hint(error.ename, error.evalue, self._shell.user_ns, self._link.name)
        if hint and error.traceback:
            error.traceback.append(hint)

    def _say_new_files(self) -> None:
        text = describe_new_files(self._new_files, self._link.name)
        if text:
            say(text)

    def _follow_frames(self, frames: JobFrames, interrupts: Interrupts) -> JobEnd:
        is_said = False
        while True:
            frame = frames.get(_TICK_S)
            if frame is not None:
                end = self._handle_frame(*frame)
                if end:
                    return end
            self._notes.check(self._link)
            while (is_second := interrupts.take()) is not None:
                if is_second or self._only_watches:
                    raise self._describe_detached()
                self._link.request("interrupt", job=self._job.id)
            if not is_said and (interrupts.age_s or 0) > _SAY_STILL_AFTER_S:
                is_said = True
                _print_note(
                    f"Job {self._job.id} was interrupted but is still running. Ctrl-C twice within two "
                    f"seconds leaves it running; '%pods cancel {self._job.id}' then ends it."
                )

    def _describe_detached(self) -> WaitInterrupted:
        return WaitInterrupted(
            f"Job {self._job.id} keeps running on '{self._link.name}', which is billed. "
            f"'%pods attach {self._job.id}' shows it, '%pods cancel {self._job.id}' ends it"
        )

    def _handle_frame(self, header: Header, buffers: list[bytes]) -> JobEnd | None:
        kind, content = header["type"], header.get("content", {})
        if kind == "done":
            return self._job.read_end({**self._started, **header})
        if kind in FAILURES:
            raise make_failure(self._link, self._job.id, header)
        if kind == "started":
            self._note_start(header)
        elif kind == "note":
            _print_note(sanitize(shorten(header["text"], 300)))
        elif kind == "queued":
            title = sanitize(shorten(str(header.get("title", "")), 60))
            _print_note(f"Waiting for job {sanitize(str(header['behind']))} in the same session: {title}")
        elif kind == "gap":
            _print_note(f"[{header['dropped']} pieces of output were not kept, because there was too much]")
        elif kind == "input_wanted":
            self._input_number = header["n"]
        elif kind == "input_request":
            if header["n"] == self._input_number:
                self._ask_person(content)
        elif kind == "execute_reply":
            self._reply, self._new_files = content, header.get("new_files")
            self._show_payload(content)
        else:
            self._output.show(kind, content, header.get("metadata", {}), buffers)
        return None

    def _note_start(self, header: Header) -> None:
        self._started = header
        if header.get("is_new"):
            _print_note(f"The kernel on '{self._link.name}' is new: variables of earlier cells are gone.")

    def _ask_person(self, content: Mapping[str, Any]) -> None:
        """Prompt for the input that the cell requests; Ctrl-C instead of an answer interrupts the cell."""
        if not has_front_end(self._shell):
            raise WaitInterrupted(
                f"Job {self._job.id} asks for input, and no one can answer here. It keeps running on "
                f"'{self._link.name}', which is billed. '%pods attach {self._job.id}' in a notebook or a "
                "terminal answers it"
            )
        prompt = clean_message(str(content.get("prompt", "")))
        number = self._input_number
        before = signal.getsignal(signal.SIGINT)
        try:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.default_int_handler)
            value = getpass.getpass(prompt) if content.get("password") else input(prompt)
        except (KeyboardInterrupt, EOFError):
            if self._only_watches:
                # The person who runs it is asked as well.
                raise self._describe_detached() from None
            self._link.request("interrupt", job=self._job.id)
            return
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, before)
        self._link.request("input", job=self._job.id, n=number, value=value)

    def _show_payload(self, content: Mapping[str, Any]) -> None:
        """Show the answer to ``name?``, in the pager if there is one."""
        for part in content["payload"]:
            if part["source"] != "page":
                # In this notebook, a pod neither writes into cells nor ends the kernel.
                continue
            if in_kernel(self._shell):
                self._shell.payload_manager.write_payload(part)
            else:
                text = str(part["data"].get("text/plain", ""))
                self._output.show("stream", {"name": "stdout", "text": f"{text}\n"}, {}, [])

    def _keep_following(self, frames: JobFrames) -> None:
        """Keep showing what arrives later, for the newest cells and for those with widgets."""
        if self._relay is None:
            frames.leave()
            return
        frames.release(LateOutput(self._relay, self._job.id).show)
        _followed.append((frames, self._relay))
        for _ in range(len(_followed) - _MAX_FOLLOWED):
            old, relay = _followed.popleft()
            if relay and relay.is_used and len(_followed) < 4 * _MAX_FOLLOWED:
                _followed.append((old, relay))
            else:
                old.leave()


def say_running(job: Job) -> None:
    """Say that the same cell is already running."""
    say(
        f"This cell is already running on '{job.pod_name}' as job {job.id}; it was not started again. "
        f"'%pods attach {job.id}' shows it, and '%%pod --again' starts it again."
    )
