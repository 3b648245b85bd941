"""Secrets are masked variables of the notebook, and existing variables are never overwritten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from primepods_magic.notebook.input.variables import Variables
from primepods_magic.notebook.launcher.state.cell import SecretVariables

SECRET = "hf_Qw7Zr9Wm2Tk5Xc8"


def value_of(namespace: dict[str, Any], reference: str) -> str:
    return Variables(namespace)(reference[2:-1])


@pytest.mark.parametrize(
    "there", ["another", "", 7, None, [], SecretStr("another"), SECRET.encode(), True], ids=repr
)
def test_a_variable_that_is_there_is_never_written_over(there: Any) -> None:
    namespace = {"HF_TOKEN": there}
    reference = SecretVariables(namespace).store("HF_TOKEN", SECRET)
    assert reference == "${HF_TOKEN_2}"
    assert namespace["HF_TOKEN"] is there
    assert value_of(namespace, reference) == SECRET


@pytest.mark.parametrize("there", [SECRET, SecretStr(SECRET)], ids=["plain", "secret"])
def test_a_variable_that_has_the_value_already_is_used_and_left_alone(there: Any) -> None:
    namespace = {"HF_TOKEN": there}
    secrets = SecretVariables(namespace)
    assert secrets.store("HF_TOKEN", SECRET) == "${HF_TOKEN}"
    assert namespace == {"HF_TOKEN": there}
    assert namespace["HF_TOKEN"] is there


@pytest.mark.parametrize("name", ["class", "None", "print", "open", "__name__", "lambda"])
def test_a_word_of_python_stays_what_it_is(name: str) -> None:
    namespace: dict[str, Any] = {}
    assert SecretVariables(namespace).store(name, SECRET) == f"${{{name}_2}}"
    assert set(namespace) == {f"{name}_2"}


def test_the_same_secret_has_one_name_and_another_one_another() -> None:
    namespace: dict[str, Any] = {}
    secrets = SecretVariables(namespace)
    assert [secrets.store("KEY", value) for value in ("one", "two", "one", "two", "three")] == [
        "${KEY}",
        "${KEY_2}",
        "${KEY}",
        "${KEY_2}",
        "${KEY_3}",
    ]
    assert [value_of(namespace, f"${{{name}}}") for name in namespace] == ["one", "two", "three"]


@pytest.mark.parametrize("value", ["${HF_TOKEN}", "  ${HF_TOKEN}\n", "${my secret}"])
def test_what_names_a_variable_stays_that(value: str) -> None:
    namespace: dict[str, Any] = {}
    assert SecretVariables(namespace).store("KEY", value) == value.strip()
    assert namespace == {}


@given(st.text(), st.dictionaries(st.sampled_from(["KEY", "KEY_2", "KEY_3"]), st.text() | st.integers()))
def test_whatever_the_value_is_it_is_what_a_cell_gets(value: str, there: dict[str, Any]) -> None:
    namespace = dict(there)
    reference = SecretVariables(namespace).store("KEY", value)
    assert there.items() <= namespace.items()
    if reference != value.strip():
        assert value_of(namespace, reference) == value


def test_the_notebook_shows_stars() -> None:
    namespace: dict[str, Any] = {}
    secrets = SecretVariables(namespace)
    secrets.store("KEY", SECRET)
    shown = f"{namespace!r} {namespace['KEY']} {secrets!r}"
    assert "**********" in shown
    assert SECRET not in shown
