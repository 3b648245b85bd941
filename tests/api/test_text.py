"""Text from the service does nothing but be read, in a terminal and in a page."""

from __future__ import annotations

import pytest

from primepods_magic.api.text import clean, clean_lines, safe_html


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x9b", "\u202e", "\u2066", "\ud800", "\u200f"])
def test_a_character_that_would_do_something_is_marked(character: str) -> None:
    assert clean(f"a{character}b") == "a\ufffdb"


def test_text_is_one_line_and_nothing_is_empty() -> None:
    assert clean(" a\n\tb ") == "a b"
    assert clean(None) == ""


def test_markup_is_text() -> None:
    assert safe_html("<img src=x onerror='y'>&") == "&lt;img src=x onerror=&#x27;y&#x27;&gt;&amp;"


def test_two_prices_are_not_typeset_as_mathematics() -> None:
    # A front end typesets what is between two dollar signs of one run of text.
    assert "$" not in safe_html("$2/h, $48/day").replace("<span>$</span>", "")


def test_lines_stay_lines_and_do_nothing_else() -> None:
    assert (
        clean_lines("a\r\nb\tc\x1b[31m red\x1b[0m\n\x1b]0;title\x07") == "a\nb\tc red\n\ufffd]0;title\ufffd"
    )
