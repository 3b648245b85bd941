"""A job whose output keeps appearing below its cell after the cell has ended."""

from __future__ import annotations

import threading
from typing import Any

from primepods_magic.notebook.shell.kernel import in_kernel
from primepods_magic.notebook.shell.output import say
from primepods_magic.remote.job import FAILURES, Job, JobEnd, JobFrames

from .costs import CostRecorder
from .finished_bars import FinishedBars
from .output import Pace
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
        target=_show_frames, args=(frames, relay, note_end), name=f"primepods-job-{job.id}", daemon=True
    )
    thread.start()


def _show_frames(frames: JobFrames, relay: WidgetRelay, note_end: CostRecorder) -> None:
    def publish(data: dict[str, str]) -> None:
        relay.show_late({"type": "display_data", "content": {"data": data, "metadata": {}}}, [])

    def replace_bars() -> None:
        for display_id, text in bars.describe().items():
            content = {
                "data": {"text/plain": text},
                "metadata": {},
                "transient": {"display_id": display_id},
            }
            relay.show_late({"type": "update_display_data", "content": content}, [])

    pace, bars = Pace(), FinishedBars()
    while frames.link.is_alive:
        frame = frames.get(_TICK_S)
        if frame is None:
            continue
        header, buffers = frame
        if header["type"] in ("setup", "setup_failed"):
            header = {"type": "stream", "content": {"name": "stderr", "text": f"{header['text']}\n"}}
        pace.wait(header.get("content", {}))
        bars.note(header["type"], header.get("content", {}))
        relay.show_late(header, buffers)
        if frame[0]["type"] in ("done", *FAILURES):
            replace_bars()
            if frame[0]["type"] == "done":
                note_end(JobEnd.from_header(frame[0]), publish)
            frames.release(relay.show_late)
            return
