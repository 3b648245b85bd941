"""The kernel that a front end sees: it answers the protocol here, and runs everything on a pod."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipykernel.kernelbase import Kernel

from primepods_magic.api.errors import NotFound, PodsError
from primepods_magic.api.text.sanitize import shorten
from primepods_magic.remote.stream_text import clean_escapes

from .cell import CellRequest, RelayedCell, replay_job
from .options import RelayOptions
from .pod_session import PodSession, run_in_thread
from .publisher import Publisher

if TYPE_CHECKING:
    from primepods_magic.remote.job import JobFrames

__all__ = ["PodKernel"]

_MAX_FOLLOWED = 60
# Front ends ask again after a second.
_INFO_S = 0.7
_TICK_S = 0.01
_RETRY_S = 5.0
_NOTE_S = 0.25
_VERSION_TEXT = re.compile(r"\d{1,3}(\.\w{1,10}){1,3}\Z", re.ASCII)
_MAX_BANNER_CHARS = 2000
_VERSION = ".".join(map(str, sys.version_info[:3]))


class PodKernel(Kernel):
    """A kernel whose cells run in a session on a pod.

    Everything about sockets, identities, the heartbeat and the order of requests is ipykernel's.
    """

    session: Any
    options: RelayOptions
    pod_session: PodSession

    implementation = "primepods"
    implementation_version = "1"
    banner = "IPython on a pod"
    language_info = {
        "name": "python",
        "version": _VERSION,
        "mimetype": "text/x-python",
        "file_extension": ".py",
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "codemirror_mode": {"name": "ipython", "version": 3},
    }

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.publisher = Publisher(self)
        self._server_file = _find_server_file()
        self._cells: list[RelayedCell] = []
        """Those on their way, the oldest first, which is the one that runs."""
        self._followed: deque[JobFrames] = deque()
        self._info_due_s = 0.0
        # In this pause before a reply, output of cells would arrive. Here, it is there before the reply.
        self._execute_sleep = 0.0
        for kind in ("comm_open", "comm_msg", "comm_close"):
            self.shell_handlers[kind] = self._relay_comm

    def bind_session(self, options: RelayOptions, session: PodSession) -> None:
        """Relay to a session from now on."""
        self.options, self.pod_session = options, session

    def start(self) -> None:
        """Answer requests from now on."""
        super().start()
        self._info_due_s = time.monotonic() + _INFO_S
        run_in_thread(self._show_owned, "primepods-owned")

    def _show_owned(self) -> None:
        """Show the cells that an earlier relay of this front end had sent and not shown to their end."""
        for facts in self._find_owned():
            # One that was sent meanwhile is on its way already.
            if not self.publisher.has_request(facts.get("msg_id")):
                replay_job(self, facts)

    def _find_owned(self) -> list[Mapping[str, Any]]:
        """Ask the pod for these cells, as soon as it can be asked."""
        self.pod_session.is_settled.wait()
        while True:
            try:
                self.pod_session.open()
                link = self.pod_session.link
                if link is not None:
                    return list(link.request("owned", owner=self.options.owner).result().get("jobs", []))
            except NotFound:
                # The first cell says what became of the pod.
                return []
            except PodsError as error:
                self.log.warning("%s", error)
            time.sleep(_RETRY_S)

    def keep_following(self, frames: JobFrames) -> None:
        """Keep showing what a cell that has ended still prints, for the newest ones."""
        self._followed.append(frames)
        while len(self._followed) > _MAX_FOLLOWED:
            self._followed.popleft().leave()

    # Cells

    def _publish_execute_input(self, code: str, parent: Any, execution_count: int) -> None:
        """Publish nothing yet: the kernel on the pod says when it begins, and the number."""

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: Any = None,
        allow_stdin: bool = False,
        *,
        cell_meta: Any = None,
        cell_id: Any = None,
    ) -> dict[str, Any]:
        """Run a cell on the pod, and return the content of its reply."""
        cell = RelayedCell(self, CellRequest(self.get_parent("shell"), self._read_identities()))
        with self.holding(cell):
            content = dict(await _await_thread(cell.run))
        asyncio.get_running_loop().call_later(
            _NOTE_S, run_in_thread, partial(self._note_end, cell), "primepods-record"
        )
        return content

    def _note_end(self, cell: RelayedCell) -> None:
        """Note what the client and the next cell do not wait for."""
        cell.record()
        self.pod_session.report_shown()

    @contextmanager
    def holding(self, cell: RelayedCell) -> Iterator[None]:
        """Let a cell be interrupted and answered in the block."""
        self._cells.append(cell)
        try:
            yield
        finally:
            self._cells.remove(cell)

    def _read_identities(self) -> list[bytes]:
        identities: Any = self._parent_ident["shell"]
        return list(identities)

    def interrupt_cell(self) -> None:
        """Interrupt the cell that runs, if one does."""
        for cell in self._cells[:1]:
            cell.interrupt()

    async def interrupt_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Pass an interrupt on."""
        self.interrupt_cell()
        self.session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)

    def pre_handler_hook(self) -> None:
        """Leave the handling of Ctrl-C as it is."""

    def post_handler_hook(self) -> None:
        """Leave the handling of Ctrl-C as it is."""

    def send_reply(self, request: CellRequest, content: Mapping[str, Any]) -> None:
        """Send the reply of a request that an earlier relay had taken."""

        def send() -> None:
            manager = getattr(self.shell_channel_thread, "manager", None)
            stream = manager.get_subshell_to_shell_channel_socket(None) if manager else self.shell_stream
            self.session.send(
                stream, "execute_reply", dict(content), request.message, ident=request.identities
            )

        self.io_loop.add_callback(send)

    # Questions

    def ask_person(self, cell: RelayedCell, prompt: str, content: Mapping[str, Any]) -> None:
        """Ask for what a cell wants to read, and pass the answer on to it."""
        asked = {"prompt": prompt, "password": bool(content.get("password"))}
        self.io_loop.add_callback(self._ask_and_pass, cell, asked)

    async def _ask_and_pass(self, cell: RelayedCell, asked: dict[str, Any]) -> None:
        self._drop_old_answers()
        message, identities = cell.request.message, cell.request.identities
        self.session.send(self.stdin_socket, "input_request", asked, message, ident=identities)
        while cell in self._cells and cell.is_asking:
            value = self._read_answer()
            if value is not None:
                cell.take_answer(value)
                return
            await asyncio.sleep(_TICK_S)

    def _drop_old_answers(self) -> None:
        while self._read_answer() is not None:
            pass

    def _read_answer(self) -> str | None:
        import zmq

        try:
            _, reply = self.session.recv(self.stdin_socket, zmq.NOBLOCK)
            return None if reply is None else str(reply["content"]["value"])
        except (LookupError, TypeError, ValueError):
            return ""

    # Requests about code

    @property
    def kernel_info(self) -> dict[str, Any]:
        """The description of an IPython kernel, with the version on the pod once it is known."""
        there = self.pod_session.kernel_info
        info = there.get("language_info")
        version = info.get("version") if isinstance(info, dict) else None
        # Notebooks keep this, and other programs import what some of it names.
        known = {"version": version} if isinstance(version, str) and _VERSION_TEXT.match(version) else {}
        return {
            "protocol_version": "5.3",
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": {**self.language_info, **known},
            "banner": clean_escapes(shorten(str(there.get("banner", self.banner)), _MAX_BANNER_CHARS)),
            "help_links": [],
            "supported_features": [],
        }

    async def kernel_info_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Answer once the kernel on the pod has, or without it after a while."""
        while not self.pod_session.is_prepared and time.monotonic() < self._info_due_s:
            await asyncio.sleep(_TICK_S)
        content = {"status": "ok", **self.kernel_info}
        self.session.send(stream, "kernel_info_reply", content, parent, ident)

    async def do_complete(self, code: str, cursor_pos: int) -> dict[str, Any]:
        """Return completions of the kernel on the pod."""
        answer = await self._ask_pod("complete_request", {"code": code, "cursor_pos": cursor_pos})
        nothing = {"matches": [], "cursor_start": cursor_pos, "cursor_end": cursor_pos, "metadata": {}}
        return {**nothing, **answer, "status": "ok"}

    async def do_inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()
    ) -> dict[str, Any]:
        """Return what the kernel on the pod knows about a name."""
        content = {"code": code, "cursor_pos": cursor_pos, "detail_level": detail_level}
        answer = await self._ask_pod("inspect_request", content)
        return {"found": False, "data": {}, "metadata": {}, **answer, "status": "ok"}

    async def do_history(self, *given: Any, **named: Any) -> dict[str, Any]:
        """Return the history of the session on the pod."""
        content = self.get_parent("shell")["content"]
        answer = await self._ask_pod("history_request", content)
        return {"history": [], **answer, "status": "ok"}

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """Return whether code is complete, which depends on the code alone."""
        from IPython.core.inputtransformer2 import TransformerManager

        manager: Any = TransformerManager
        status, indent = manager().check_complete(code)
        return {"status": status, **({"indent": " " * (indent or 0)} if status == "incomplete" else {})}

    async def do_debug_request(self, msg: Any) -> dict[str, Any]:
        """Refuse: the debugger is not offered."""
        return {}

    async def _ask_pod(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return dict(await _await_thread(lambda: self.pod_session.ask(kind, content)))

    # Widgets

    async def _relay_comm(self, stream: Any, ident: Any, parent: Any) -> None:
        """Pass a message of a widget on to the pod."""
        link, content = self.pod_session.link, parent["content"]
        job = self.publisher.find_comm_job(content.get("comm_id"))
        if link is None or not job:
            return
        link.request(
            "send",
            [bytes(each) for each in parent.get("buffers", [])],
            session=self.options.session,
            job=job,
            type=parent["header"]["msg_type"],
            msg_id=self.publisher.note_request(parent),
            content=content,
        )

    async def comm_info_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Send the list of the widgets on the pod."""
        answer = await self._ask_pod("comm_info_request", parent["content"])
        content = {"comms": {}, **answer, "status": "ok"}
        self.session.send(stream, "comm_info_reply", content, parent, ident)

    # The end

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """End the kernel on the pod, unless the whole server ends; the pod stays."""
        self.pod_session.report_shown()
        is_server_ending = self._server_file is not None and not self._server_file.exists()
        what = "keeps running"
        if restart or not is_server_ending:
            is_ended = await _await_thread(lambda: self.pod_session.end_kernel(is_restart=restart))
            what = "has ended" if is_ended else "could not be reached, and keeps running"
        if not restart:
            link = self.pod_session.link
            name = link.name if link else self.options.pod
            rest = "The pod keeps running and is billed; '%pods rm' terminates it"
            self.log.warning("%s", f"The kernel on '{name}' {what}. {rest}")
        return {"status": "ok", "restart": restart}


def _find_server_file() -> Path | None:
    """Return the file that the Jupyter server above this process removes when it ends, if there is one."""
    from jupyter_core.paths import jupyter_runtime_dir

    pid = os.environ.get("JPY_PARENT_PID") or os.getppid()
    file = Path(jupyter_runtime_dir(), f"jpserver-{pid}.json")
    return file if file.exists() else None


async def _await_thread(function: Callable[[], Any]) -> Any:
    """Run a function in a thread that ends with the process, and return its result."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def call() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            loop.call_soon_threadsafe(_set_failure, done, error)
        else:
            loop.call_soon_threadsafe(_set_result, done, result)

    run_in_thread(call, "primepods-cell")
    return await done


def _set_result(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _set_failure(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
