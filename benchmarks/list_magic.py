"""A warm `%pods ls` of a page of 100 pods, against one kept-alive request, JSON and a DataFrame."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from benchmarks.harness import Contestant, timed
from benchmarks.list_pods import PAGE, PODS, rent
from tests.support.sandbox_control import controlled
from tests.support.shell import recording_shell


@contextmanager
def list_magic() -> Iterator[dict[str, Contestant]]:
    """Both against the same sandbox; the magic's frame is shown as well, as text and as HTML."""
    with tempfile.TemporaryDirectory() as home, controlled(clock="stepped") as control:
        for number in range(PAGE):
            rent(control, f"pod-{number}")
        os.environ |= {"HOME": home, "PRIMEPODS_SANDBOX_URL": control.url}
        with recording_shell(f"{home}/ipython") as shell:
            shell.run("%load_ext primepods_magic")
            shell.run("%pods connect --sandbox")

            def bare() -> Any:
                pods = json.loads(control.api.get(PODS, params={"limit": PAGE}).content)["data"]
                frame = pd.DataFrame(pods)
                assert len(frame) == PAGE

            def magic() -> None:
                assert len(shell.run_line_magic("pods", "ls")) == PAGE

            def bare_shown() -> None:
                shell.run("pd.DataFrame(json.loads(api.get(PODS, params={'limit': 100}).content)['data'])")
                assert shell.output.html

            shell.user_ns |= {"pd": pd, "json": json, "api": control.api, "PODS": PODS}

            def shown() -> None:
                shell.run("%pods ls")
                assert shell.output.html

            yield {
                "httpx, json and DataFrame": timed(bare),
                "%pods ls": timed(magic),
                "the first, shown by pandas": timed(bare_shown),
                "%pods ls, shown": timed(shown),
            }
            shell.run("%unload_ext primepods_magic")
