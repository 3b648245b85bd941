"""A job whose output keeps appearing below its cell after the cell has ended."""

from __future__ import annotations

import threading
from typing import Any

from primepods_magic.notebook.shell.kernel import in_kernel
from primepods_magic.notebook.shell.output import say
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.job_errors import FAILURES, make_failure

from .costs import CostRecorder
from .late_output import LateOutput
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
    output = LateOutput(relay, job.id, has_end=True)
    while (frame := frames.get(_TICK_S)) is not None or frames.link.is_alive:
        if frame is None:
            continue
        header, buffers = frame
        kind = header["type"]
        if kind in ("setup", *FAILURES):
            text = header["text"] if kind == "setup" else str(make_failure(job.link, job.id, header))
            header = {"type": "stream", "content": {"name": "stderr", "text": f"{text}\n"}}
        output.show(header, buffers)
        if kind in ("done", *FAILURES):
            try:
                output.finish()
                if kind == "done":
                    note_end(job.read_end(header), output.publish)
            finally:
                frames.release(LateOutput(relay, job.id).show)
            return
