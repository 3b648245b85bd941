"""A script reads messages in Python, a notebook in magics."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from primepods_magic.api.errors import PodsError
from primepods_magic.api.text.python_words import speak_magics
from primepods_magic.pods.support.notices import warn


@pytest.mark.parametrize(
    ("magic", "python"),
    [
        ("'%pods ls' shows it", "list_pods() shows it"),
        ("use '%pods rm train'", "use get_pod('train').terminate()"),
        ("use '%pods rm 24b59b49ed2c8d05.x'", "use get_pod('24b59b49ed2c8d05.x').terminate()"),
        ("use '%pods rm --all'", "use for pod in list_pods(): pod.terminate()"),
        ("'%pods wait a' or '%pods show a'", "get_pod('a').wait() or get_pod('a')"),
        ("run '%pods connect --sandbox'", "run connect(sandbox=True)"),
        ("or '--new' to rent one more", "or new=True to rent one more"),
        ("'--new' (in Python: new=True) or '--replace'", "new=True or replace_existing=True"),
        # Only a notebook has these.
        ("run '%pods doctor'", "run '%pods doctor'"),
        ("'%pods ls nonsense' and '%pods rm'", "'%pods ls nonsense' and '%pods rm'"),
        ("a pod's name-new 100 % --newest", "a pod's name-new 100 % --newest"),
    ],
)
def test_names_the_python_for_each_command(magic: str, python: str) -> None:
    assert str(PodsError(magic)) == magic
    speak_magics(is_loaded=False)
    assert str(PodsError(magic)) == python
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(magic)
    assert [str(warning.message) for warning in caught] == [python]


def _run_script(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )
    return done.stderr.strip().splitlines()[-1]


def test_a_script_without_a_key_is_told_how_to_try_the_sandbox(home: Path) -> None:
    last = _run_script("import primepods_magic; primepods_magic.list_pods()", HOME=str(home))
    assert last.endswith("To try without a key, run connect(sandbox=True)")
