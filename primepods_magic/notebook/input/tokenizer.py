"""Cutting a magic's line, as it was typed, into words and the places of values in them.

The rules, which ``%pods -h`` tells in short:

- White space ends a word. ``'…'`` and ``"…"`` hold white space; a quotation begins at the start of a word or
  after a sign such as ``=``, so the apostrophe of ``ada's`` is itself.
- A backslash is itself, as in ``C:\\data``, except before white space or a quotation mark, which it makes
  part of the word; after a path of Windows, white space is refused. Within ``"…"`` only ``\\"`` is special,
  within ``'…'`` nothing is.
- ``#`` at the start of a word begins a comment, and one ``;`` at the end of the line shows nothing.
- ``$name`` and ``$name.attribute`` are values, not within ``'…'``; ``$$name`` is the text itself.
- ``{expression}`` is a value; ``{{`` and ``}}`` are the braces themselves. The counts of a regular
  expression, ``{3}`` and ``{2,4}``, stay as they are, and within quotations so does everything that is not an
  expression with a name in it: JSON, ``{}``, a single brace.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["Field", "Piece", "Reference", "Template", "cut_line"]

_SPACES = " \t\r\n"
_DOLLAR_NAME = re.compile(r"\$([^\W\d]\w*(?:\.[^\W\d]\w*)*)")
_DOLLAR_ESCAPE = re.compile(r"\$\$([^\W\d]\w*)")
_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_COUNT = re.compile(r"\d*(?:,\d*)?")
_CONVERTED = re.compile(r"(.*)!([rsa])", re.DOTALL)
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Field:
    """The place of a value: ``$name`` or ``{expression}``."""

    typed: str
    expression: str
    conversion: str = ""
    format_spec: str = ""


@dataclass(frozen=True)
class Reference:
    """``${NAME}``, which a spec fills in later."""

    typed: str


Piece = str | Field | Reference
"""A part of a word: text, quotation marks removed, or the place of a value."""


@dataclass(frozen=True)
class Template:
    """A line cut into words, before any value is known.

    Parameters
    ----------
    words : tuple of tuple of Piece
        The pieces of each word. A word that is one `Field` alone was not quoted.
    is_silenced : bool
        It ends with ``;``.
    """

    words: tuple[tuple[Piece, ...], ...]
    is_silenced: bool


def cut_line(line: str, *, keeps_braced: bool = False) -> Template:
    """Cut a line into words; nothing in it is evaluated.

    Parameters
    ----------
    line : str
        What follows the magic's name.
    keeps_braced : bool
        ``${NAME}`` is a `Reference`, and ``$${NAME}`` is the text itself.

    Raises
    ------
    InvalidRequest
        A quotation is not closed, or braces outside quotations hold no expression.

    Examples
    --------
    >>> cut_line("show 'my pod' $name;").words
    (('show',), ('my pod',), (Field(typed='$name', expression='name', conversion='', format_spec=''),))
    """
    return _Cutter(line, keeps_braced).cut()


class _Cutter:
    def __init__(self, line: str, keeps_braced: bool) -> None:
        self._line = line
        self._keeps_braced = keeps_braced
        self._at = 0
        self._quote = ""
        # Braces that stay as they are and are still open: their '}}' is two braces and no escape.
        self._open_braces = 0
        self._pieces: list[Piece] = []

    def cut(self) -> Template:
        words: list[tuple[Piece, ...]] = []
        is_silenced = False
        while self._skip_spaces() and self._line[self._at] != "#":
            start = self._at
            pieces = self._read_word()
            last = pieces[-1]
            # A ';' that was quoted, or is part of a value, does not end the line.
            is_silenced = isinstance(last, str) and self._line[self._at - 1] == ";" and self._is_last()
            if is_silenced:
                pieces[-1:] = [text] if (text := str(last).removesuffix(";")) else []
            if self._at - start > 1 or pieces:
                words.append(tuple(pieces) or ("",))
        return Template(tuple(words), is_silenced)

    def _skip_spaces(self) -> bool:
        while self._at < len(self._line) and self._line[self._at] in _SPACES:
            self._at += 1
        return self._at < len(self._line)

    def _is_last(self) -> bool:
        rest = self._line[self._at :].lstrip(_SPACES)
        return not rest or rest.startswith("#")

    def _read_word(self) -> list[Piece]:
        line, start = self._line, self._at
        self._pieces, self._open_braces = [], 0
        was_quoted, opened_at = False, 0
        while self._at < len(line):
            char = line[self._at]
            if self._quote:
                if char == self._quote:
                    self._close_quotation()
                else:
                    self._read_piece()
            elif char in _SPACES:
                break
            elif char in "'\"" and (self._at == start or not line[self._at - 1].isalnum()):
                self._quote, opened_at, was_quoted, self._open_braces = char, self._at, True, 0
                self._at += 1
            else:
                self._read_piece()
        if self._quote:
            _refuse(
                f"a quotation is not closed: it begins with the {self._quote} at character {opened_at + 1}. "
                "Nothing was done"
            )
        if was_quoted and (not self._pieces or not isinstance(self._pieces[0], str)):
            # One argument, also where it is empty or a value alone.
            self._pieces.insert(0, "")
        return self._pieces

    def _close_quotation(self) -> None:
        after = self._line[self._at + 1 : self._at + 2]
        if after.isalnum():
            _refuse(
                f"a quotation ends inside a word, at character {self._at + 1}. Put a text that holds one "
                "kind of quotation mark into the other kind. Nothing was done"
            )
        self._quote, self._open_braces = "", 0
        self._at += 1

    def _read_piece(self) -> None:
        """Take one character, or more where they are special."""
        char = self._line[self._at]
        if char == "\\":
            self._read_backslashes()
        elif char == "$":
            self._read_dollar()
        elif char == "{":
            self._read_brace("")
        elif char == "}":
            self._close_brace()
        else:
            self._add(char)

    def _add(self, text: str, taken: int | None = None) -> None:
        """Add text to the word, and pass the characters of the line that it stands for."""
        if self._pieces and isinstance(self._pieces[-1], str):
            self._pieces[-1] += text
        else:
            self._pieces.append(text)
        self._at += len(text) if taken is None else taken

    def _add_place(self, place: Field | Reference, taken: int) -> None:
        self._pieces.append(place)
        self._at += taken

    def _read_backslashes(self) -> None:
        if self._quote == "'":
            return self._add("\\")
        run = len(self._line) - self._at - len(self._line[self._at :].lstrip("\\"))
        after = self._line[self._at + run : self._at + run + 1]
        if self._quote and after == '"':
            self._add("\\" * (run // 2) + '"' * (run % 2), run + run % 2)
        elif not self._quote and after and after in _SPACES and self._is_path(run):
            _refuse(
                f"a folder ends with a backslash before white space, at character {self._at + run}. Put a "
                "path into quotation marks. Nothing was done"
            )
        elif not self._quote and after and after in _SPACES + "'\"":
            self._add("\\" * (run - 1) + after, run + 1)
        else:
            self._add("\\" * run)
        return None

    def _is_path(self, run: int) -> bool:
        """Whether the word so far is a path of Windows, in which a backslash escapes no white space."""
        before = self._pieces[-1] if self._pieces and isinstance(self._pieces[-1], str) else ""
        return run > 1 or "\\" in before or before.endswith(":")

    def _read_dollar(self) -> None:
        line, at = self._line, self._at
        is_literal = self._quote == "'"
        reference = _REFERENCE.match(line, at + line.startswith("$$", at))
        name, escape = _DOLLAR_NAME.match(line, at), _DOLLAR_ESCAPE.match(line, at)
        if reference and self._keeps_braced:
            if reference.start() > at:
                return self._add(reference[0], len(reference[0]) + 1)
            return self._add_place(Reference(reference[0]), len(reference[0]))
        if line.startswith("${", at):
            return self._read_brace("$")
        if line.startswith("$${", at):
            return self._add("$", 2)
        if escape and not is_literal:
            return self._add(f"${escape[1]}", len(escape[0]))
        if name and not is_literal:
            return self._add_place(Field(name[0], name[1]), len(name[0]))
        return self._add("$")

    def _read_brace(self, before: str) -> None:
        """Read what begins with ``{``, or with ``${``."""
        line, at = self._line, self._at + len(before)
        if line.startswith("{{", at):
            return self._add(before + "{", len(before) + 2)
        end = _find_closing(line, at)
        content = "" if end is None else line[at + 1 : end]
        is_count = _COUNT.fullmatch(content) is not None
        found = None if end is None or is_count else _read_field(content)
        if end is not None and found and (not self._quote or _has_name(found[0])):
            typed = line[self._at : end + 1]
            return self._add_place(Field(typed, *found), len(typed))
        if not self._quote and end is None:
            _refuse("the braces do not match. '{{' and '}}' are braces themselves. Nothing was done")
        if not self._quote and not is_count:
            _refuse(
                f"'{line[self._at : (end or 0) + 1]}' cannot be filled in: it is not an expression "
                "(SyntaxError). Put text that holds braces in quotation marks, or double the braces. Nothing "
                "was done"
            )
        self._open_braces += 1
        return self._add(before + "{")

    def _close_brace(self) -> None:
        if self._open_braces:
            self._open_braces -= 1
            self._add("}")
        elif self._line.startswith("}}", self._at):
            self._add("}", 2)
        elif self._quote:
            self._add("}")
        else:
            _refuse("the braces do not match. '{{' and '}}' are braces themselves. Nothing was done")


def _find_closing(line: str, at: int) -> int | None:
    """Find the ``}`` of the ``{`` at a place, strings and brackets within it passed over."""
    expected: list[str] = []
    while at < len(line):
        char = line[at]
        if char in "'\"":
            at += 1
            while at < len(line) and line[at] != char:
                at += 2 if line[at] == "\\" else 1
        elif char in _PAIRS:
            expected.append(_PAIRS[char])
        elif char in ")]}":
            if char != expected.pop():
                return None
            if not expected:
                return at
        at += 1
    return None


def _read_field(content: str) -> tuple[str, str, str] | None:
    """Read an expression, its conversion and its format, as in an f-string; ``None`` if it is not one."""
    if _names_in(content) is not None:
        return content.strip(), "", ""
    converted = _CONVERTED.fullmatch(content.rstrip())
    if converted and _names_in(converted[1]) is not None:
        return converted[1].strip(), converted[2], ""
    for colon in (place for place, char in enumerate(content) if char == ":"):
        expression, spec = content[:colon], content[colon + 1 :]
        # '{key: value}' is a mapping, '{price:.2f}' a format.
        if _names_in(expression) and spec and not re.search(r"[\s'\"{}]", spec):
            return expression.strip(), "", spec
    return None


def _has_name(expression: str) -> bool:
    return bool(_names_in(expression))


def _names_in(content: str) -> set[str] | None:
    """The names in an expression; ``None`` if the text is not an expression."""
    try:
        tree = ast.parse(content.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _refuse(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)
