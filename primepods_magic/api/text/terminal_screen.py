"""A terminal emulator for text that redraws itself: progress bars, erased lines, cursor moves."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["LEFT_OUT", "MAX_CHARACTERS", "MAX_ROWS", "render"]

MAX_CHARACTERS = 16_000_000
"""Characters rendered at the end of a longer text."""
_MAX_REDRAWN = 2_000_000
"""Last characters redrawn in full; earlier lines keep their last state only."""

LEFT_OUT = "… earlier lines are left out …\n"
"""Text in place of the beginning."""

MAX_ROWS = 100
"""Rows that a cursor can reach."""

_COLUMNS = 10_000
_MAX_PADDING = 1_000_000
# Marks on one character; no script uses more.
_MAX_MARKS = 32
# Erasing and moving cells costs time by row length; past this budget both are ignored.
_MAX_CELLS_MOVED = 20_000_000
_TAB = 8

_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Sequences end with their line, so that an incomplete one hides no other line.
_STRING = (
    "(?:\x1b\\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b[PX^_k]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\\\|\x9c)?"
)
_ESCAPES = re.compile(f"{_STRING}|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?")
_TOKEN = re.compile(
    f"{_STRING}"
    "|(?:\x1b\\[|\x9b)(?P<numbers>[0-?]*)[ -/]*(?P<csi>[@-~])?"
    "|\x1b[ -/]*(?P<esc>[0-~])?"
    "|(?P<run>[\r\b])(?P=run)*|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
)
_NEWLINES = frozenset("\n\x0b\x0c\x84\x85")


def render(text: str) -> str:
    r"""Render text as a terminal would, without cursor moves, colors and titles.

    Time and size of the result are bounded by the length of the text, whatever its content.

    >>> print(render("begin\n 10 %\r100 %\n\x1b[31mend\x1b[0m\x1b]0;title\x07"))
    begin
    100 %
    end
    """
    text = text.replace("\r\n", "\n")
    if not _ACTS.search(text):
        return text
    head = ""
    if len(text) > MAX_CHARACTERS:
        head, text = LEFT_OUT, text[-MAX_CHARACTERS:].partition("\n")[2] or text[-_MAX_REDRAWN:]
    if len(text) > _MAX_REDRAWN:
        cut = text.rfind("\n", 0, -_MAX_REDRAWN) + 1
        head, text = head + _keep_last_states(text[:cut]), text[cut:][-2 * _MAX_REDRAWN :]
    screen = _Screen()
    end = 0
    for token in _TOKEN.finditer(text):
        if token.start() > end:
            screen.write(text[end : token.start()])
        screen.act(token)
        end = token.end()
    screen.write(text[end:])
    return head + screen.text()


def _keep_last_states(text: str) -> str:
    """Keep what follows the last carriage return of each line, without escapes."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    return _ACTS.sub("", _ESCAPES.sub("", "\n".join(lines)))


class _Screen:
    """The last rows of an endless roll, in cells; empty cells follow a wide character or a tab.

    Text is overwritten only after a carriage return, a column move or an erasure. After a mere move up, text
    goes where it would have gone without it, so that no log line is lost.
    """

    def __init__(self) -> None:
        self._above: list[str] = []
        self._rows: list[list[str]] = [[]]
        self._x = self._y = 0
        self._saved = (0, 0)
        self._came_from: int | None = None
        self._padding_left = _MAX_PADDING
        self._moves_left = _MAX_CELLS_MOVED

    def text(self) -> str:
        """Return all rows, without blank rows below the cursor."""
        rows = list(map(_join_cells, self._rows))
        while len(rows) > self._y + 1 and not rows[-1]:
            rows.pop()
        return "\n".join([*self._above, *rows])

    def write(self, text: str) -> None:
        """Write text at the cursor."""
        if not text:
            return
        cells = text if text.isascii() else self._split_cells(text)
        if self._came_from is not None and self._rows[self._y]:
            self._y = min(self._came_from, len(self._rows) - 1)
        self._came_from = None
        row = self._rows[self._y]
        self._pad_row(row)
        end = self._x + len(cells)
        _split_cell(row, self._x)
        _split_cell(row, end)
        row[self._x : end] = cells
        self._x = end

    def act(self, token: re.Match[str]) -> None:
        """Apply a control character or an escape sequence."""
        run, control, final = token["run"], token["control"], token["csi"]
        if run:
            self._x = 0 if run == "\r" else max(self._x - len(token[0]), 0)
            self._came_from = None
        elif control == "\t":
            self._insert_tab()
        elif control in _NEWLINES or token["esc"] in ("D", "E"):
            self._feed_line()
        elif control == "\x8d" or token["esc"] == "M":
            self._go_up(1)
        elif token["esc"] == "7" or final == "s":
            self._saved = (self._x, self._y)
        elif token["esc"] == "8" or final == "u":
            self._came_from = None
            self._x, self._y = self._saved[0], min(self._saved[1], len(self._rows) - 1)
        elif token["esc"] == "c":
            self._erase_display(2)
            self._x = self._y = 0
        elif final and not token["numbers"].startswith(("<", "=", ">", "?")):
            self._apply_sequence(final, [_parse_number(part) for part in token["numbers"].split(";")])

    def _apply_sequence(self, final: str, numbers: list[int]) -> None:
        given = numbers[0]
        count = given or 1
        row = self._rows[self._y]
        if final in "KXP@" and not self._may_move(len(row)):
            return
        if final in "AF":
            self._go_up(count)
        elif final in "BEe":
            self._go_to_row(self._y + count)
        elif final in "Hf":
            self._go_to_row(count - 1)
            self._x = _limit_column((numbers[1] if len(numbers) > 1 else 0) - 1)
        elif final == "d":
            self._go_to_row(count - 1)
        elif final in "G`":
            self._x = _limit_column(count - 1)
        elif final in "Ca":
            self._x = max(self._x, _limit_column(self._x + count))
        elif final == "D":
            self._x = max(self._x - count, 0)
        elif final == "J":
            self._erase_display(given)
        elif final == "K":
            _erase_in(row, self._x if given == 0 else 0, None if given != 1 else self._x + 1)
        elif final == "X":
            _erase_in(row, self._x, self._x + count)
        elif final == "P":
            _split_cell(row, self._x)
            _split_cell(row, self._x + count)
            del row[self._x : self._x + count]
        elif final == "@" and self._x < len(row):
            _split_cell(row, self._x)
            count = min(count, _COLUMNS, self._padding_left)
            self._padding_left -= count
            row[self._x : self._x] = " " * count
        elif final == "L" and self._may_move(MAX_ROWS):
            self._rows[self._y : self._y] = [[] for _ in range(min(count, MAX_ROWS - len(self._rows)))]
        elif final == "M":
            del self._rows[self._y : self._y + count]
            self._rows += [[]] * (self._y >= len(self._rows))
        if final in "EF":
            self._x = 0
        if final not in "ABCDae":
            self._came_from = None

    def _go_up(self, count: int) -> None:
        self._came_from = self._y if self._came_from is None else self._came_from
        self._y = max(self._y - count, 0)

    def _erase_display(self, part: int) -> None:
        """Erase below the cursor (0), above it (1) or all; rows that scrolled off stay."""
        row = self._rows[self._y]
        if not self._may_move(len(row) + len(self._rows)):
            return
        _erase_in(row, self._x if part == 0 else 0, None if part != 1 else self._x + 1)
        if part:
            self._rows[: self._y] = [[] for _ in range(self._y)]
        if part != 1:
            del self._rows[self._y + 1 :]

    def _may_move(self, cells: int) -> bool:
        self._moves_left -= cells
        return self._moves_left >= 0

    def _go_to_row(self, row: int) -> None:
        missing = min(row, MAX_ROWS - 1) + 1 - len(self._rows)
        if missing > 0 and self._may_move(missing):
            self._rows += [[] for _ in range(missing)]
        self._y = min(row, len(self._rows) - 1)

    def _feed_line(self) -> None:
        self._came_from = None
        self._x = 0
        self._y += 1
        if self._y == len(self._rows):
            self._rows.append([])
        if len(self._rows) > MAX_ROWS:
            self._above.append(_join_cells(self._rows.pop(0)))
            self._y -= 1

    def _insert_tab(self) -> None:
        row = self._rows[self._y]
        self._pad_row(row)
        width = _TAB - self._x % _TAB
        if self._x == len(row):
            if self._padding_left < width:
                width = 1
            self._padding_left -= width if width > 1 else 0
            row += ["\t", *[""] * (width - 1)]
        self._x += width

    def _pad_row(self, row: list[str]) -> None:
        """Fill the row up to the cursor, within the padding budget."""
        missing = min(self._x - len(row), self._padding_left)
        if missing > 0:
            self._padding_left -= missing
            row += " " * missing
        self._x = min(self._x, len(row))

    def _split_cells(self, text: str) -> list[str]:
        cells: list[str] = []
        for character in text:
            if unicodedata.east_asian_width(character) in ("W", "F"):
                cells += (character, "")
            elif cells and unicodedata.category(character) in ("Mn", "Me", "Cf"):
                at = len(cells) - (2 if not cells[-1] and len(cells) > 1 else 1)
                if len(cells[at]) < _MAX_MARKS:
                    cells[at] += character
            else:
                cells.append(character)
        return cells


def _join_cells(row: list[str]) -> str:
    return "".join(row).rstrip(" ")


def _parse_number(text: str) -> int:
    digits = text.partition(":")[0][:6]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _limit_column(column: int) -> int:
    return min(max(column, 0), _COLUMNS)


def _split_cell(row: list[str], at: int) -> None:
    """Blank a wide character or tab that spans an index."""
    if not 0 < at < len(row) or row[at]:
        return
    first = last = at
    while first and not row[first]:
        first -= 1
    while last < len(row) and not row[last]:
        last += 1
    row[first:last] = " " * (last - first)


def _erase_in(row: list[str], begin: int, end: int | None) -> None:
    """Blank cells, to the end of the row by default."""
    _split_cell(row, begin)
    if end is None:
        del row[begin:]
    elif begin < len(row):
        _split_cell(row, end)
        end = min(end, len(row))
        row[begin:end] = " " * (end - begin)
