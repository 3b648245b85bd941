"""Output of a pod below a cell that has ended, or that never shows its output itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from primepods_magic.api.text.sanitize import clean_message
from primepods_magic.remote.agent.frames import Header

from .finished_bars import FinishedBars
from .pace import await_server
from .text_limit import TextLimit

__all__ = ["LateOutput"]


class _Publisher(Protocol):
    """A receiver of output, such as a `WidgetRelay`."""

    def show_late(self, header: Mapping[str, Any], buffers: Sequence[bytes]) -> None: ...


class LateOutput:
    """Output below a cell, at the pace of the server and within the limit for text.

    Parameters
    ----------
    relay : WidgetRelay or another object with its `show_late`
    job_id : str
    has_end : bool
        False if `finish` is never called: what is too much is not kept for an end.
    replaces_bars : bool
        True if `finish` replaces finished bars with text.
    """

    def __init__(
        self, relay: _Publisher, job_id: str, *, has_end: bool = False, replaces_bars: bool = True
    ) -> None:
        self._relay = relay
        self._job_id = job_id
        self._has_failed = False
        self._limit = TextLimit(job_id, has_end=has_end)
        self._bars = FinishedBars() if has_end and replaces_bars else None

    def show(self, header: Header, buffers: list[bytes]) -> None:
        """Show one message; say once if some cannot be shown."""
        try:
            self._show_message(header, buffers)
        except Exception as error:  # noqa: BLE001 - one message must not hide what comes after it
            if not self._has_failed:
                self._has_failed = True
                text = f"[Some output of job {self._job_id} cannot be shown: {type(error).__name__}]\n"
                self._show_texts([("stderr", text)])

    def _show_message(self, header: Header, buffers: list[bytes]) -> None:
        kind, content = header["type"], header.get("content", {})
        if self._bars:
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

    def show_line(self, text: str) -> None:
        """Show a line of our own, which no limit leaves out."""
        self._show_texts([("stdout", f"{clean_message(text)}\n")])

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
        for display_id, data in self._bars.describe() if self._bars else ():
            self.publish(data, display_id)
