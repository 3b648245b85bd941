"""Text is written in the letters that a stream has, and in colors only where those are wanted."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.errors import NotFound, PodsError
from primepods_magic.api.text.stream_output import printable

OURS = "8 × L4 · $2.39/h – a → b … “x” ─ é 日 🚀 \ud800"


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", '8 x L4 - $2.39/h - a -> b ... "x" - \\xe9 \\u65e5 \\U0001f680 \\ud800'),
        ("cp1252", "8 × L4 · $2.39/h – a -> b … “x” - é \\u65e5 \\U0001f680 \\ud800"),
        ("utf-8", OURS.replace("\ud800", "\\ud800")),
        ("no such", '8 x L4 - $2.39/h - a -> b ... "x" - \\xe9 \\u65e5 \\U0001f680 \\ud800'),
    ],
)
def test_letters_that_a_stream_lacks_are_replaced(encoding: str, shown: str) -> None:
    assert printable(OURS, type("Stream", (), {"encoding": encoding})) == shown


def test_signs_of_currencies_that_a_stream_lacks_become_codes() -> None:
    ascii_stream = type("Stream", (), {"encoding": "ascii"})
    assert printable("€0.75 £0.60", ascii_stream) == "EUR 0.75 GBP 0.60"


@given(st.text(), st.sampled_from(["ascii", "cp1252", "latin-1", "utf-8", "cp437", "koi8-r", "shift_jis"]))
def test_any_text_can_be_written_to_any_stream(text: str, encoding: str) -> None:
    target = stream(encoding)
    target.write(printable(text, target))
    assert printable("plain", target) == "plain"


@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_a_stream_that_does_not_tell_its_encoding_gets_everything(encoding: str | None) -> None:
    assert printable("×", type("Stream", (), {"encoding": encoding})) == "×"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def rendered(error: PodsError, where: io.TextIOBase | None = None) -> str:
    """What IPython shows of an error where that is a terminal, or another place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", where or Terminal())
        return "\n".join(error._render_traceback_())


@pytest.fixture
def colored_shell(bare_shell: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(bare_shell, "colors", "linux")
    assert rendered(NotFound("there is no such pod")) == "\x1b[31mNotFound\x1b[0m: there is no such pod"
    return bare_shell


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("NO_COLOR", "0"), ("TERM", "dumb")])
def test_an_error_has_no_colors_where_the_environment_wants_none(
    colored_shell: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert rendered(NotFound("there is no such pod")) == "NotFound: there is no such pod"


def test_an_empty_no_color_means_nothing(colored_shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b" in rendered(NotFound("x"))


@pytest.mark.parametrize("name", ["nocolor", "NoColor"])
def test_an_error_has_no_colors_where_ipython_has_none(
    colored_shell: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Until version 9 its names had capital letters.
    monkeypatch.setattr(type(colored_shell), "colors", name)
    assert rendered(NotFound("x")) == "NotFound: x"


def test_an_error_has_no_colors_outside_a_terminal(colored_shell: Any) -> None:
    closed = io.StringIO()
    closed.close()
    assert rendered(NotFound("x"), io.StringIO()) == rendered(NotFound("x"), closed) == "NotFound: x"


def test_a_notebook_renders_colors(colored_shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(colored_shell), "kernel", object(), raising=False)
    assert rendered(NotFound("x"), io.StringIO()) == "\x1b[31mNotFound\x1b[0m: x"


def test_an_error_acts_on_nothing_and_is_written_in_letters_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = PodsError("no offer fits × \x1b[2J\u202e\n  nearest", detail="a\nb\x1b[2J", request_id="a\r\nb")
    assert str(error) == "no offer fits × \ufffd[2J\ufffd\n  nearest"
    assert (error.detail, error.request_id) == ("a b\ufffd[2J", "a b")
    monkeypatch.setattr(sys, "stdout", stream("ascii"))
    assert rendered(error, stream("ascii")) == "PodsError: no offer fits x ?[2J?\n  nearest"
    assert str(error) == "no offer fits x ?[2J?\n  nearest"


def test_a_message_is_bounded() -> None:
    assert len(str(PodsError("x" * 10_000_000))) == 20_000


@pytest.mark.parametrize(
    "secret", ["hunter2", "two\nlines", "tab\tand  spaces", "esc\x1b[0m", "\u202ebidi", "\n\n\n"]
)
def test_a_secret_is_hidden_as_it_is_and_as_cleaning_left_it(secret: str) -> None:
    from primepods_magic.api.text.sanitize import sanitize

    error = PodsError(f"refused: {secret} or {sanitize(secret)}!", detail=f"got {secret}.")
    error.hide({secret: "${SECRET}"})
    if sanitize(secret):
        # A mark may stay where a character was that does something.
        assert str(error).replace("\ufffd", "") == "refused: ${SECRET} or ${SECRET}!"
        assert str(error.detail).replace("\ufffd", "") == "got ${SECRET}."
    else:
        assert secret not in str(error)
