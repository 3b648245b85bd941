"""The output of one job on disk: numbered frames, of which the middle is dropped if there are too many."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import BinaryIO

from .frames import LENGTH_BYTES, BadFrame, Header, pack_frame, parse_header, parse_length, read_sizes

__all__ = ["Journal"]

HEAD_BYTES = 16 << 20
TAIL_BYTES = 16 << 20
SEGMENT_BYTES = 2 << 20


class _Segment:
    """A file of consecutive frames."""

    def __init__(self, folder: str, first: int) -> None:
        self.first = first
        self.path = os.path.join(folder, f"{first:012}.frames")
        self.offsets = array("Q")
        self.size = 0
        self._writer: BinaryIO | None = None
        if os.path.exists(self.path):
            self._index_frames()

    @property
    def end(self) -> int:
        return self.first + len(self.offsets)

    def _index_frames(self) -> None:
        """Find the frames that are there already; a torn one at the end is cut off."""
        whole = os.path.getsize(self.path)
        with open(self.path, "rb") as reader:
            while True:
                size = _find_frame_size(reader, self.size)
                if size is None or self.size + size > whole:
                    break
                self.offsets.append(self.size)
                self.size += size
        os.truncate(self.path, self.size)

    def append(self, data: bytes) -> None:
        if self._writer is None:
            self._writer = open(self.path, "ab")  # noqa: SIM115 - closed by close()
        self._writer.write(data)
        self._writer.flush()
        self.offsets.append(self.size)
        self.size += len(data)

    def read(self, number: int) -> bytes:
        index = number - self.first
        begin = self.offsets[index]
        end = self.offsets[index + 1] if index + 1 < len(self.offsets) else self.size
        with open(self.path, "rb") as reader:
            reader.seek(begin)
            return reader.read(end - begin)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _find_frame_size(reader: BinaryIO, offset: int) -> int | None:
    reader.seek(offset)
    length_data = reader.read(LENGTH_BYTES)
    if len(length_data) < LENGTH_BYTES:
        return None
    try:
        length = parse_length(length_data)
        return LENGTH_BYTES + length + sum(read_sizes(parse_header(reader.read(length))))
    except BadFrame:
        return None


class Journal:
    """Numbered frames of one job, in segments: the first ones are kept, and of those after them the newest.

    Parameters
    ----------
    folder : str
        Its folder, made if it is missing.
    job : str
        The job's id; every frame names it.
    """

    def __init__(self, folder: str, job: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = folder
        self._job = job
        firsts = sorted(int(name[:12]) for name in os.listdir(folder) if name.endswith(".frames"))
        self._segments: list[_Segment] = [_Segment(folder, first) for first in firsts or [0]]

    @property
    def end(self) -> int:
        """The number of the next frame."""
        return self._segments[-1].end

    def append(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Write a frame, with its number."""
        last = self._segments[-1]
        if last.size >= SEGMENT_BYTES:
            last.close()
            self._drop_middle()
            self._segments.append(_Segment(self._folder, last.end))
        self._segments[-1].append(pack_frame({**header, "job": self._job, "n": self.end}, buffers))

    def _drop_middle(self) -> None:
        """Remove the oldest segment behind the head once the tail has its size."""
        head = 0
        for index, segment in enumerate(self._segments, start=1):
            head += segment.size
            if head >= HEAD_BYTES:
                if sum(each.size for each in self._segments[index:]) >= TAIL_BYTES:
                    os.unlink(self._segments.pop(index).path)
                return

    def read(self, number: int) -> tuple[bytes, int]:
        """Return the bytes of a frame, and the number of the next one.

        Where frames were dropped, the frame says how many.
        """
        for segment in self._segments:
            if number < segment.first:
                gap = {"type": "gap", "job": self._job, "n": number, "dropped": segment.first - number}
                return pack_frame(gap), segment.first
            if number < segment.end:
                return segment.read(number), number + 1
        raise IndexError(number)

    def close(self) -> None:
        """Close its file; a later frame opens it again."""
        self._segments[-1].close()
