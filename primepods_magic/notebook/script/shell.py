"""The stand-in of a script for the IPython shell that a command runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from primepods_magic.notebook.shell.output import write_stream

__all__ = ["ScriptShell"]


class ScriptShell:
    """A shell without variables, which shows the displays of a job on a pod as text."""

    prompt_count = 0

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.was_declined = False
        self.display_pub = self

    def note_declined(self) -> None:
        """Note that a question was not answered with yes."""
        self.was_declined = True

    @property
    def displayhook(self) -> ScriptDisplayHook:
        """The display of a job's result."""
        return ScriptDisplayHook()

    def publish(self, data: Mapping[str, Any], **_: Any) -> None:
        """Write a display to stdout."""
        write_stream("stdout", f"{data.get('text/plain', '')}\n")

    def clear_output(self, wait: bool = False) -> None:
        """Do nothing: what is on stdout stays there."""

    def set_next_input(self, text: str, replace: bool = False) -> None:
        """Do nothing: there is no next cell."""


class ScriptDisplayHook:
    """Writes the result of a job on a pod to stdout."""

    prompt_count = 0

    def __call__(self, result: object) -> None:
        write_stream("stdout", f"{result!r}\n")
