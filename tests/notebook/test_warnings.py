"""Warnings are lines of a magic while it runs, on whichever thread, and Python warnings elsewhere."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from primepods_magic.notebook.commands import teams
from primepods_magic.pods.support.notices import warn

TEXT = "Could not determine whether your pod 'train' is still there"


@pytest.mark.parametrize("is_on_thread", [False, True])
def test_prints_warning_of_magic_as_line(
    shell: Any, monkeypatch: pytest.MonkeyPatch, is_on_thread: bool
) -> None:
    def run(*_: object) -> None:
        if is_on_thread:
            thread = threading.Thread(target=warn, args=(TEXT,))
            thread.start()
            thread.join()
        else:
            warn(TEXT)

    monkeypatch.setattr(teams, "run", run)
    for _ in range(2):
        # Python itself shows a repeated warning once.
        shell.run("%pods teams")
        assert shell.output.text == f"Warning: {TEXT}\n"


def test_warns_outside_magics_at_the_line_of_the_caller(shell: Any) -> None:
    shell.run("%pods ls")
    with pytest.warns(UserWarning, match=TEXT) as caught:
        warn(TEXT)
    assert caught[0].filename == __file__
