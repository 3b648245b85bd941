"""Logs that redraw themselves are shown as a terminal shows them, however hostile they are."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.text import log_tail as logs
from primepods_magic.api.text import terminal_screen as screen
from primepods_magic.api.text.log_tail import show_end
from primepods_magic.api.text.sanitize import sanitize_lines
from primepods_magic.api.text.terminal_screen import render

TQDM = "".join(f"\r{n:3d}%|{'█' * (n // 10):10}| {n}/100" for n in range(101))
PIP = "".join(f"\r\x1b[2K   \x1b[90m{'━' * n}\x1b[0m {n} MB" for n in range(41))
DOCKER = (
    "a1: Waiting\nb2: Waiting\n"
    "\x1b[2A\x1b[2K\ra1: Downloading 10 %\r\x1b[2B"
    "\x1b[1A\x1b[2K\rb2: Downloading 90 %\r\x1b[1B"
    "\x1b[2A\x1b[2K\ra1: Pull complete\r\x1b[2B"
    "\x1b[1A\x1b[2K\rb2: Pull complete\r\x1b[1B"
    "done\n"
)
NESTED = "\n\rinner 10 %\x1b[A\router 1/2\n\rinner 99 %\x1b[A\router 2/2\n\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one\ntwo"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        (f"begin{TQDM}\nend", "100%|██████████| 100/100\nend"),
        (f"{PIP}\nend", f"   {'━' * 40} 40 MB\nend"),
        (DOCKER, "a1: Pull complete\nb2: Pull complete\ndone\n"),
        (NESTED, "outer 2/2\ninner 99 %\n"),
        (
            "Reading lists... 0%\r\rReading lists... 100%\r\rReading lists... Done\n",
            "Reading lists... Done\n",
        ),
        ("loading |\b/\b-\b\\\bdone", "loading done"),
        ("long line\rshort", "shortline"),
        ("long line\rshort\x1b[K", "short"),
        ("a long line\x1b[1K\rx", "x"),
        ("first\n\x1b[2J\x1b[Hsecond\n", "second\n"),
        ("first\nsecond\x1b[1;3Hx\x1b[J\n", "fix\n"),
        ("abc\x1b[2Dx\x1b[9Cy", "axc        y"),
        ("\x1b[31mred\x1b[0m \x1b[38;5;1mtoo\x1b[m", "red too"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\c\x9d0;t\x9cd", "abcd"),
        ("a\x1bP1$r0m\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d\x90z\x9ce\x1bkw\x1b\\f", "abcdef"),
        ("a\x9b31mb\x9b2Kc", "  c"),
        ("a\x07\x00\x7fb\x1b(Bc\x1b=d\x0ee\x0f", "abcde"),
        ("a\tb\tc", "a\tb\tc"),
        ("a\tb\rxy", "xy      b"),
        ("日本\rab", "ab本"),
        ("日本\ra", "a 本"),
        ("cut off \x1b[", "cut off"),
        ("cut off \x1b]0;title\nnext", "cut off\nnext"),
        ("kept\n\x1b[1Aand not written over", "kept\nand not written over"),
        ("kept\n\x1b[1A\rlost", "lost"),
        ("one\x0btwo\x0cthree\x85four", "one\ntwo\nthree\nfour"),
        (
            "\x1b[1000000000;1000000000H\x1b[99999999999999999999A\x1b[;;;;m\x1b[1:2:3mx\x1b[?25l\x1b[>0cy",
            None,
        ),
    ],
)
def test_a_log_is_shown_as_a_terminal_shows_it(text: str, shown: str | None) -> None:
    assert shown is None or render(text) == shown
    assert sanitize_lines(sanitize_lines(text)) == sanitize_lines(text)


def test_what_has_scrolled_away_is_not_written_over() -> None:
    lines = [f"line {number}" for number in range(1000)]
    text = render("\n".join(lines) + "\n\x1b[5000A\r\x1b[2Kx")
    assert text.splitlines()[:900] == lines[:900]
    assert text.count("line") == 999


class Model:
    """A terminal without limits, a dictionary of its cells."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], str] = {}
        self.x = self.y = self.lowest = 0

    def act(self, token: str) -> None:
        if token == "\n":
            self.x, self.y = 0, self.y + 1
        elif token == "\r":
            self.x = 0
        elif token == "\b":
            self.x = max(self.x - 1, 0)
        elif token in MOVES:
            down, right = MOVES[token]
            self.x, self.y = max(self.x + right, 0), max(self.y + down, 0)
        elif token in ERASES:
            gone = ERASES[token]
            self.cells = {at: cell for at, cell in self.cells.items() if not gone(at, self.x, self.y)}
        elif token.startswith("\x1b"):
            pass
        else:
            for character in token:
                self.cells[self.y, self.x] = character
                self.x += 1
        self.lowest = max(self.lowest, self.y)

    def rows(self) -> list[str]:
        rows = []
        for y in range(self.lowest + 1):
            width = max((x + 1 for row, x in self.cells if row == y), default=0)
            rows.append("".join(self.cells.get((y, x), " ") for x in range(width)).rstrip())
        return rows


# A cursor that moves up comes with a carriage return, as in every program that redraws.
MOVES = {
    "\x1b[A\r": (-1, -1000),
    "\x1b[3F": (-3, -1000),
    "\x1b[B": (1, 0),
    "\x1b[2C": (0, 2),
    "\x1b[3D": (0, -3),
}
ERASES = {
    "\x1b[K": lambda at, x, y: at[0] == y and at[1] >= x,
    "\x1b[1K": lambda at, x, y: at[0] == y and at[1] <= x,
    "\x1b[2K": lambda at, x, y: at[0] == y,
    "\x1b[J": lambda at, x, y: at > (y, x - 1),
    "\x1b[1J": lambda at, x, y: at < (y, x + 1),
    "\x1b[2J": lambda at, x, y: True,
    "\x1b[2X": lambda at, x, y: at[0] == y and x <= at[1] < x + 2,
}
TOKENS = ["\n", "\r", "\b", "\x1b[32m", "\x1b]0;t\x07", *MOVES, *ERASES]


@given(st.lists(st.sampled_from(TOKENS) | st.text("ab -%", max_size=12), max_size=60))
def test_any_log_is_shown_as_a_simple_terminal_shows_it(tokens: list[str]) -> None:
    model = Model()
    for token in tokens:
        model.act(token)

    def rows(lines: list[str]) -> list[str]:
        return [line.rstrip() for line in "\n".join(lines).rstrip().split("\n")]

    assert rows(render("".join(tokens)).split("\n")) == rows(model.rows())


@given(st.text(st.sampled_from("\x1b[]()0123456789;?ABCDHJKPX@LMm\r\n\b\t\x07\x9b\x9d\x9c日a"), max_size=200))
def test_any_text_becomes_lines_that_do_nothing(text: str) -> None:
    shown = sanitize_lines(text)
    assert not set(shown) & {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}
    assert sanitize_lines(shown) == shown


@pytest.mark.parametrize(
    "unit",
    [
        "a\r",
        "\r",
        "\x1b[9999Gx\n",
        "\x1b[1000000000;1000000000Hx",
        "abc\r\x1b[9999@",
        "\x1b[1A\x1b[2K\nxyz",
        "\t",
        "\x1b]0;",
        "\x1b[9999L\x1b[9999M\n",
        "日\b",
    ],
)
def test_a_hostile_log_is_bounded(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "_MAX_REDRAWN", 20_000)
    monkeypatch.setattr(screen, "MAX_CHARACTERS", 200_000)
    monkeypatch.setattr(screen, "_MAX_PADDING", 20_000)
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        shown = render(unit * (1_000_000 // len(unit)) + "\r")
    finally:
        sys.setprofile(None)
    assert len(shown) < 300_000
    assert calls < 600_000


def test_of_a_long_log_the_last_states_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "_MAX_REDRAWN", 1_000)
    text = "".join(f"step {n}\r\x1b[2Kstep {n} done\n" for n in range(200))
    assert render(text) == "".join(f"step {n} done\n" for n in range(200))


@pytest.mark.parametrize("erasure", ["\x1b[1K", "\x1b[1J", "\x1b[2K", "\r\x1b[999999X", "\r\x1b[999P"])
def test_erasing_long_lines_for_ever_ends(erasure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each erasure moves the cells of a whole line: the time grew with the square of the text."""
    text = ("a" * 1000 + erasure) * 10 + f"\rxyz{erasure}"
    assert "xyz" not in render(text)
    monkeypatch.setattr(screen, "_MAX_CELLS_MOVED", 5_000)
    assert "xyz" in render(text)


@pytest.mark.parametrize("erasure", ["\x1b[2J", "\x1bc", "\x1b[1J"])
def test_erasing_all_rows_for_ever_ends(erasure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each erasure renews up to a hundred rows: four characters cost as much as a hundred."""
    text = "\n" * 99 + f"\x1b[100;1H{erasure}" * 100 + f"\x1b[100;1Hxyz{erasure}"
    assert "xyz" not in render(text)
    monkeypatch.setattr(screen, "_MAX_CELLS_MOVED", 5_000)
    assert "xyz" in render(text)


def line_of(number: int) -> str:
    bar = f"\r\x1b[2K{number} %\r" * (number % 3)
    return f"{number} {bar}\x1b[32mstep {number}\x1b[0m" + "\x1b[A\x1b[2K" * (number % 7 == 0)


@pytest.mark.parametrize("lines", [1, 5, 300])
@pytest.mark.parametrize("first", [100, 3_000, 64_000])
def test_the_end_of_a_log_is_that_of_the_whole(
    lines: int, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_MIN_CHARACTERS", first)
    monkeypatch.setattr(logs, "_CHARACTERS_PER_LINE", 1)
    text = "\n".join(map(line_of, range(3_000)))
    searched: list[int] = []

    def end_of(text: str, size: int) -> str:
        searched.append(size)
        return text[-size:]

    whole = sanitize_lines(text).splitlines()
    assert show_end(text, lines, end_of).splitlines() == whole[-lines:]
    assert sum(searched) < len(text)
    assert show_end(text, None, end_of).splitlines() == whole
    redrawn = text.replace("\n", "\r")
    assert show_end(redrawn, lines, end_of) == sanitize_lines(redrawn)


def test_of_a_log_that_is_too_long_the_beginning_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_CHARACTERS", 1_000)
    text = "\n".join(f"line {n}" for n in range(1_000))

    def end_of(text: str, size: int) -> str:
        assert size <= 1_000
        return text[-size:]

    for lines in (None, 5_000):
        shown = show_end(text, lines, end_of).splitlines()
        assert (shown[0], shown[-1]) == ("… earlier lines are left out …", "line 999")
        assert shown[1] in text
        assert len(shown) > 50
