"""What a cell on a pod asks."""

from __future__ import annotations

from primepods_magic.remote.job import JobFrames
from tests.support.waiting import eventually


def await_question(frames: JobFrames) -> int:
    """The number of the next frame that asks something."""

    def read_number() -> int | None:
        header = (frames.get(0.1) or ({}, []))[0]
        return header["n"] if header.get("type") == "input_request" else None

    return int(eventually(read_number, "it asks"))
