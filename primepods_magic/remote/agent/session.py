"""A session: one kernel on the pod, and the cells that it runs one after another."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
import traceback
from asyncio import StreamWriter
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from .folders import find_lock_owner, read_last_line
from .frames import OUTPUT_TYPES, Header, pack_frame
from .job import Job
from .programs import find_kernel_python, forget_kernel_python, spawn_program

__all__ = ["Session"]

_RECONNECT_S = 10.0
_START_S = 90.0
_CANCEL_GRACE_S = 5.0
_POLL_S = 0.02
_ACK_INTERVAL = 32
_ACK_BYTES = 1 << 20
_MAX_JOBS = 200
_MAX_HIDDEN_JOBS = 50
_MAX_PARENTS = 2000


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
        self.on_reply: Callable[[str, dict[str, Any] | None], Any] = lambda parent, content: None
        self._folder = folder
        self._on_change = on_change
        self._queue: deque[Job] = deque()
        self._kernel: StreamWriter | None = None
        self._kernel_id = ""
        self._ended_kernels: set[str] = set()
        self._taken: dict[str, int] = {}
        self._acked = self._unacked_bytes = 0
        self._asked: set[str] = set()
        self._answer: tuple[str, str] | None = None
        self._kernels_started = 0
        self._is_new = False
        """True if the next cell is the first one of a kernel that replaced another."""
        self._starting: asyncio.Task[None] | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._parents: OrderedDict[str, Job] = OrderedDict()
        self._load_jobs()

    def _load_jobs(self) -> None:
        """Load the jobs of an agent that ended; the kernel may still be running one of them."""
        paths = [os.path.join(self._folder, name) for name in os.listdir(self._folder)]
        jobs: list[Job] = []
        for folder in filter(os.path.isdir, paths):
            try:
                jobs.append(Job.load(folder))
            except (OSError, ValueError, KeyError):
                shutil.rmtree(folder, ignore_errors=True)
        for job in sorted(jobs, key=lambda job: job.facts["queued_at"]):
            self.jobs[job.id] = job
            self._parents[job.facts["msg_id"]] = job
            self._kernels_started = max(self._kernels_started, job.facts.get("kernel", 0))
            if job.facts["state"] == "running":
                self.current = job
            elif not job.is_done:
                self._queue.append(job)
        # The jobs that may have changed last; messages in their journals need not be sent again.
        for job in [job for job in self.jobs.values() if not job.is_done] + list(self.jobs.values())[-1:]:
            job.repair()
            for kernel, number in job.journal.taken.items():
                self._taken[kernel] = max(number, self._taken.get(kernel, 0))
        if self.current and self.current.journal.reply:
            self._end_replied(self.current.journal.reply)
        if self.current or find_lock_owner(self._folder):
            self._reconnecting = asyncio.ensure_future(self._await_kernel_again())
        else:
            self._run_next()

    # Jobs

    @property
    def is_busy(self) -> bool:
        """True if a cell runs or waits, which includes that a kernel starts for it."""
        return bool(self.current or self._queue)

    def add_job(self, header: Header) -> Job:
        """Queue a cell, or an expression; it runs if the job that it needs, if any, ended well."""
        job = Job.make(os.path.join(self._folder, header["id"]), self.name, header)
        self.jobs[job.id] = job
        self._bind_parent(header["msg_id"], job)
        self._forget_old_jobs()
        before = self.current or (self._queue[-1] if self._queue else None)
        # One that needs another was sent together with it.
        if before and not (before.is_hidden or header.get("needs")):
            job.append({"type": "queued", "behind": before.id, "title": before.facts["title"]})
        self._queue.append(job)
        self._run_next()
        return job

    def find_running(self, digest: str) -> Job | None:
        """Return the running or queued job of the same cell, if there is one."""
        waiting = [self.current, *self._queue]
        return next((job for job in waiting if job and job.facts["digest"] == digest), None)

    def _forget_old_jobs(self) -> None:
        for is_hidden, limit in ((False, _MAX_JOBS), (True, _MAX_HIDDEN_JOBS)):
            jobs = [job for job in self.jobs.values() if job.is_hidden is is_hidden]
            for job in [job for job in jobs if job.is_done][: max(0, len(jobs) - limit)]:
                del self.jobs[job.id]
                self._parents.pop(job.facts["msg_id"], None)
                shutil.rmtree(os.path.join(self._folder, job.id), ignore_errors=True)

    def _bind_parent(self, msg_id: str, job: Job) -> None:
        self._parents[msg_id] = job
        while len(self._parents) > _MAX_PARENTS:
            self._parents.popitem(last=False)

    def _run_next(self) -> None:
        while not self.current and self._queue and self._is_in_vain(self._queue[0]):
            self._queue.popleft().end("cancelled")
        if self.current or not self._queue:
            return
        if self._kernel is None:
            if self._starting is None and self._reconnecting is None:
                self._starting = asyncio.ensure_future(self._start_kernel(self._queue[0]))
            return
        facts = self._queue[0].facts
        content = {
            "silent": False, "store_history": True, "user_expressions": {}, "stop_on_error": True,
            **facts["request"],
        }  # fmt: skip
        self._send_kernel("shell", "execute_request", facts["msg_id"], content)
        self._note_start()

    def _is_in_vain(self, job: Job) -> bool:
        """Return whether the job that it needs failed."""
        needed = self.jobs.get(job.facts.get("needs") or "")
        return bool(job.facts.get("needs")) and (needed is None or needed.facts["state"] != "ok")

    def _note_start(self) -> None:
        """Note that the kernel has the next cell, whose code stays on disk only until then."""
        job = self.current = self._queue.popleft()
        if not job.is_hidden:
            self._on_change()
        del job.facts["request"]
        is_new, self._is_new = self._is_new, self._is_new and job.is_hidden
        job.start(kernel=self._kernels_started, is_new=is_new, **job.facts.pop("idle", {}))

    def _finish_job(self, state: str) -> None:
        job, self.current = self.current, None
        if job:
            job.end(state)
        if job is None or not job.is_hidden:
            self._on_change()
        self._run_next()

    def interrupt(self, job: Job) -> None:
        """Interrupt a running cell, or remove a queued one."""
        if job is self.current:
            self._write_frame({"op": "interrupt"})
        elif job in self._queue:
            self._queue.remove(job)
            job.end("cancelled")

    def cancel(self, job: Job) -> None:
        """Interrupt a cell, and end its kernel if that does not help."""
        self.interrupt(job)
        if job is self.current:
            asyncio.get_event_loop().call_later(_CANCEL_GRACE_S, self._kill_if_running, job)

    def _kill_if_running(self, job: Job) -> None:
        if job is self.current:
            self._finish_killed("cancelled")

    def end_kernel(self, owner: str) -> None:
        """End the kernel, what it runs, and what waits for its owner; the next cell gets a new one."""
        for job in [job for job in self._queue if job.facts.get("owner") == owner]:
            self._queue.remove(job)
            job.end("cancelled")
        self._finish_killed("cancelled")
        for job in self.jobs.values():
            if job.facts.get("owner") == owner:
                job.note_shown()

    def _finish_killed(self, state: str) -> None:
        if self.pid:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._write_frame({"op": "end"})
        self._forget_kernel()
        self._finish_job(state)

    def _forget_kernel(self) -> None:
        """Ignore the kernel from now on; pending requests to it get no answer."""
        self._ended_kernels.add(self._kernel_id)
        self._kernel = self.pid = self._answer = None
        for msg_id in list(self._asked):
            self._pass_reply(msg_id, None)

    def _pass_reply(self, msg_id: str, content: dict[str, Any] | None) -> None:
        self._asked.discard(msg_id)
        self.on_reply(msg_id, content)

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
        python, error = await find_kernel_python(lambda text: job.append({"type": "note", "text": text}))
        if error:
            return error
        self._kernels_started += 1
        self._is_new = self._kernels_started > 1
        host = await spawn_program(python, "kernel", self.name)
        ended = asyncio.ensure_future(host.wait())
        give_up = time.monotonic() + _START_S
        # A kernel that connected may have ended already: its first cell may have called exit().
        ended_before = len(self._ended_kernels)
        while self._kernel is None and len(self._ended_kernels) == ended_before:
            if ended.done() or time.monotonic() > give_up:
                with contextlib.suppress(OSError):
                    os.killpg(host.pid, signal.SIGKILL)
                forget_kernel_python()
                how = f"exit code {ended.result()}" if ended.done() else f"not within {_START_S:.0f} s"
                return f"The kernel does not start with {python} ({how}): {read_last_line('kernel.log')}"
            await asyncio.sleep(0.005)
        return ""

    async def _await_kernel_again(self) -> None:
        """Wait for a kernel whose connection ended; it reconnects by itself unless it ended too."""
        give_up = time.monotonic() + _RECONNECT_S
        while self._kernel is None and time.monotonic() < give_up and find_lock_owner(self._folder):
            await asyncio.sleep(_POLL_S)
        self._reconnecting = None
        if self._kernel is not None:
            return
        for pid in (find_lock_owner(self._folder), self.pid):
            if pid:
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
        self._forget_kernel()
        if self.current:
            self._finish_job("died")
        else:
            self._run_next()

    def attach_kernel(self, writer: StreamWriter, hello: Header) -> None:
        """Accept the connection of a kernel: a new one, or one that an earlier agent started."""
        is_other = self._kernel is not None and self._kernel_id != hello["kernel"]
        if is_other or hello["kernel"] in self._ended_kernels:
            writer.write(pack_frame({"op": "end"}))
            return
        self._kernel, self.pid, self._kernel_id = writer, hello["pid"], hello["kernel"]
        self._acknowledge_frames()
        self._send_answer()
        if self.current is None and self._queue and hello["last"] == self._queue[0].facts["msg_id"]:
            # An agent was killed before it could note this.
            self._note_start()
        self._run_next()

    def detach_kernel(self, writer: StreamWriter) -> None:
        """Note that the connection of a kernel ended."""
        if self._kernel is writer:
            self._kernel = None
            self._reconnecting = asyncio.ensure_future(self._await_kernel_again())

    def take_frame(self, writer: StreamWriter, header: Header, buffers: Sequence[bytes], size: int) -> None:
        """Handle each frame of a kernel once: frames that were not acknowledged are sent again."""
        if writer is not self._kernel:
            return
        number = header["number"]
        if number > self._taken.get(self._kernel_id, 0):
            self._taken[self._kernel_id] = number
            try:
                self._handle_message(header, buffers)
            except Exception:  # noqa: BLE001 - one message must not end what comes after it
                traceback.print_exc()
        self._unacked_bytes += size
        # The kernel's host waits for this if it has sent much.
        is_due = number - self._acked >= _ACK_INTERVAL or self._unacked_bytes >= _ACK_BYTES
        if is_due or header["op"] == "dead":
            self._acknowledge_frames()
        if header["op"] == "dead":
            self._forget_kernel()
            if self.current:
                self.current.facts["death"] = header.get("death", {})
            self._finish_job("died")

    def _acknowledge_frames(self) -> None:
        self._acked, self._unacked_bytes = self._taken.get(self._kernel_id, 0), 0
        self._write_frame({"op": "ack", "number": self._acked})

    def _write_frame(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        if self._kernel is not None:
            self._kernel.write(pack_frame(header, buffers))

    def _send_kernel(
        self, channel: str, kind: str, msg_id: str, content: dict[str, Any], buffers: Sequence[bytes] = ()
    ) -> None:
        message = {"op": "send", "channel": channel, "type": kind, "msg_id": msg_id, "content": content}
        self._write_frame(message, buffers)

    def send_input(self, job: Job, msg_id: str, number: int, value: str) -> None:
        """Answer the question in a frame, if it still waits; the answer is not written to disk."""
        if job is self.current and job.input_number == number:
            job.input_number = -1
            self._answer = (msg_id, value)
            self._send_answer()

    def _send_answer(self) -> None:
        """Send the answer to the kernel; one that is not connected gets it when it is again."""
        if self._answer and self._kernel is not None:
            (msg_id, value), self._answer = self._answer, None
            self._send_kernel("stdin", "input_reply", msg_id, {"value": value})

    def send_request(self, header: Header, buffers: Sequence[bytes]) -> bool:
        """Forward a message of a front end: one of a widget, or a request about code."""
        job = self.jobs.get(header.get("job", ""))
        if job:
            self._bind_parent(header["msg_id"], job)
        if self._kernel is None:
            return False
        if header["op"] == "ask":
            self._asked.add(header["msg_id"])
        self._send_kernel(
            header.get("channel", "shell"), header["type"], header["msg_id"], header["content"], buffers
        )
        return True

    def _handle_message(self, header: Header, buffers: Sequence[bytes]) -> None:
        """Write a message of the kernel to the journal of its cell."""
        if header["op"] != "message":
            return
        kind, parent, content = header["type"], header["parent"], header["content"]
        job = self._parents.get(parent) or self.current
        output = {"type": kind, "content": content, "from": [self._kernel_id, header["number"]]}
        if kind in OUTPUT_TYPES and job:
            output["parent"] = parent
            if header.get("metadata"):
                output["metadata"] = header["metadata"]
            job.append(output, buffers)
        elif kind == "input_request" and job:
            job.input_number = job.journal.end
            job.append(output)
        elif kind == "execute_input" and job:
            # Only its number: code is not written to disk.
            output["content"] = {"execution_count": content["execution_count"]}
            job.append(output)
        elif kind == "execute_reply":
            # It arrives after all output of its cell.
            if self.current and parent == self.current.facts["msg_id"]:
                if header.get("new_files"):
                    output["new_files"] = header["new_files"]
                self.current.append(output)
                self._end_replied(content)
        elif kind.endswith("_reply"):
            self._pass_reply(parent, content)

    def _end_replied(self, content: dict[str, Any]) -> None:
        is_hidden = self.current is not None and self.current.is_hidden
        parts = [content, *(content.get("user_expressions", {}).values() if is_hidden else ())]
        state = "ok" if all(part["status"] == "ok" for part in parts) else "error"
        payload = content.get("payload", [])
        if any(part.get("source") == "ask_exit" and not part.get("keepkernel") for part in payload):
            # The cell called exit(): the next one must not go to a kernel that is about to end.
            self._finish_killed(state)
        else:
            self._finish_job(state)
