"""Which Pythons the package is tried on, where a computer has several of them or stand-ins for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .environments import interpreter


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    interpreter.cache_clear()
    yield
    interpreter.cache_clear()


def stand_in(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_python_of_the_tests_is_found() -> None:
    assert interpreter(f"{sys.version_info[0]}.{sys.version_info[1]}") == sys.executable


def test_one_that_does_not_run_is_passed_over_for_one_of_pyenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = stand_in(tmp_path / "bin" / "python3.99", "exit 127")
    good = stand_in(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python", "echo 3.99")
    monkeypatch.setenv("PATH", str(silent.parent), prepend=":")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert interpreter("3.99") == str(good)


def test_where_there_is_none_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = stand_in(tmp_path / "bin" / "python3.99", "echo 3.98")
    monkeypatch.setenv("PATH", str(other.parent), prepend=":")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert interpreter("3.99") is None
