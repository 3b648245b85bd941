"""A job whose output keeps appearing below its cell after the cell has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from primepods_magic.notebook.shell.kernel import in_kernel
from primepods_magic.notebook.shell.output import say
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.job_errors import FAILURES

from .costs import CostRecorder
from .finished_bars import FinishedBars
from .pace import await_server
from .text_limit import TextLimit
from .widget_relay import WidgetRelay

__all__ = ["show_in_background"]

_TICK_S = 0.5


def show_in_background(shell: Any, job: Job, note_end: CostRecorder) -> None:
    """Show the output of a job below the current cell from now on, and say how to see it later."""
    say(f"Job {job.id} runs on '{job.pod_name}'. '%pods attach {job.id}' shows its output.")
    if not in_kernel(shell):
        return
    relay = WidgetRelay(shell, job)
    frames = job.take_frames()
    thread = threading.Thread(
        target=_show_frames, args=(job, frames, relay, note_end), name=f"primepods-job-{job.id}", daemon=True
    )
    thread.start()


def _show_frames(job: Job, frames: JobFrames, relay: WidgetRelay, note_end: CostRecorder) -> None:
    output = _LateOutput(relay, job.id)
    while frames.link.is_alive:
        frame = frames.get(_TICK_S)
        if frame is None:
            continue
        header, buffers = frame
        kind = header["type"]
        if kind in ("setup", "setup_failed"):
            header = {"type": "stream", "content": {"name": "stderr", "text": f"{header['text']}\n"}}
        output.show(header, buffers)
        if kind in ("done", *FAILURES):
            output.finish()
            if kind == "done":
                note_end(job.read_end(header), output.publish)
            frames.release(relay.show_late)
            return


class _LateOutput:
    """Output below a cell that has ended."""

    def __init__(self, relay: WidgetRelay, job_id: str) -> None:
        self._relay = relay
        self._job_id = job_id
        self._has_failed = False
        self._limit = TextLimit(job_id)
        self._bars = FinishedBars()

    def show(self, header: Header, buffers: list[bytes]) -> None:
        """Show one message, at the pace of the server and within the limit for text."""
        try:
            self._show_message(header, buffers)
        except Exception as error:  # noqa: BLE001 - one message must not hide what comes after it
            if not self._has_failed:
                self._has_failed = True
                text = f"[Some output of job {self._job_id} cannot be shown: {type(error).__name__}]\n"
                self._show_texts([("stderr", text)])

    def _show_message(self, header: Header, buffers: list[bytes]) -> None:
        kind, content = header["type"], header.get("content", {})
        self._bars.note(kind, content)
        if kind == "stream":
            texts = self._limit.pass_text(content["name"], content["text"])
            self._show_texts(texts, header.get("parent", ""))
            return
        if kind == "clear_output":
            self._limit.clear()
        await_server(content, buffers)
        self._relay.show_late(header, buffers)

    def _show_texts(self, texts: Iterable[tuple[str, str]], parent: str = "") -> None:
        for name, text in texts:
            content = {"name": name, "text": text}
            await_server(content)
            self._relay.show_late({"type": "stream", "content": content, "parent": parent}, [])

    def publish(self, data: dict[str, str], display_id: str | None = None) -> None:
        """Show a display, or put it in the place of an earlier one."""
        content = {"data": data, "metadata": {}, "transient": {}}
        if display_id is not None:
            content["transient"] = {"display_id": display_id}
        kind = "display_data" if display_id is None else "update_display_data"
        self._relay.show_late({"type": kind, "content": content}, [])

    def finish(self) -> None:
        """Show the end of a long text, and text in the place of bars that have ended."""
        self._show_texts(self._limit.pass_rest())
        for display_id, data in self._bars.describe():
            self.publish(data, display_id)
