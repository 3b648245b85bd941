"""A session: one kernel on the pod, and the cells that it runs one after another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from .folders import agent_folder
from .frames import Header, pack_frame
from .job import Job

__all__ = ["Session"]

_REDIAL_S = 10.0
_START_S = 90.0
_CANCEL_GRACE_S = 5.0
_MAX_JOBS = 200
_MAX_PARENTS = 2000
# Of a kernel's messages, these are output.
_OUTPUT = (
    "stream", "display_data", "execute_result", "update_display_data", "clear_output", "error",
    "comm_open", "comm_msg", "comm_close",
)  # fmt: skip


class Session:
    """Runs cells in order in one kernel, which is started for the first one.

    Parameters
    ----------
    folder : str
        Its folder, with one folder for each job.
    name : str
    on_change : callable
        Called when a cell starts or ends.
    """

    def __init__(self, folder: str, name: str, on_change: Callable[[], Any]) -> None:
        self.name = name
        self.jobs: OrderedDict[str, Job] = OrderedDict()
        self.current: Job | None = None
        self.pid: int | None = None
        self.on_reply: Callable[[str, dict[str, Any]], Any] = lambda parent, content: None
        self._folder = folder
        self._on_change = on_change
        self._queue: deque[Job] = deque()
        self._kernel: asyncio.StreamWriter | None = None
        self._kernels_started = 0
        self._starting: asyncio.Task[None] | None = None
        self._redialing: asyncio.Task[None] | None = None
        self._parents: OrderedDict[str, Job] = OrderedDict()
        self._is_idle = self._is_replied = False
        self._reply_state = "ok"
        self._load_jobs()

    def _load_jobs(self) -> None:
        """Find the jobs of an agent that ended; the kernel may still run one of them."""
        folders = [os.path.join(self._folder, name) for name in os.listdir(self._folder)]
        jobs: list[Job] = []
        for folder in folders:
            try:
                jobs.append(Job.load(folder))
            except (OSError, ValueError, KeyError):
                shutil.rmtree(folder, ignore_errors=True)
        for job in sorted(jobs, key=lambda job: job.facts["queued_at"]):
            self.jobs[job.id] = job
            self._parents[job.facts["msg_id"]] = job
            if job.facts["state"] == "running":
                self.current = job
            elif not job.is_done:
                job.end("died")
        if self.current:
            self._kernels_started = 1
            self._redialing = asyncio.ensure_future(self._await_kernel_again())

    # Jobs

    def add_job(self, header: Header) -> Job:
        """Queue a cell."""
        facts = {
            "id": header["id"],
            "session": self.name,
            "msg_id": header["msg_id"],
            "title": header["title"],
            "digest": header["digest"],
            "state": "queued",
            "queued_at": time.time(),
        }
        job = Job(os.path.join(self._folder, header["id"]), facts)
        job.change(request={key: header[key] for key in ("code", "allow_stdin")})
        self.jobs[job.id] = job
        self._bind_parent(header["msg_id"], job)
        self._forget_old_jobs()
        before = self.current or (self._queue[-1] if self._queue else None)
        if before:
            job.append({"type": "queued", "behind": before.id, "title": before.facts["title"]})
        self._queue.append(job)
        self._run_next()
        return job

    def find_running(self, digest: str) -> Job | None:
        """Return the job that runs, or is to run, the same cell."""
        waiting = [self.current, *self._queue]
        return next((job for job in waiting if job and job.facts["digest"] == digest), None)

    def _forget_old_jobs(self) -> None:
        for job in list(self.jobs.values()):
            if len(self.jobs) <= _MAX_JOBS:
                return
            if job.is_done:
                del self.jobs[job.id]
                shutil.rmtree(os.path.join(self._folder, job.id), ignore_errors=True)

    def _bind_parent(self, msg_id: str, job: Job) -> None:
        self._parents[msg_id] = job
        while len(self._parents) > _MAX_PARENTS:
            self._parents.popitem(last=False)

    def _run_next(self) -> None:
        if self.current or not self._queue:
            return
        if self._kernel is None:
            if self._starting is None:
                self._starting = asyncio.ensure_future(self._start_kernel(self._queue[0]))
            return
        job = self.current = self._queue.popleft()
        self._is_idle = self._is_replied = False
        self._on_change()
        request = job.facts.pop("request")
        content = {
            "silent": False, "store_history": True, "user_expressions": {}, "stop_on_error": True, **request,
        }  # fmt: skip
        job.start(kernel=self._kernels_started, **job.facts.pop("idle", {}))
        self._send_kernel("shell", "execute_request", job.facts["msg_id"], content)

    def _finish(self, state: str) -> None:
        job, self.current = self.current, None
        if job:
            job.end(state)
        self._on_change()
        self._run_next()

    def interrupt(self, job: Job) -> None:
        """Interrupt a cell; one that waits is removed."""
        if job is self.current:
            self._write({"op": "interrupt"})
        elif job in self._queue:
            self._queue.remove(job)
            job.end("cancelled")

    def cancel(self, job: Job) -> None:
        """Interrupt a cell, and end its kernel if that does not help."""
        self.interrupt(job)
        if job is self.current:
            asyncio.get_event_loop().call_later(_CANCEL_GRACE_S, self._kill, job)

    def _kill(self, job: Job) -> None:
        if job is self.current:
            self._finish_killed("cancelled")

    def stop(self) -> None:
        """End the kernel and what it runs."""
        for job in list(self._queue):
            self.interrupt(job)
        self._finish_killed("cancelled")

    def _finish_killed(self, state: str) -> None:
        if self.pid:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._write({"op": "end"})
        self._kernel = self.pid = None
        self._finish(state)

    # The kernel

    async def _start_kernel(self, job: Job) -> None:
        try:
            error = await self._prepare_kernel(job)
        except Exception as failure:  # noqa: BLE001 - the journal is where people look.
            error = f"{type(failure).__name__}: {failure}"
        finally:
            self._starting = None
        if error:
            waiting, self._queue = list(self._queue), deque()
            for each in waiting:
                each.append({"type": "setup_failed", "text": error})
                each.end("died")

    async def _prepare_kernel(self, job: Job) -> str:
        python = ""
        setup = await self._spawn(sys.executable, "prepare", stdout=asyncio.subprocess.PIPE)
        assert setup.stdout is not None
        async for line in setup.stdout:
            said = json.loads(line)
            if "error" in said:
                return str(said["error"])
            python = said.get("python", python)
            if "text" in said:
                job.append({"type": "setup", "text": said["text"]})
        if await setup.wait() or not python:
            return "Looking for a Python with ipykernel failed; see agent.log"
        self._kernels_started += 1
        host = await self._spawn(python, "kernel", self.name)
        ended = asyncio.ensure_future(host.wait())
        give_up = time.monotonic() + _START_S
        while self._kernel is None:
            if ended.done() or time.monotonic() > give_up:
                return f"The kernel does not start with {python}; see kernel.log"
            await asyncio.sleep(0.005)
        return ""

    async def _spawn(self, python: str, *words: str, stdout: Any = None) -> Any:
        folder = agent_folder()
        with open(os.path.join(folder, f"{words[0]}.log"), "ab") as log:
            return await asyncio.create_subprocess_exec(
                python,
                os.path.join(folder, "agent.pyz"),
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )

    async def _await_kernel_again(self) -> None:
        await asyncio.sleep(_REDIAL_S)
        if self._kernel is None and self.current:
            self._finish("died")

    def attach_kernel(self, writer: asyncio.StreamWriter, pid: int) -> None:
        """Take the connection of a kernel."""
        self._kernel, self.pid = writer, pid
        self._run_next()

    def detach_kernel(self, writer: asyncio.StreamWriter) -> None:
        """Note that the connection of a kernel ended."""
        if self._kernel is writer:
            self._kernel = None
            self._redialing = asyncio.ensure_future(self._await_kernel_again())

    def end_kernel(self) -> None:
        """Note that the kernel itself ended."""
        self._kernel = self.pid = None
        self._finish("died")

    def _write(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        if self._kernel is not None:
            self._kernel.write(pack_frame(header, buffers))

    def _send_kernel(
        self, channel: str, kind: str, msg_id: str, content: dict[str, Any], buffers: Sequence[bytes] = ()
    ) -> None:
        message = {"op": "send", "channel": channel, "type": kind, "msg_id": msg_id, "content": content}
        self._write(message, buffers)

    def send_input(self, job: Job, msg_id: str, value: str) -> None:
        """Answer a cell that asks for input; the answer is not written to disk."""
        if job.input_number >= 0:
            job.input_number = -1
            self._send_kernel("stdin", "input_reply", msg_id, {"value": value})

    def send_request(self, header: Header, buffers: Sequence[bytes]) -> bool:
        """Pass a message of a front end on: of a widget, or a question about code."""
        job = self.jobs.get(header.get("job", ""))
        if job:
            self._bind_parent(header["msg_id"], job)
        if self._kernel is None:
            return False
        self._send_kernel(
            header.get("channel", "shell"), header["type"], header["msg_id"], header["content"], buffers
        )
        return True

    def handle_message(self, header: Header, buffers: Sequence[bytes]) -> None:
        """Write a message of the kernel to the journal of its cell."""
        kind, parent, content = header["type"], header["parent"], header["content"]
        job = self._parents.get(parent) or self.current
        if kind in _OUTPUT and job:
            output = {"type": kind, "content": content, "parent": parent}
            if header.get("metadata"):
                output["metadata"] = header["metadata"]
            job.append(output, buffers)
        elif kind == "input_request" and job:
            job.input_number = job.journal.end
            job.append({"type": kind, "content": content})
        elif kind == "execute_reply":
            self._handle_reply(parent, content)
        elif kind.endswith("_reply"):
            self.on_reply(parent, content)
        elif kind == "status" and content.get("execution_state") == "idle":
            self._note_end(parent, is_idle=True)

    def _handle_reply(self, parent: str, content: dict[str, Any]) -> None:
        if self.current and parent == self.current.facts["msg_id"]:
            self._reply_state = "ok" if content["status"] == "ok" else "error"
            self.current.append({"type": "execute_reply", "content": content})
            self._note_end(parent, is_idle=False)

    def _note_end(self, parent: str, *, is_idle: bool) -> None:
        """Note one of the two messages that end a cell; they come by different ways."""
        if not self.current or parent != self.current.facts["msg_id"]:
            return
        if is_idle:
            self._is_idle = True
        else:
            self._is_replied = True
        if self._is_idle and self._is_replied:
            self._finish(self._reply_state)
