"""Output of a cell on a pod, shown as output of the local cell that is running."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from primepods_magic.notebook.shell.kernel import cell_of, has_front_end, in_kernel
from primepods_magic.notebook.shell.output import write_stream
from primepods_magic.remote.command import StreamName
from primepods_magic.remote.stream_text import StreamText, clean_escapes

from .finished_bars import FinishedBars
from .pace import await_server
from .text_limit import TextLimit
from .widget_relay import WidgetRelay

__all__ = ["CellOutput", "RemoteResult"]

_CLEARING = ("stream", "display_data", "execute_result", "error")
"""Messages before which a front end carries out a ``clear_output(wait=True)``."""


class RemoteResult:
    """The result of a cell on a pod: it displays as the value there does, and holds only its representations.

    Attributes
    ----------
    data, metadata : dict
        By MIME type.
    """

    def __init__(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        self.data = dict(data)
        self.metadata = dict(metadata)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.data, self.metadata

    def __repr__(self) -> str:
        return str(self.data.get("text/plain", "<RemoteResult>"))


class CellOutput:
    """Shows the messages of a pod's kernel through the local shell, so that ``%%capture`` gets them too.

    Parameters
    ----------
    shell : InteractiveShell
    job_id : str
    relay : WidgetRelay or None
        Receives the messages of widgets; None without widgets.
    """

    def __init__(self, shell: Any, job_id: str, relay: WidgetRelay | None) -> None:
        self._shell = shell
        self._relay = relay
        self._is_kernel = in_kernel(shell)
        self._is_console = not self._is_kernel or (has_front_end(shell) and cell_of(shell) is None)
        self._limit = TextLimit(job_id)
        self._texts: dict[str, StreamText] = {}
        self._is_clear_held = False
        self._bars = FinishedBars()

    def show(
        self, kind: str, content: dict[str, Any], metadata: dict[str, Any], buffers: Sequence[bytes]
    ) -> None:
        """Show one message; messages that are not output are ignored."""
        self._bars.note(kind, content)
        show = getattr(self, f"_show_{kind}", None)
        if self._is_clear_held and kind in _CLEARING:
            self._is_clear_held = False
            self._shell.display_pub.clear_output(wait=True)
        if show:
            if self._is_kernel and kind != "stream":
                await_server(content)
            show(content)
        elif kind.startswith("comm_") and self._relay:
            await_server(content, buffers)
            self._relay.relay(kind, content, metadata, buffers)

    def show_finished_bars(self) -> None:
        """Replace finished bars with text; in a console, which cannot replace output, print it below them."""
        for display_id, data in self._bars.describe():
            if not self._is_console:
                self._show_update_display_data({"data": data, "transient": {"display_id": display_id}})
            elif data["text/plain"]:
                self._show_stream({"text": f"{data['text/plain']}\n"})

    def _show_stream(self, content: dict[str, Any]) -> None:
        name: StreamName = "stderr" if content.get("name") == "stderr" else "stdout"
        text = str(content.get("text", ""))
        if self._is_console:
            text = self._clean_text(name, text)
        if not self._is_kernel:
            write_stream(name, text)
        elif not hasattr(getattr(sys, name), "pub_thread"):
            # It is captured, and goes to no browser.
            getattr(sys, name).write(text)
        else:
            _write_paced(self._limit.pass_text(name, text))

    def show_rest(self) -> None:
        """Show the end of the text, if there was too much of it."""
        _write_paced(self._limit.pass_rest())

    def _clean_text(self, name: str, text: str) -> str:
        """Return text without escapes that do more in a terminal than color or redraw a line."""
        return self._texts.setdefault(name, StreamText()).feed(text.encode("utf-8", "replace"))

    def _show_display_data(self, content: dict[str, Any], *, update: bool = False) -> None:
        self._shell.display_pub.publish(
            data=self._make_safe(content.get("data", {})),
            metadata=content.get("metadata", {}),
            transient=content.get("transient", {}),
            update=update,
        )

    def _show_update_display_data(self, content: dict[str, Any]) -> None:
        self._show_display_data(content, update=True)

    def _show_execute_result(self, content: dict[str, Any]) -> None:
        self._shell.displayhook(
            RemoteResult(self._make_safe(content.get("data", {})), content.get("metadata", {}))
        )

    def _show_clear_output(self, content: dict[str, Any]) -> None:
        # A clear that waits for the next output is held until the cell has some: our own lines do not count.
        self._is_clear_held = bool(content.get("wait"))
        self._limit.clear()
        if not self._is_clear_held:
            self._shell.display_pub.clear_output()

    def _make_safe(self, data: dict[str, Any]) -> dict[str, Any]:
        if not self._is_console or not isinstance(data.get("text/plain"), str):
            return data
        return {**data, "text/plain": clean_escapes(data["text/plain"])}


def _write_paced(texts: Iterable[tuple[str, str]]) -> None:
    for name, text in texts:
        await_server({"text": text})
        getattr(sys, name).write(text)
