"""The package, built once for all tests here."""

from __future__ import annotations

import subprocess

import pytest

from .building import Built, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What `python -m build` makes of this checkout."""
    try:
        return build(tmp_path_factory.mktemp("built"))
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error}\n{error.stdout}{error.stderr}")
