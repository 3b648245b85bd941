"""A job whose output keeps appearing below its cell after the cell has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from primepods_magic.notebook.shell.kernel import in_kernel
from primepods_magic.notebook.shell.output import say
from primepods_magic.remote.agent.frames import Header
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.job_errors import FAILURES, make_failure

from .costs import CostRecorder
from .file_notes import describe_hint, describe_new_files
from .late_output import LateOutput
from .widget_relay import WidgetRelay

__all__ = ["show_in_background"]

_TICK_S = 0.5


def show_in_background(shell: Any, job: Job, note_end: CostRecorder, *, names_files: bool = True) -> None:
    """Show the output of a job below the current cell from now on, and say how to see it later.

    At its end, name the files that it has written, and what exists here if that is what it did not find.
    """
    say(f"Job {job.id} runs on '{job.pod_name}'. '%pods attach {job.id}' shows its output.")
    if not in_kernel(shell):
        return
    relay = WidgetRelay(shell, job)
    frames = job.take_frames()

    def describe_end(reply: Header) -> list[str]:
        error = reply.get("content", {})
        hint = describe_hint(error.get("ename", ""), error.get("evalue", ""), shell.user_ns, job.pod_name)
        files = describe_new_files(reply.get("new_files"), job.pod_name) if names_files else ""
        return [line for line in (hint, files) if line]

    thread = threading.Thread(
        target=_show_frames,
        args=(job, frames, relay, describe_end, note_end),
        name=f"primepods-job-{job.id}",
        daemon=True,
    )
    thread.start()


def _show_frames(
    job: Job,
    frames: JobFrames,
    relay: WidgetRelay,
    describe_end: Callable[[Header], list[str]],
    note_end: CostRecorder,
) -> None:
    output = LateOutput(relay, job.id, has_end=True)
    reply: Header = {}
    while (frame := frames.get(_TICK_S)) is not None or frames.link.is_alive:
        if frame is None:
            continue
        header, buffers = frame
        kind = header["type"]
        if kind in ("note", *FAILURES):
            text = header["text"] if kind == "note" else str(make_failure(job.link, job.id, header))
            header = {"type": "stream", "content": {"name": "stderr", "text": f"{text}\n"}}
        if kind == "execute_reply":
            reply = header
        output.show(header, buffers)
        if kind in ("done", *FAILURES):
            try:
                output.finish()
                if kind == "done":
                    for line in describe_end(reply):
                        output.show_line(line)
                    note_end(job.read_end(header), output.publish)
            finally:
                frames.release(LateOutput(relay, job.id).show)
            return
