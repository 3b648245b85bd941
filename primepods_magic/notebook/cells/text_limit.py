"""The beginning and the end of a cell's text: a browser cannot show tens of megabytes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

__all__ = ["TextLimit"]

_MAX_FIRST_CHARS = 4_000_000
_MAX_LAST_CHARS = 200_000


class TextLimit:
    """Passes on the first 4 MB that a cell prints, and keeps the last 200 kB for its end.

    Parameters
    ----------
    job_id : str
    has_end : bool
        False if the text has no end: what is above the limit is not kept.
    """

    def __init__(self, job_id: str, *, has_end: bool = True) -> None:
        self._job_id = job_id
        self._has_end = has_end
        self.clear()

    def clear(self) -> None:
        """Begin again, as after ``clear_output``."""
        self._passed_chars = 0
        self._held_chars = 0
        self._hidden_chars = 0
        self._held: deque[tuple[str, str]] = deque()

    def pass_text(self, name: str, text: str) -> Iterator[tuple[str, str]]:
        """Yield what is to be shown now of a text and the stream that it is for."""
        if self._passed_chars < _MAX_FIRST_CHARS:
            self._passed_chars += len(text)
            yield name, text
            if self._passed_chars >= _MAX_FIRST_CHARS:
                yield "stderr", f"\n[Too much output for a notebook: {self._describe_rest()}]\n"
            return
        if not self._has_end:
            return
        self._held.append((name, text))
        self._held_chars += len(text)
        while self._held_chars - len(self._held[0][1]) >= _MAX_LAST_CHARS:
            dropped = len(self._held.popleft()[1])
            self._held_chars -= dropped
            self._hidden_chars += dropped

    def _describe_rest(self) -> str:
        if self._has_end:
            return "its end is shown when the cell ends"
        return f"the rest is not shown here. In IPython in a terminal, '%pods attach {self._job_id}' shows it"

    def pass_rest(self) -> Iterator[tuple[str, str]]:
        """Yield the end of the text, and before it how much is missing."""
        if self._hidden_chars:
            yield (
                "stderr",
                f"[{self._hidden_chars / 1e6:,.1f} MB are not shown here. In IPython in a terminal, "
                f"'%pods attach {self._job_id}' shows what the pod has kept]\n",
            )
        yield from self._held
        self.clear()
