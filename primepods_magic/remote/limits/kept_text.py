"""The beginning and the end of a job's text: a job may print for ever."""

from __future__ import annotations

from collections import deque

__all__ = ["KeptText"]

# As much as the pod keeps of it.
_HEAD_CHARS = 16 << 20
_TAIL_CHARS = 16 << 20


class KeptText:
    """Texts of which the middle is dropped if there are too many."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._head_chars = 0
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._dropped_chars = 0

    def append(self, text: str) -> None:
        """Add a text; drop old ones from the middle if that is too much."""
        room = _HEAD_CHARS - self._head_chars
        if room > 0:
            self._head.append(text[:room])
            self._head_chars += len(self._head[-1])
            text = text[room:]
        if not text:
            return
        self._tail.append(text)
        self._tail_chars += len(text)
        while (excess := self._tail_chars - _TAIL_CHARS) > 0:
            first = self._tail.popleft()
            if len(first) > excess:
                self._tail.appendleft(first[excess:])
            dropped = min(len(first), excess)
            self._tail_chars -= dropped
            self._dropped_chars += dropped

    def join(self) -> str:
        """Return the text, with a line that says how much of it is missing."""
        dropped = self._dropped_chars
        note = [f"\n[{dropped / 1e6:,.1f} MB of output were not kept]\n"] if dropped else []
        return "".join([*self._head, *note, *self._tail])
