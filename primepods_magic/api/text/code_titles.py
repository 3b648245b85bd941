"""Titles of cells: their first line of code, without parts that may hold a secret."""

from __future__ import annotations

import ast
import re

from .sanitize import sanitize, shorten

__all__ = ["describe_code"]

_MAX_TITLE_CHARS = 80
_MAX_PARSED_CHARS = 2000
_LINE_END = re.compile(r"\r\n?|\n")
_STRING = re.compile(r"""([A-Za-z]{0,2})('{3}|"{3}|["'])((?:\\.|(?!\2).)*)(?:\2|$)""")
_COMMENT = re.compile(r"\s*#.*")
# The name of a magic or a shell command, perhaps with the variables that its output is assigned to.
_COMMAND = re.compile(r"(?:[\w.]+(?:\s*,\s*[\w.]+)*\s*=\s*)?[!%]+[\w./-]*")
# The same for lines that IPython quotes, calls or explains, and for everything that is not Python.
_FIRST_WORD = re.compile(r"[,;/?]*[\w.]*\?{0,2}")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
# What may follow a first line that is not a whole statement.
_REST = ("", " pass", ": pass", " pass\nfinally: pass", "\n case _: pass", "\ndef f(): pass")


def describe_code(code: str) -> str:
    """Return the first line of code for a listing, without parts that may hold a secret.

    Strings are emptied, and comments left out. Of a line that is not Python, such as a magic or a shell
    command, only the first word is kept.

    >>> describe_code("login(token='hf_secret')"), describe_code("!wandb login 1234")
    ("login(token='…')", '!wandb …')
    """
    lines = [line.strip() for line in _LINE_END.split(code)]
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return shorten(sanitize(_describe_line(first)), _MAX_TITLE_CHARS)


def _describe_line(line: str) -> str:
    command = _COMMAND.match(line)
    if command:
        return _keep_beginning(line, command.end())
    # A string with an unclosed brace may be an f-string around other strings.
    is_plain = all(
        "f" not in prefix.lower() or body.count("{") == body.count("}")
        for prefix, _, body in _STRING.findall(line)
    )
    # A string of bytes cannot hold an ellipsis.
    if is_plain and _begins_statement(_COMMENT.sub("", _STRING.sub(r"\1\2\2", line))):
        return _COMMENT.sub("", _STRING.sub(r"\1\2…\2", line))
    word = _FIRST_WORD.match(line)
    return _keep_beginning(line, word.end() if word else 0)


def _keep_beginning(line: str, end: int) -> str:
    return f"{line[:end]} …".lstrip() if line[end:].strip() else line


def _begins_statement(line: str) -> bool:
    """Return whether a line without strings and comments is Python, perhaps only its beginning."""
    line = line.removesuffix("\\")
    if len(line) > _MAX_PARSED_CHARS:
        return False
    unclosed: list[str] = []
    for letter in line:
        if letter in _CLOSING:
            unclosed.append(_CLOSING[letter])
        elif unclosed and letter == unclosed[-1]:
            unclosed.pop()
    closing = "".join(reversed(unclosed))
    return any(_is_python(line + value + closing + rest) for value in ("", " _") for rest in _REST)


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
