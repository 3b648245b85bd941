"""One cell of a notebook whose kernel is on a pod: sent there, shown here, in order and once."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from primepods_magic.api.errors import PodsError, RemoteError, WaitInterrupted
from primepods_magic.api.text.sanitize import clean_message, sanitize, shorten
from primepods_magic.remote.interrupts import Interrupts

from .link_notice import LinkNotice
from .publisher import BoundPublisher

if TYPE_CHECKING:
    from primepods_magic.notebook.cells.late_output import LateOutput
    from primepods_magic.remote.agent.frames import Header
    from primepods_magic.remote.job import Job, JobEnd, JobFrames

    from .options import RelayOptions
    from .pod_session import PodSession
    from .publisher import Publisher

__all__ = ["CellRequest", "RelayedCell", "replay_job"]

_TICK_S = 0.1
_MAX_COUNT = 1 << 31
_OUR_MAGICS = re.compile(
    r"^[ \t]*(?:%{1,2}(?:pods?|pod_create)\b|%(?:re)?load_ext[ \t]+primepods_magic)", re.M
)


class Relay(Protocol):
    """The parts of a kernel that its cells use."""

    options: RelayOptions
    pod_session: PodSession
    publisher: Publisher

    def keep_following(self, frames: JobFrames) -> None: ...
    def ask_person(self, cell: RelayedCell, prompt: str, content: Mapping[str, Any]) -> None: ...
    def holding(self, cell: RelayedCell) -> AbstractContextManager[None]: ...
    def send_reply(self, request: CellRequest, content: Mapping[str, Any]) -> None: ...


class CellRequest:
    """An execute request of a front end.

    Parameters
    ----------
    message : dict
    identities : list of bytes
        The client that its reply goes to.
    """

    def __init__(self, message: Mapping[str, Any], identities: list[bytes]) -> None:
        self.message = message
        self.identities = identities
        content = message.get("content", {})
        self.code = str(content.get("code", ""))
        self.silent = bool(content.get("silent", False))
        self.allow_stdin = bool(content.get("allow_stdin", False))
        self.parts = {
            "silent": self.silent,
            "store_history": bool(content.get("store_history", not self.silent)) and not self.silent,
            "user_expressions": content.get("user_expressions") or {},
        }

    def describe_client(self) -> dict[str, Any]:
        """Return what a relay that is started again needs to show the end of this cell."""
        header = self.message.get("header", {})
        kept = {name: str(header.get(name, "")) for name in ("msg_id", "session", "username", "version")}
        return {"header": kept, "identities": [identity.hex() for identity in self.identities]}


class RelayedCell:
    """A cell on its way: `run` blocks until it has ended, and `interrupt` may be called meanwhile.

    Parameters
    ----------
    kernel : Relay
    request : CellRequest
    """

    def __init__(self, kernel: Relay, request: CellRequest) -> None:
        self._kernel = kernel
        self.request = request
        self._publisher = kernel.publisher
        self._bound = BoundPublisher(kernel.publisher, request.message)
        self._interrupts = Interrupts()
        self._stop = threading.Event()
        """Stops what happens before the cell is sent."""
        self._job: Job | None = None
        self._output: LateOutput | None = None
        self._before: list[Header] = []
        """What has to happen on the pod before the cell runs."""
        self._reply: dict[str, Any] = {}
        self._header: Header = {}
        self._asked: Header = {}
        self._input_number = -1
        self._notice = LinkNotice(self.publish)
        self.record: Callable[[], object] = lambda: None
        """Records what it cost, for which the reply need not wait."""

    # For the kernel

    def interrupt(self) -> None:
        """Interrupt the cell as Ctrl-C does."""
        self._interrupts.add()
        self._stop.set()

    def take_answer(self, value: str) -> None:
        """Pass on what a person has typed."""
        asked, self._asked = self._asked, {}
        if self._job and asked:
            self._job.link.request("input", job=self._job.id, n=asked["n"], value=value)

    @property
    def is_asking(self) -> bool:
        """True while it waits for a person to type something."""
        return bool(self._asked)

    def run(self) -> dict[str, Any]:
        """Run the cell, and return the content of its reply."""
        from primepods_magic.remote.job import start_job
        from primepods_magic.remote.values.calls import raise_failed

        try:
            session = self._kernel.pod_session
            connection, pod = session.open()
            self._await_event(session.is_settled)
            self._before = self._send_folder() if self._kernel.options.sync else []
            self._job, _ = start_job(
                connection,
                pod,
                self.request.code,
                session=self._kernel.options.session,
                allow_stdin=self.request.allow_stdin,
                again=True,
                msg_id=self._publisher.note_request(self.request.message),
                on_wait=self._await_agent,
                before=self._before,
                extra={
                    "owner": self._kernel.options.owner,
                    "client": self.request.describe_client(),
                    "shown": session.take_shown(),
                    **self.request.parts,
                },
            )
            self._publisher.last_job = self._job.id
            end = self._follow_frames(self._job.take_frames())
            if end.state == "cancelled":
                raise_failed(self._job, self._before)
            self._note_end(end, connection, pod)
            return self._make_reply(end)
        except PodsError as error:
            return self._show_error(_name_error(error), str(error))
        finally:
            self._notice.clear()

    def follow_again(self, job: Job) -> dict[str, Any]:
        """Show a job from its beginning, which another relay had sent."""
        self._job = job
        self._publisher.note_request(self.request.message)
        self._publisher.last_job = job.id
        self.publish("clear_output", {"wait": False})
        try:
            return self._make_reply(self._follow_frames(job.take_frames()))
        except PodsError as error:
            return self._show_error(_name_error(error), str(error))
        finally:
            self._notice.clear()

    def _send_folder(self) -> list[Header]:
        """Send what has changed in the notebook's folder, in which the cell will run."""
        from primepods_magic.notebook.cells.project import send_quietly
        from primepods_magic.remote.files.streams import StreamWatch

        link = self._kernel.pod_session.link
        assert link is not None
        self._await_event(link.connected)
        call, line = send_quietly(link, StreamWatch(stop=self._stop))
        if line and self._is_attended:
            self.publish("stream", {"name": "stdout", "text": f"{line}\n"})
        return [call]

    # The connection

    def _await_event(self, event: threading.Event) -> None:
        """Wait for something before the cell is sent, as long as the link may work."""
        link = self._kernel.pod_session.link
        assert link is not None
        while not event.wait(_TICK_S) and link.is_alive:
            self._notice.check(link)
            if self._stop.is_set():
                raise WaitInterrupted(
                    f"Interrupted while connecting to '{link.name}'. Nothing was sent or run. The "
                    "pod is billed"
                )

    def _await_agent(self, link: Any) -> None:
        self._notice.check(link)
        if self._interrupts.take() is not None:
            raise KeyboardInterrupt

    def publish(self, kind: str, content: Mapping[str, Any]) -> None:
        """Publish a message as output of this cell."""
        self._publisher.publish(kind, content, self.request.message)

    def write(self, text: str) -> None:
        """Write a note to the cell's stderr."""
        self.publish("stream", {"name": "stderr", "text": f"{text}\n"})

    # Frames

    def _follow_frames(self, frames: JobFrames) -> JobEnd:
        from primepods_magic.notebook.cells.late_output import LateOutput

        assert self._job is not None
        output = self._output = LateOutput(self._bound, self._job.id, has_end=True, replaces_bars=False)
        end = None
        try:
            while end is None:
                frame = frames.get(_TICK_S)
                if frame is not None:
                    end = self._handle_frame(*frame)
                self._notice.check(frames.link)
                self._pass_interrupts(frames)
            output.finish()
        except PodsError:
            frames.leave()
            raise
        frames.release(LateOutput(self._bound, self._job.id).show)
        self._kernel.keep_following(frames)
        return end

    def _pass_interrupts(self, frames: JobFrames) -> None:
        while self._job and (is_second := self._interrupts.take()) is not None:
            self._asked = {}
            if is_second and not frames.link.connected.is_set():
                raise PodsError(
                    f"There is no connection to '{frames.link.name}', so the cell cannot be interrupted. It "
                    "keeps running there, and the pod is billed; the next cell waits for it"
                )
            for job_id in (*(call["id"] for call in self._before), self._job.id):
                self._job.link.request("interrupt", job=job_id)

    def _handle_frame(self, header: Header, buffers: list[bytes]) -> JobEnd | None:
        from primepods_magic.remote.job_errors import FAILURES, make_failure

        kind, content = header["type"], header.get("content", {})
        assert self._job is not None
        if kind == "done":
            return self._job.read_end({**self._header, **header})
        if kind in FAILURES:
            raise self._kernel.pod_session.describe_failure(
                make_failure(self._job.link, self._job.id, header)
            )
        if kind == "started":
            self._header = header
            if header.get("is_new"):
                self.write(
                    f"The kernel on '{self._job.pod_name}' is new: variables of earlier cells are gone."
                )
        elif kind == "note":
            self.write(sanitize(shorten(header["text"], 300)))
        elif kind == "queued":
            title = sanitize(shorten(str(header.get("title", "")), 60))
            self.write(f"Waiting for job {sanitize(str(header['behind']))} in the same session: {title}")
        elif kind == "gap":
            self.write(f"[{header['dropped']} pieces of output were not kept, because there was too much]")
        elif kind == "execute_input":
            number = content["execution_count"]
            shown = {"code": self.request.code, "execution_count": number if 0 <= number < _MAX_COUNT else 0}
            self.publish("execute_input", shown)
        elif kind == "input_wanted":
            self._input_number = header["n"]
        elif kind == "input_request":
            if header["n"] == self._input_number:
                self._asked = header
                self._kernel.ask_person(self, clean_message(str(content.get("prompt", ""))), content)
        elif kind == "execute_reply":
            self._reply = dict(content)
            self._say_new_files(header.get("new_files"))
        elif self._output is not None:
            self._output.show(header, buffers)
        return None

    def _say_new_files(self, found: object) -> None:
        from primepods_magic.notebook.cells.file_notes import describe_new_files

        text = describe_new_files(found, self._job.pod_name) if self._job and self._is_attended else ""
        if text:
            self.publish("stream", {"name": "stdout", "text": f"{text}\n"})

    @property
    def _is_attended(self) -> bool:
        """True if notes are wanted about costs and files: a person is there, or has asked for them."""
        costs = self._kernel.options.costs
        return not self.request.silent and (
            costs == "always" or (costs == "auto" and self.request.allow_stdin)
        )

    # The end

    def _note_end(self, end: JobEnd, connection: Any, pod: Any) -> None:
        """Show to a person what the cell cost, and record it later."""
        from primepods_magic.notebook.cells.costs import cost_recorder

        job = self._job
        if job is None:
            return
        record = cost_recorder(None, connection, pod, job, is_shown=self._is_attended)
        if self._is_attended:
            record(end, self._show_data)
        elif not self.request.silent:
            self.record = partial(record, end)
        self._kernel.pod_session.shown.append(job.id)

    def _show_data(self, data: dict[str, str]) -> None:
        self.publish("display_data", {"data": data, "metadata": {"primepods": {}}, "transient": {}})

    def _make_reply(self, end: JobEnd) -> dict[str, Any]:
        from primepods_magic.remote.job_errors import make_remote_error

        assert self._job is not None
        if end.state in ("ok", "error") and self._reply:
            if self._reply.get("status") == "error" and _OUR_MAGICS.search(self.request.code):
                self.write(
                    f"This notebook's kernel is on '{self._job.pod_name}', where primepods_magic is not "
                    "loaded. Use its magics in a notebook whose kernel is on this computer, or install it "
                    "there: %pip install primepods_magic"
                )
            return self._reply
        error = make_remote_error(self._job.pod_name, end.state, {}, death=end.death)
        return self._show_error(error.ename, error.evalue)

    def _show_error(self, ename: str, evalue: str) -> dict[str, Any]:
        """Publish an error that is not the code's, and return the reply for it."""
        error = {"ename": ename, "evalue": evalue, "traceback": [f"{ename}: {evalue}"]}
        self.publish("error", error)
        number = self._reply.get("execution_count")
        return {**error, "status": "error", "execution_count": number, "user_expressions": {}, "payload": []}


def _name_error(error: PodsError) -> str:
    return error.ename if isinstance(error, RemoteError) else type(error).__name__


def replay_job(kernel: Relay, facts: Mapping[str, Any]) -> None:
    """Show a job that an earlier relay of the same front end had sent, and reply to its request."""
    from primepods_magic.remote.job import Job
    from primepods_magic.remote.limits.names import is_job_id

    link = kernel.pod_session.link
    client = facts.get("client")
    if link is None or not isinstance(client, Mapping) or not is_job_id(facts.get("id")):
        return
    header, texts = client.get("header"), client.get("identities")
    if not isinstance(header, Mapping) or not isinstance(texts, list) or "msg_id" not in header:
        return
    header = {**{str(name): str(value) for name, value in header.items()}, "msg_type": "execute_request"}
    try:
        identities = [bytes.fromhex(text) for text in texts]
    except (TypeError, ValueError):
        return
    request = CellRequest({"header": header, "content": {}, "metadata": {}}, identities)
    cell = RelayedCell(kernel, request)
    cell.publish("status", {"execution_state": "busy"})
    job = Job(link, str(facts["id"]), kernel.options.session, title=str(facts.get("title")))
    with kernel.holding(cell):
        reply = cell.follow_again(job)
    kernel.send_reply(request, reply)
    cell.publish("status", {"execution_state": "idle"})
    kernel.pod_session.shown.append(job.id)
    kernel.pod_session.report_shown()
