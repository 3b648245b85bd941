"""The agent: a process on the pod that outlives connections, and keeps sessions and their output."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import Any

from .activity.monitor import Monitor
from .files.service import FileService
from .folders import SOCKET, agent_folder
from .frames import (
    LENGTH_BYTES,
    SESSION_NAME,
    Frame,
    Header,
    pack_frame,
    pack_head,
    parse_header,
    parse_length,
    read_sizes,
)
from .gpu_sampler import GpuSampler
from .guard.keeper import GUARD_CHANGES, GuardKeeper
from .guard.notes import find_guard
from .job import Job
from .pipes import Window, enlarge_socket
from .programs import run_program
from .session import Session

__all__ = ["serve"]

_MAX_REPLIES = 2000
# A client pings more often than this; a connection that is silent for longer is dead.
_SILENCE_S = 60.0


def serve() -> None:
    """Serve clients until the pod ends."""
    os.chdir(agent_folder())
    with open("agent.lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit("another agent is running") from None
        asyncio.run(_serve_forever())


async def _serve_forever() -> None:
    agent = _Agent()
    with contextlib.suppress(OSError):
        os.unlink(SOCKET)
    server = await asyncio.start_unix_server(agent.serve_connection, SOCKET, limit=1 << 20)
    os.chmod(SOCKET, 0o600)
    async with server:
        await server.serve_forever()


async def _read_frame(reader: asyncio.StreamReader, timeout_s: float | None = None) -> Frame:
    header, buffers, _ = await _read_sized(reader, timeout_s)
    return header, buffers


async def _read_sized(
    reader: asyncio.StreamReader, timeout_s: float | None = None
) -> tuple[Header, list[bytes], int]:
    """Return a frame, and how many bytes it has."""
    length = parse_length(await asyncio.wait_for(reader.readexactly(LENGTH_BYTES), timeout_s))
    header = parse_header(await reader.readexactly(length))
    sizes = read_sizes(header)
    return header, [await reader.readexactly(size) for size in sizes], length + sum(sizes)


class _Agent:
    """Everything that the pod's user runs through this version of the agent."""

    def __init__(self) -> None:
        self._folder = os.path.join(agent_folder(), "sessions")
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._replies: OrderedDict[str, Header] = OrderedDict()
        self._programs: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, _Client] = {}
        self._sampler = GpuSampler(self._add_sample)
        self._idle_since: float | None = None
        self._files = FileService()
        self._guard = GuardKeeper()
        self.sessions: dict[str, Session] = {}
        self._monitor = Monitor(
            self._sampler,
            self._find_busy_session,
            lambda: len(self._programs) + self._files.open_count,
            find_guard,
        )
        for name in os.listdir(self._folder):
            self._open_session(name)
        self._sampler.turn(any(session.current for session in self.sessions.values()))

    def _open_session(self, name: str) -> Session:
        if name not in self.sessions:
            if not SESSION_NAME.match(name):
                raise ValueError(f"{name!r} is not a valid session name")
            folder = os.path.join(self._folder, name)
            os.makedirs(folder, mode=0o700, exist_ok=True)
            session = self.sessions[name] = Session(folder, name, self._note_change)
            session.on_reply = self._pass_reply
        return self.sessions[name]

    def _note_change(self) -> None:
        """Measure idleness and GPUs as cells start and end."""
        self._monitor.note_busy("cells", "a cell has just run")
        current = [session.current for session in self.sessions.values()]
        running = [job for job in current if job and not job.is_hidden]
        self._sampler.turn(bool(running))
        if not running:
            self._idle_since = time.monotonic()
        elif self._idle_since is not None and len(running) == 1:
            running[0].facts["idle"] = {"idle_s": time.monotonic() - self._idle_since}
            self._idle_since = None

    def _add_sample(self, percent: float) -> None:
        for session in self.sessions.values():
            if session.current:
                session.current.gpu.add(percent)

    def _find_busy_session(self) -> str:
        return next((name for name, session in self.sessions.items() if session.is_busy), "")

    def find_job(self, job_id: str) -> Job | None:
        """Return a job by its id."""
        for session in self.sessions.values():
            if job_id in session.jobs:
                return session.jobs[job_id]
        return None

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client or a kernel."""
        enlarge_socket(writer.get_extra_info("socket"))
        try:
            with self._monitor.logins.hold_bridge(writer.get_extra_info("socket")):
                first = await _read_frame(reader)
                if first[0].get("op") != "kernel":
                    return await _Client(self, writer).serve(first, reader)
            await self._serve_kernel(first[0], reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _serve_kernel(
        self, hello: Header, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        session = self._open_session(hello["session"])
        session.attach_kernel(writer, hello)
        try:
            while True:
                session.take_frame(writer, *await _read_sized(reader))
        finally:
            session.detach_kernel(writer)

    # Requests of clients

    def answer(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header | None:
        """Carry out a request once, however often it arrives; return None if its answer comes later."""
        request_id = header["id"]
        if header["op"].startswith("file_"):
            # These may be repeated, and their replies are too large to be kept.
            self._monitor.note_busy("transfers", "files are transferred")
            self._files.start(client, header, buffers)
            return None
        if request_id in self._replies:
            return self._replies[request_id]
        if header["op"] in GUARD_CHANGES:
            # Replies are kept, requests never: one of these has a key.
            self._start_answer(client, request_id, self._guard.change(header), self._requests)
            return None
        try:
            reply = getattr(self, "_do_" + header["op"])(client, header, buffers)
        except Exception as error:  # noqa: BLE001 - the client would only send it again
            reply = {"failed": f"{type(error).__name__}: {error}"}
        if reply is not None and header["op"] not in ("activity", "guard_state"):
            self._keep_reply(request_id, reply)
        return reply if reply is None else {**reply, "type": "reply", "id": request_id}

    def _keep_reply(self, request_id: str, reply: Header) -> None:
        self._replies[request_id] = {**reply, "type": "reply", "id": request_id}
        while len(self._replies) > _MAX_REPLIES:
            self._replies.popitem(last=False)

    def _do_run(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        session = self._open_session(header["session"])
        self._do_shown(client, header, buffers)
        if header["id"] in session.jobs:
            return {}
        running = None if header["again"] else session.find_running(header["digest"])
        if running:
            return {"running": running.id}
        # One after another, with no one else's in between; each needs the one before it.
        needed = None
        for each in (*header.get("before", ()), header, *header.get("after", ())):
            if each["id"] not in session.jobs:
                session.add_job({**each, "needs": needed})
            needed = each["id"]
        self._monitor.note_busy("cells", "a cell was sent")
        return {}

    def _do_interrupt(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        return self._change_job(header, "interrupt")

    def _do_cancel(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        return self._change_job(header, "cancel")

    def _change_job(self, header: Header, verb: str) -> Header:
        job = self.find_job(header["job"])
        if job is None:
            return {"unknown": True}
        state = job.facts["state"]
        getattr(self.sessions[job.facts["session"]], verb)(job)
        return {"state": state}

    def _do_input(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        if job := self.find_job(header["job"]):
            self.sessions[job.facts["session"]].send_input(job, header["id"], header["n"], header["value"])
        return {}

    def _do_send(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        self._open_session(header["session"]).send_request(header, buffers)
        return {}

    def _do_ask(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header | None:
        header["msg_id"] = header["id"]
        if not self._open_session(header["session"]).send_request(header, buffers):
            return {"content": None}
        self._waiting[header["id"]] = client
        return None

    def _do_report(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> None:
        self._start_answer(client, header["id"], run_program("report", None), self._programs)

    def _do_packages(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> None:
        program = run_program("packages", header["packages"])
        self._start_answer(client, header["id"], program, self._programs)

    def _start_answer(
        self,
        client: _Client,
        request_id: str,
        answer: Coroutine[Any, Any, Header],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        task = asyncio.ensure_future(self._send_reply(client, request_id, answer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _send_reply(
        self, client: _Client, request_id: str, answer: Coroutine[Any, Any, Header]
    ) -> None:
        """Reply with what is found later."""
        try:
            reply = await answer
        except Exception as error:  # noqa: BLE001 - as in `answer`
            reply = {"failed": f"{type(error).__name__}: {error}"}
        self._keep_reply(request_id, reply)
        client.write(self._replies[request_id])

    def _pass_reply(self, parent: str, content: dict[str, Any] | None) -> None:
        client = self._waiting.pop(parent, None)
        if client:
            client.write({"type": "reply", "id": parent, "content": content})

    def _do_end_kernel(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        self._open_session(header["session"]).end_kernel(header["owner"])
        return {}

    def _do_activity(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        return {"content": self._monitor.answer(header)}

    def _do_guard_state(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        return self._guard.read_state()

    def _do_owned(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        """List the jobs of a relay whose end it has not shown."""
        jobs = [job.facts for session in self.sessions.values() for job in session.jobs.values()]
        owned = [facts for facts in jobs if facts.get("owner") == header["owner"] and not facts.get("shown")]
        return {"jobs": [{key: facts[key] for key in ("id", "msg_id", "title", "client")} for facts in owned]}

    def _do_shown(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        for job in filter(None, map(self.find_job, header.get("shown", ()))):
            job.note_shown()
        return {}

    def _do_note(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        """Show a line in the output of every cell that runs."""
        for session in self.sessions.values():
            if session.current and not session.current.is_hidden:
                session.current.append({"type": "note", "text": header["text"]})
        return {}

    def _do_jobs(self, client: _Client, header: Header, buffers: Sequence[bytes]) -> Header:
        jobs = [job for session in self.sessions.values() for job in session.jobs.values()]
        internal = ("request", "digest", "msg_id", "needs", "hidden", "owner", "client", "shown", "death")
        listed = [job.facts.items() for job in jobs if not job.is_hidden]
        return {
            "now": time.time(),
            "jobs": [{key: value for key, value in facts if key not in internal} for facts in listed],
        }


class _Client:
    """One connection of a client: it follows jobs from where it left off."""

    def __init__(self, agent: _Agent, writer: asyncio.StreamWriter) -> None:
        self._agent = agent
        self._writer = writer
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._windows: dict[str, Window] = {}
        self._draining = asyncio.Lock()
        self.has_left = False

    def write(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Send a frame that is not in a journal."""
        for part in (pack_head(header, buffers), *buffers):
            # asyncio keeps the rest that the system does not take at once. A rest of bytes would be a copy.
            self._writer.write(memoryview(part))

    async def serve(self, frame: Frame, reader: asyncio.StreamReader) -> None:
        """Serve it from its first frame until the connection ends."""
        try:
            while True:
                self._handle_frame(*frame)
                frame = await _read_frame(reader, _SILENCE_S)
        except asyncio.TimeoutError:
            self._writer.transport.abort()
        finally:
            self.has_left = True
            for task in self._followers.values():
                task.cancel()

    def _handle_frame(self, header: Header, buffers: Sequence[bytes]) -> None:
        op = header["op"]
        if op == "ping":
            self.write({"type": "pong"})
        elif op == "follow":
            self._follow_job(header["to"], header["job"], header["next"])
        elif op == "leave":
            self._leave_job(header["to"])
        elif op == "used":
            if header["to"] in self._windows:
                self._windows[header["to"]].free(header["next"])
        else:
            reply = self._agent.answer(self, header, buffers)
            if reply is not None:
                self.write(reply)

    def _follow_job(self, to: str, job_id: str, number: int) -> None:
        """Send a job, beginning with a frame; one client may follow a job in several places."""
        self._leave_job(to)
        job = self._agent.find_job(job_id)
        if job is None:
            self._write_to(to, pack_frame({"type": "unknown", "job": job_id}))
            return
        window = self._windows[to] = Window()
        self._followers[to] = asyncio.ensure_future(self._send_frames(to, job, number, window))

    def _leave_job(self, to: str) -> None:
        self._windows.pop(to, None)
        task = self._followers.pop(to, None)
        if task:
            task.cancel()

    def _write_to(self, to: str, data: bytes) -> None:
        """Send a frame of a job, preceded by the place that it is for."""
        self._writer.write(pack_frame({"type": "to", "to": to}) + data)

    async def _send_frames(self, to: str, job: Job, number: int, window: Window) -> None:
        job.journal.skip_to(number)
        while True:
            await job.await_frames(number)
            while number < job.journal.end:
                try:
                    # Before a question comes a frame that says that it waits.
                    stop = job.input_number if job.input_number > number else job.journal.end
                    data, number_after = job.journal.read(number, stop)
                except OSError:
                    # The job was removed, as the oldest ones are.
                    self._write_to(to, pack_frame({"type": "unknown", "job": job.id}))
                    return
                if number == job.input_number:
                    self._write_to(to, pack_frame({"type": "input_wanted", "job": job.id, "n": number}))
                number = number_after
                self._write_to(to, data)
                async with self._draining:
                    await self._writer.drain()
                await window.take(number, len(data))
