r"""A tokenizer for a magic's line, which cuts it into words and the fields of values in them.

The rules, which ``%pods -h`` summarizes:

- White space ends a word. ``'…'`` and ``"…"`` may hold white space; a quotation begins at the start of a word
  or after a sign such as ``=``, so the apostrophe of ``ada's`` is itself.
- A backslash is itself, as in ``C:\data``. Before white space or a quotation mark, it makes that part of the
  word; after a Windows path, white space is refused. Within ``"…"`` only ``\"`` is special, within ``'…'``
  nothing is.
- ``#`` at the start of a word begins a comment, and one ``;`` at the end of the line shows nothing.
- ``$name`` and ``$name.attribute`` are values, but not within ``'…'``; ``$$name`` is the text itself.
- ``{expression}`` is a value; ``{{`` and ``}}`` are the braces themselves. The counts of a regular
  expression, ``{3}`` and ``{2,4}``, stay as they are. Within quotations, so does everything that is not an
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
    """A field for a value: ``$name`` or ``{expression}``."""

    typed: str
    expression: str
    conversion: str = ""
    format_spec: str = ""


@dataclass(frozen=True)
class Reference:
    """``${NAME}``, which a spec fills in later."""

    typed: str


Piece = str | Field | Reference
"""A part of a word: text without quotation marks, or a field."""


@dataclass(frozen=True)
class Template:
    """A line cut into words, before any value is known; a word that is a `Field` alone was not quoted."""

    words: tuple[tuple[Piece, ...], ...]
    is_silenced: bool


def cut_line(line: str, *, keeps_braced: bool = False) -> Template:
    """Cut a line into words without evaluating anything; raises InvalidRequest on unmatched quotes or braces.

    With ``keeps_braced``, ``${NAME}`` is a `Reference`, and ``$${NAME}`` is the text itself.

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
        # Open braces that are text: their '}}' is two braces, not an escape.
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
            _refuse_line(
                f"The quotation mark {self._quote} at character {opened_at + 1} is not closed. Nothing was "
                "done"
            )
        if was_quoted and (not self._pieces or not isinstance(self._pieces[0], str)):
            # A quotation is one argument, even if it is empty or only a value.
            self._pieces.insert(0, "")
        return self._pieces

    def _close_quotation(self) -> None:
        after = self._line[self._at + 1 : self._at + 2]
        if after.isalnum():
            _refuse_line(
                f"A quotation mark closes inside a word, at character {self._at + 1}. Put text that contains "
                "one kind of quotation mark between marks of the other kind. Nothing was done"
            )
        self._quote, self._open_braces = "", 0
        self._at += 1

    def _read_piece(self) -> None:
        """Read one character, or several that are special together."""
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
            self._add_text(char)

    def _add_text(self, text: str, taken: int | None = None) -> None:
        """Add text to the word, and skip the characters of the line that it stands for."""
        if self._pieces and isinstance(self._pieces[-1], str):
            self._pieces[-1] += text
        else:
            self._pieces.append(text)
        self._at += len(text) if taken is None else taken

    def _add_field(self, field: Field | Reference, taken: int) -> None:
        self._pieces.append(field)
        self._at += taken

    def _read_backslashes(self) -> None:
        if self._quote == "'":
            return self._add_text("\\")
        run = len(self._line) - self._at - len(self._line[self._at :].lstrip("\\"))
        after = self._line[self._at + run : self._at + run + 1]
        if self._quote and after == '"':
            self._add_text("\\" * (run // 2) + '"' * (run % 2), run + run % 2)
        elif not self._quote and after and after in _SPACES and self._is_path(run):
            _refuse_line(
                f"A path ends with a backslash before whitespace, at character {self._at + run}. Put the "
                "path in quotation marks. Nothing was done"
            )
        elif not self._quote and after and after in _SPACES + "'\"":
            self._add_text("\\" * (run - 1) + after, run + 1)
        else:
            self._add_text("\\" * run)
        return None

    def _is_path(self, run: int) -> bool:
        """Return whether the word so far is a Windows path, in which a backslash does not escape spaces."""
        before = self._pieces[-1] if self._pieces and isinstance(self._pieces[-1], str) else ""
        return run > 1 or "\\" in before or before.endswith(":")

    def _read_dollar(self) -> None:
        line, at = self._line, self._at
        is_literal = self._quote == "'"
        reference = _REFERENCE.match(line, at + line.startswith("$$", at))
        name, escape = _DOLLAR_NAME.match(line, at), _DOLLAR_ESCAPE.match(line, at)
        if reference and self._keeps_braced:
            if reference.start() > at:
                return self._add_text(reference[0], len(reference[0]) + 1)
            return self._add_field(Reference(reference[0]), len(reference[0]))
        if line.startswith("${", at):
            return self._read_brace("$")
        if line.startswith("$${", at):
            return self._add_text("$", 2)
        if escape and not is_literal:
            return self._add_text(f"${escape[1]}", len(escape[0]))
        if name and not is_literal:
            return self._add_field(Field(name[0], name[1]), len(name[0]))
        return self._add_text("$")

    def _read_brace(self, before: str) -> None:
        """Read a ``{`` or ``${`` and, if it is a field, the rest of it."""
        line, at = self._line, self._at + len(before)
        if line.startswith("{{", at):
            return self._add_text(before + "{", len(before) + 2)
        end = _find_closing(line, at)
        content = "" if end is None else line[at + 1 : end]
        is_count = _COUNT.fullmatch(content) is not None
        parts = None if end is None or is_count else _read_field(content)
        if end is not None and parts and (not self._quote or _has_name(parts[0])):
            typed = line[self._at : end + 1]
            return self._add_field(Field(typed, *parts), len(typed))
        if not self._quote and end is None:
            _refuse_line(
                "The braces do not match. Write '{{' and '}}' for the braces themselves. Nothing was done"
            )
        if not self._quote and not is_count:
            _refuse_line(
                f"'{line[self._at : (end or 0) + 1]}' is not a valid expression (SyntaxError). Put text with "
                "braces in quotation marks, or double the braces. Nothing was done"
            )
        self._open_braces += 1
        return self._add_text(before + "{")

    def _close_brace(self) -> None:
        if self._open_braces:
            self._open_braces -= 1
            self._add_text("}")
        elif self._line.startswith("}}", self._at):
            self._add_text("}", 2)
        elif self._quote:
            self._add_text("}")
        else:
            _refuse_line(
                "The braces do not match. Write '{{' and '}}' for the braces themselves. Nothing was done"
            )


def _find_closing(line: str, at: int) -> int | None:
    """Find the ``}`` that matches the ``{`` at an index, skipping strings and brackets."""
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
    if _find_names(content) is not None:
        return content.strip(), "", ""
    converted = _CONVERTED.fullmatch(content.rstrip())
    if converted and _find_names(converted[1]) is not None:
        return converted[1].strip(), converted[2], ""
    for colon in (index for index, char in enumerate(content) if char == ":"):
        expression, spec = content[:colon], content[colon + 1 :]
        # '{key: value}' is a mapping, '{price:.2f}' a format.
        if _find_names(expression) and spec and not re.search(r"[\s'\"{}]", spec):
            return expression.strip(), "", spec
    return None


def _has_name(expression: str) -> bool:
    return bool(_find_names(expression))


def _find_names(content: str) -> set[str] | None:
    """Return the names in an expression; ``None`` if the text is not an expression."""
    try:
        tree = ast.parse(content.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _refuse_line(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)
