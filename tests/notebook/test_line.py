"""A magic's line: what is filled in, how it is cut into words, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.notebook.line import filled_in, words_of


@pytest.mark.parametrize(
    ("line", "filled"),
    [
        ("show train", "show train"),
        ("show $name", "show train"),
        ("show ${name}", "show train"),
        ("show {name}-{n + 1}", "show train-3"),
        ("show {rows[0]['id']}", "show p1"),
        ("show {name[1:3]}", "show ra"),
        ("show {name!r}", "show 'train'"),
        ("show $thing.name", "show attribute"),
        ("show $$name {{name}}", "show $name {name}"),
        ("--max-price $n", "--max-price 2"),
    ],
)
def test_variables_are_filled_in_as_in_every_magic(line: str, filled: str) -> None:
    thing = type("Thing", (), {"name": "attribute"})
    assert filled_in(line, {"name": "train", "n": 2, "rows": [{"id": "p1"}], "thing": thing}) == filled


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("show $nobody", "there is no variable 'nobody'"),
        ("show $name {nobody}", "there is no variable 'nobody'"),
        ("show ${nobody}", "there is no variable 'nobody'"),
        ("show {1 / 0}", "'1 / 0' cannot be filled in: it raises ZeroDivisionError"),
        ("show {name", "the braces do not match in: show {name"),
        ("show }", "the braces do not match"),
        ("show {name(}", "SyntaxError"),
    ],
)
def test_what_cannot_be_filled_in_is_named(line: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        filled_in(line, {"name": "train"})
    assert says in str(caught.value)


def test_what_a_spec_fills_in_itself_is_left_to_it() -> None:
    line = "--env TOKEN=${TOKEN} --name $name"
    assert filled_in(line, {"name": "train", "TOKEN": "hunter2"}, keeps_braced=True) == (
        "--env TOKEN=${TOKEN} --name train"
    )


def test_the_values_of_an_error_are_not_told() -> None:
    with pytest.raises(InvalidRequest) as caught:
        filled_in("show {names['hunter2']}", {"names": {}})
    assert "hunter2" not in str(caught.value).replace("names['hunter2']", "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("show 'my pod'", ["show", "my pod"]),
        ('show "my pod" ;', ["show", "my pod"]),
        ("ls; ", ["ls"]),
        ("show a#b # a comment", ["show", "a#b"]),
        (r"show my\ pod", ["show", "my pod"]),
        ("show ''", ["show", ""]),
        ("show --env A='x y'", ["show", "--env", "A=x y"]),
    ],
)
def test_words_are_cut_as_a_posix_shell_does(line: str, words: list[str]) -> None:
    assert words_of(line) == words


def test_variables_of_a_function_are_seen(shell: Any) -> None:
    shell.run("def statuses(name):\n    return get_ipython().run_line_magic('pods', 'ls --status $name')")
    assert shell.run("statuses('ACTIVE')").empty
    with pytest.raises(InvalidRequest, match="there is no variable 'name'"):
        shell.run("%pods ls --status $name")


def test_a_pod_stands_for_its_id(shell: Any) -> None:
    shell.run("%pod_create --gpu L4_24GB --name one --wait -o pod")
    shell.run("%pod_create --gpu L4_24GB --name two --wait -o other")
    assert shell.run("%pods show $pod").name == "one"
    assert list(shell.run("%pods status {[pod, other]}")["name"]) == ["one", "two"]
    assert shell.run("%pods ssh $pod") == shell.run("%pods ssh one")
