"""The output of a program on a pod, written as it arrives."""

from __future__ import annotations

from primepods_magic.remote.command import StreamName
from primepods_magic.remote.stream_text import StreamText

from .output import write_stream

__all__ = ["ProgramOutput"]


class ProgramOutput:
    """Writes the output of a program to this process's own streams, safe to print."""

    def __init__(self) -> None:
        self._texts: dict[StreamName, StreamText] = {"stdout": StreamText(), "stderr": StreamText()}

    def write(self, name: StreamName, data: bytes, *, is_end: bool = False) -> None:
        """Write what has arrived."""
        write_stream(name, self._texts[name].feed(data, is_end=is_end))

    def finish(self) -> None:
        """Write what was held back, such as half a character."""
        for name in self._texts:
            self.write(name, b"", is_end=True)
