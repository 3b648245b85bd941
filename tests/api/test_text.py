"""Text from the service does nothing but be read, in a terminal and in a page."""

from __future__ import annotations

import pytest

from primepods_magic.api.text.sanitize import (
    as_word,
    brief,
    clean_message,
    safe_html,
    sanitize,
    sanitize_lines,
    shorten,
)

ACTING = (
    "\x00\x07\x08\x1b\x7f\x80\x9b\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066"
    "\u2069\u3164\ud800\udfff\ufe0f\ufeff\ufff9\uffff\U0001d173\U000e0001\U000e0041\U000e0100"
)


@pytest.mark.parametrize("character", ACTING)
def test_a_character_that_would_do_something_is_marked(character: str) -> None:
    assert sanitize(f"a{character}b") == clean_message(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("separator", "\n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029\xa0\u3000")
def test_a_text_is_one_line(separator: str) -> None:
    assert sanitize(f"a{separator}b") == "a b"
    assert len(clean_message(f"a{separator}b").splitlines()) == 1 + (separator == "\n")


@pytest.mark.parametrize(
    "name",
    [
        "\U0001f469\u200d\U0001f680",
        "\u2764\ufe0f\u200d\U0001f525",
        "\u0645\u06cc\u200c\u062e",
        "\u0915\u094d\u200d\u0937",
    ],
)
def test_names_of_many_scripts_stay_as_they_are(name: str) -> None:
    assert sanitize(name) == sanitize_lines(name) == name


def test_long_texts_are_cut_short() -> None:
    assert shorten("abcdef", 4) == "abc\u2026"
    assert shorten("abcd", 4) == "abcd"
    assert len(brief("x" * 1_000_000)) == 2_000


@pytest.mark.parametrize("word", ["", "a b", "a;b", "{x}", "$(x)", "-y", "a\n", "'a'", "a`b`", "\x1b[2J"])
def test_what_is_not_one_plain_word_is_not_put_into_a_command(word: str) -> None:
    assert as_word(word) == "POD"
    assert as_word("24b5-9.b_1") == "24b5-9.b_1"


def test_text_is_one_line_and_nothing_is_empty() -> None:
    assert sanitize(" a\n\tb ") == "a b"
    assert sanitize(None) == ""


def test_markup_is_text() -> None:
    assert safe_html("<img src=x onerror='y'>&") == "&lt;img src=x onerror=&#x27;y&#x27;&gt;&amp;"


def test_two_prices_are_not_typeset_as_mathematics() -> None:
    # A front end typesets what is between two dollar signs of one run of text.
    assert "$" not in safe_html("$2/h, $48/day").replace("<span>$</span>", "")
    assert "\\(" not in safe_html(r"\(x\) \[y\] \begin{equation}")
    assert "\\b" not in safe_html(r"\(x\) \[y\] \begin{equation}")


def test_lines_stay_lines_and_do_nothing_else() -> None:
    assert sanitize_lines("a\r\nb\tc\x1b[31m red\x1b[0m\n\x1b]0;title\x07\u202e") == "a\nb\tc red\n\ufffd"
