"""What the docstrings show is what the code does."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import primepods_magic

MODULES = [
    module.name
    for module in pkgutil.walk_packages(primepods_magic.__path__, "primepods_magic.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["primepods_magic", *MODULES])
def test_the_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
