"""The output of one job on disk: numbered frames, of which the middle is dropped if there are too many."""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from .frames import LENGTH_BYTES, BadFrame, Header, pack_frame, parse_header, parse_length, read_sizes

__all__ = ["Journal"]

HEAD_BYTES = 16 << 20
TAIL_BYTES = 16 << 20
SEGMENT_BYTES = 2 << 20
# Frames that are sent together: each is small, and wakes five processes up to the screen.
_MAX_JOINED_BYTES = 64 << 10


class _Segment:
    """Consecutive frames in a file, or in memory if the disk is full."""

    def __init__(self, folder: str, first: int, *, in_memory: bool = False) -> None:
        self.first = first
        self.path = os.path.join(folder, f"{first:012}.frames")
        self.offsets = array("Q")
        self.size = 0
        self._memory = bytearray() if in_memory else None
        self._writer: BinaryIO | None = None

    @property
    def end(self) -> int:
        return self.first + len(self.offsets)

    def load(self, note: Callable[[Header], object]) -> None:
        """Find the existing frames, and cut off an incomplete one at the end."""
        whole = os.path.getsize(self.path)
        with open(self.path, "rb") as reader:
            while True:
                header, size = _read_header(reader, self.size)
                if not size or self.size + size > whole:
                    break
                note(header)
                self.offsets.append(self.size)
                self.size += size
        if self.size < whole:
            os.truncate(self.path, self.size)

    def append(self, data: bytes) -> None:
        if self._memory is not None:
            self._memory += data
        else:
            self._write_file(data)
        self.offsets.append(self.size)
        self.size += len(data)

    def _write_file(self, data: bytes) -> None:
        if self._writer is None:
            # Unbuffered: no part of a frame that failed may be written later.
            self._writer = open(self.path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._writer.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self.path, self.size)
            raise

    def read(self, number: int, stop: int) -> tuple[bytes, int]:
        """Return the bytes of frames, and the number after them: before `stop`, or as many as are joined."""
        begin = self.offsets[number - self.first]
        after = min(stop, self.end)
        while after > number + 1 and self._find_end(after) - begin > _MAX_JOINED_BYTES:
            after -= 1
        end = self._find_end(after)
        if self._memory is not None:
            return bytes(self._memory[begin:end]), after
        with open(self.path, "rb") as reader:
            reader.seek(begin)
            return reader.read(end - begin), after

    def _find_end(self, after: int) -> int:
        index = after - self.first
        return self.offsets[index] if index < len(self.offsets) else self.size

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def remove(self) -> None:
        self.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def _read_header(reader: BinaryIO, offset: int) -> tuple[Header, int]:
    """Return the header of the frame at an offset, and the size of the frame; 0 if it is not whole."""
    reader.seek(offset)
    length_data = reader.read(LENGTH_BYTES)
    if len(length_data) < LENGTH_BYTES:
        return {}, 0
    try:
        length = parse_length(length_data)
        header = parse_header(reader.read(length))
        return header, LENGTH_BYTES + length + sum(read_sizes(header))
    except BadFrame:
        return {}, 0


class Journal:
    """Numbered frames of one job, in segments: the first and the newest ones are kept.

    Parameters
    ----------
    folder : str
        Its folder, created if it is missing.
    job : str
        The job's id; every frame names it.

    Attributes
    ----------
    question : int
        Number of the frame with a question, if nothing came after it; -1 otherwise.
    has_end : bool
        True if it contains the frame that says how the job ended.
    reply : dict or None
        Content of the kernel's reply, if it has arrived.
    taken : dict
        For each kernel, the number of its last stored message.
    """

    def __init__(self, folder: str, job: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.question = -1
        self.has_end = False
        self.reply: dict[str, Any] | None = None
        self.taken: dict[str, int] = {}
        self._folder = folder
        self._job = job
        self._loaded: list[_Segment] = []

    @property
    def _kept_segments(self) -> list[_Segment]:
        # Read on first use: an agent that starts has the journals of hundreds of old jobs.
        if not self._loaded:
            firsts = sorted(int(name[:12]) for name in os.listdir(self._folder) if name.endswith(".frames"))
            segments = [_Segment(self._folder, first) for first in firsts]
            for segment in segments:
                segment.load(self._note_header)
            self._loaded = segments or [_Segment(self._folder, 0)]
        return self._loaded

    def _note_header(self, header: Header) -> None:
        if header.get("type") == "input_request":
            self.question = header["n"]
        elif header.get("type") not in ("execute_input", "note"):
            # These come on other ways than questions, so perhaps after one.
            self.question = -1
        if header.get("type") == "done":
            self.has_end = True
        elif header.get("type") == "execute_reply":
            self.reply = header["content"]
        if "from" in header:
            kernel, number = header["from"]
            self.taken[kernel] = max(number, self.taken.get(kernel, 0))

    @property
    def end(self) -> int:
        """The number of the next frame."""
        return self._kept_segments[-1].end

    def append(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Write a frame, with its number; keep it in memory while the disk is full."""
        last = self._kept_segments[-1]
        if last.size >= SEGMENT_BYTES:
            last.close()
            self._drop_middle()
            self._kept_segments.append(_Segment(self._folder, last.end))
        header = {**header, "job": self._job, "n": self.end}
        data = pack_frame(header, buffers)
        try:
            self._kept_segments[-1].append(data)
        except OSError:
            last = self._kept_segments[-1]
            last.close()
            if not last.offsets:
                self._kept_segments.pop().remove()
            self._kept_segments.append(_Segment(self._folder, last.end, in_memory=True))
            self._kept_segments[-1].append(data)
        self._note_header(header)

    def skip_to(self, number: int) -> None:
        """Give the next frame at least this number: frames before it were lost with an earlier agent."""
        if number > self.end:
            self._kept_segments[-1].close()
            self._kept_segments.append(_Segment(self._folder, number))

    def _drop_middle(self) -> None:
        """Remove the oldest segment after the head once the tail has its full size."""
        head = 0
        for index, segment in enumerate(self._kept_segments, start=1):
            head += segment.size
            if head >= HEAD_BYTES:
                if sum(each.size for each in self._kept_segments[index:]) >= TAIL_BYTES:
                    self._kept_segments.pop(index).remove()
                return

    def read(self, number: int, stop: int) -> tuple[bytes, int]:
        """Return the bytes of some frames before `stop`, and the number of the next one.

        If frames were dropped here, one that says how many is returned.
        """
        for segment in self._kept_segments:
            if number < segment.first:
                gap = {"type": "gap", "job": self._job, "n": number, "dropped": segment.first - number}
                return pack_frame(gap), segment.first
            if number < segment.end:
                return segment.read(number, stop)
        raise IndexError(number)

    def close(self) -> None:
        """Close its file; a later frame opens it again."""
        if self._loaded:
            self._loaded[-1].close()
