"""Explanations of YAML errors: the line as the user counts, its text, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from primepods_magic.api.validation.size_limits import shorten_word

from .body_lines import BodyLines
from .fields import FIELD_OF_KEY, SPEC_FIELDS

__all__ = [
    "DUPLICATE_KEY",
    "EMPTY_VALUE",
    "NOT_A_WORD",
    "NO_COLON",
    "SPECIAL_SPACE",
    "SPECIAL_VALUE",
    "explain_yaml_error",
]

DUPLICATE_KEY = "a key is given twice"
EMPTY_VALUE = "a key has no value"
NOT_A_WORD = "a key is not a word"
NO_COLON = "a line has no colon"
SPECIAL_SPACE = "a key begins or ends with a special space"
SPECIAL_VALUE = "a value begins with a special character"
"""Problems that our own loader reports."""

# A non-breaking space, as in text from a web page, is not a space here.
_FIELD = re.compile(r"\s*(?:- +)*[^:]+:(?:[ \t]|$)")
_COLON = re.compile(r":(?:[ \t]|$)")
_CLOSING = {"{": "}", "[": "]"}


@dataclass(frozen=True)
class _Problem:
    """A problem in a line: what the line has or is, and what to do about it."""

    index: int
    what: str
    advice: str


def explain_yaml_error(text: str, error: yaml.MarkedYAMLError, first_line: int) -> str:
    r"""Return one sentence about an error and one about what to do, without secrets.

    >>> text = "name: a\n gpu: L4_24GB"
    >>> try: yaml.safe_load(text)
    ... except yaml.MarkedYAMLError as error: explain_yaml_error(text, error, first_line=2)
    "Line 3 is indented more than the line above it: ' gpu: L4_24GB'. Remove the leading space"
    """
    body = BodyLines(text, first_line)
    problem = _find_problem(body, error)
    shown = body.show_line(problem.index)
    return f"Line {body.find_number(problem.index)} {problem.what}{shown}. {problem.advice}"


def _find_problem(body: BodyLines, error: yaml.MarkedYAMLError) -> _Problem:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return _Problem(0, "is not valid YAML", "Write lines of 'key: value'")
    context_mark = error.context_mark or mark
    place = _Place(body, mark.line, mark.column, context_mark.line, context_mark.column)
    said = f"{error.context or ''}|{error.problem or ''}"
    for pattern, explain in _EXPLANATIONS:
        if re.search(pattern, said):
            problem = explain(place, said)
            if problem is not None:
                return problem
    return _Problem(
        min(mark.line, body.find_last_content()),
        "is not valid YAML",
        "Write 'key: value', or quote the value",
    )


@dataclass(frozen=True)
class _Place:
    """Where the parser stopped, and where what it was reading begins."""

    body: BodyLines
    index: int
    column: int
    start_index: int
    start_column: int

    @property
    def line(self) -> str:
        return self.body.read_line(self.index)

    @property
    def start_line(self) -> str:
        return self.body.read_line(self.start_index)


def _explain_colon(place: _Place, _said: str) -> _Problem | None:
    """Explain a colon where none is allowed: in a value, in an indented line, or below a line without one."""
    first = _COLON.search(place.line)
    above = place.body.find_content_above(place.index)
    if first is None or first.start() != place.column or above is None:
        word = re.search(r"(,?)\s*([\w-]+)$", place.line[: place.column])
        if word and first and first.start() != place.column and (word[1] or word[2] in FIELD_OF_KEY):
            return _Problem(place.index, "has several fields", "Put each field on a line of its own")
        return _Problem(place.index, "has a value with a colon in it", "Put the value in quotes")
    without_colon = None
    while above is not None and not _FIELD.match(place.body.read_line(above)):
        without_colon, above = above, place.body.find_content_above(above)
    if without_colon is not None:
        return _explain_missing_colon(place.body, without_colon)
    above = place.body.find_content_above(place.index)
    return None if above is None else _explain_indentation(place.body, place.index, above)


def _explain_indentation(body: BodyLines, index: int, above: int) -> _Problem:
    is_list, is_item = body.is_item(above), body.is_item(index)
    column, other = (
        (body.find_indent(index), body.find_indent(above))
        if is_list and is_item
        else (body.find_column(index), body.find_column(above))
    )
    relation = "more" if column > other else "less"
    advice = f"Indent it by {other} space{'s' if other > 1 else ''}, as the line above"
    if not other:
        advice = "Remove the leading space" + ("s" if column > 1 else "")
    elif is_list and not is_item and column < other:
        advice = f"Indent it by {other} spaces, or begin it with '- '"
    return _Problem(index, f"is indented {relation} than the line above it", advice)


def _explain_first_indentation(place: _Place, _said: str) -> _Problem | None:
    """Explain a first line that is indented more than a later one."""
    first = place.body.find_content_above(place.index)
    while first is not None and (above := place.body.find_content_above(first)) is not None:
        first = above
    if first is None or place.body.find_column(first) <= place.column:
        return None
    spaces = place.body.find_column(first) - place.column
    advice = "Remove the leading space" + ("s" if spaces > 1 else "")
    return _Problem(first, "is indented more than the lines below it", advice)


def _explain_other_indentation(place: _Place, _said: str) -> _Problem | None:
    above = place.body.find_content_above(place.index)
    if above is None or place.body.find_column(above) == place.body.find_column(place.index):
        return None
    return _explain_indentation(place.body, place.index, above)


def _explain_key(place: _Place, _said: str) -> _Problem:
    return _explain_missing_colon(place.body, place.start_index)


def _explain_missing_colon(body: BodyLines, index: int) -> _Problem:
    line = body.read_line(index).strip()
    key, separator, value = re.match(r"-*\s*([\w-]*)(\s*[:=]?\s*)(.*)", line).groups()  # type: ignore[union-attr]
    what = "has no colon after its key"
    if separator.strip() == ":":
        what = "has no space after the colon" if separator == ":" else "has no ordinary space after the colon"
    elif separator.strip() == "=":
        what = "has '=' instead of a colon"
    fixed = f"{key}: {value or 'VALUE'}"
    is_safe = key and body.is_safe(index)
    for field in SPEC_FIELDS.values():
        if line in field.words:
            return _Problem(index, f"has the value '{line}' and no key", f"Write '{field.key}: {line}'")
    return _Problem(index, what, f"Write '{shorten_word(fixed if is_safe else 'key: value')}'")


def _explain_tab(place: _Place, _said: str) -> _Problem:
    if place.line[: place.column].strip():
        return _Problem(place.index, "has a tab in it", "Use a space instead")
    return _Problem(place.index, "begins with a tab", "Remove it, or indent with spaces")


def _explain_quote(place: _Place, _said: str) -> _Problem:
    return _describe_open_quote(
        place.start_index, place.start_line[place.start_column : place.start_column + 1]
    )


def _describe_open_quote(index: int, quote: str) -> _Problem:
    return _Problem(
        index, f"has a quote ({quote}) that is never closed", f"Add {quote} at the end of the value"
    )


def _explain_text_after_quote(place: _Place, _said: str) -> _Problem:
    for index in range(place.index + 1):
        opened = re.search(r"""(?::\s+|^\s*)(["'])""", place.body.read_line(index))
        if opened and place.body.read_line(index).count(opened[1]) == 1:
            return _describe_open_quote(index, opened[1])
    quotes = "single" if '"' in place.line else "double"
    return _Problem(place.index, "has text after a closing quote", f"Put the whole value in {quotes} quotes")


def _explain_bracket(place: _Place, said: str) -> _Problem:
    """Explain a list or mapping in brackets that ends too late, or with something else."""
    opening = place.start_line[place.start_column : place.start_column + 1]
    closing = _CLOSING.get(opening, "")
    found = said.rpartition("got '")[2][:1]
    if found in ("}", "]"):
        what = f"closes '{opening}' with '{found}'"
        return _Problem(place.index, what, f"Use '{closing}', or put a value with '{found}' in quotes")
    rest = "\n".join(
        [place.start_line[place.start_column :], *place.body.lines[place.start_index + 1 : place.index + 1]]
    )
    if found == "{" and "${" in place.line:
        return _Problem(place.index, f"has '${{…}}' inside '{opening}'", "Put '${…}' in quotes there")
    if found == ":" and closing in place.line[place.column :]:
        what = f"has two colons in one item of '{opening}{closing}'"
        return _Problem(place.index, what, "Put the value in quotes, or add a comma")
    if closing not in rest:
        return _Problem(place.start_index, f"has a '{opening}' that is never closed", f"Add '{closing}'")
    return _Problem(place.index, f"has no comma between two items in '{opening}{closing}'", "Add a comma")


def _explain_list(place: _Place, said: str) -> _Problem:
    """Explain an item of a list among fields, or a field among items."""
    above = place.body.find_content_above(place.index)
    if above is not None and place.body.is_item(above) and place.body.is_item(place.index):
        return _explain_indentation(place.body, place.index, above)
    if "block collection" in said:
        column = place.body.find_column(place.index if above is None else above)
        advice = f"Indent it by {column} spaces, or begin it with '- '"
        return _Problem(place.index, "is not part of the list above it", advice)
    return _Problem(
        place.index,
        "is an item of a list, and the lines above are not",
        "Remove '- ', or begin each pod with '- ' and indent its other fields",
    )


def _explain_item_after_key(place: _Place, _said: str) -> _Problem:
    return _Problem(
        place.index, "has '- ' after its key", "Remove '- ', or put the item on the next line, indented"
    )


def _explain_special(place: _Place, _said: str) -> _Problem | None:
    """Explain a value that begins with a character that has a meaning in YAML."""
    for index, line, column in (
        (place.start_index, place.start_line, place.start_column),
        (place.index, place.line, place.column),
    ):
        found = line[column : column + 1]
        if found and found in "@`%&*!|>?,[]{}":
            before = line[:column].strip()
            what = f"has a value that begins with '{found}'" if before else f"begins with '{found}'"
            advice = "Put the value in quotes" if before else "Write 'key: value'"
            return _Problem(index, what, advice)
    return None


def _explain_escape(place: _Place, _said: str) -> _Problem:
    return _Problem(
        place.index, "has a backslash inside double quotes", "Use single quotes, or write it twice (\\\\)"
    )


def _explain_document(place: _Place, _said: str) -> _Problem | None:
    for index in range(place.index + 1):
        if place.body.read_line(index).startswith("%"):
            return _Problem(index, "begins with '%'", "A body has no magics. Remove the line")
    return _Problem(place.index, "begins a second YAML document", "Begin each pod with '- ' instead")


def _explain_duplicate(place: _Place, said: str) -> _Problem:
    key = said.partition(DUPLICATE_KEY)[2].removeprefix(": ")
    after = f", after line {place.body.find_number(place.start_index)}" * (place.index > place.start_index)
    return _Problem(place.index, f"gives '{key}' a second time{after}", "Remove one of them")


def _explain_empty(place: _Place, _said: str) -> _Problem:
    key, colon, rest = place.line[place.column :].partition(":")
    if colon and rest[:1] not in ("", " ", "\t", ",", "}"):
        return _Problem(place.index, "has no space after a colon", "Write 'key: value'")
    if not colon:
        return _explain_missing_colon(place.body, place.index)
    below = place.body.read_line(place.index + 1)
    if key.strip().strip("'\"") == "env" and below.strip():
        return _Problem(place.index, "has no value", "Indent the lines below it that belong to it")
    return _Problem(place.index, "has no value", "Add one, or remove the line ('' is an empty text)")


def _explain_space(place: _Place, _said: str) -> _Problem:
    return _Problem(place.index, "has a special space beside its key", "Replace it with an ordinary one")


def _explain_odd_key(place: _Place, _said: str) -> _Problem:
    return _Problem(place.index, "has a key that is not a word", "Write 'key: value'")


_EXPLANATIONS: tuple[tuple[str, Callable[[_Place, str], _Problem | None]], ...] = (
    (DUPLICATE_KEY, _explain_duplicate),
    (EMPTY_VALUE, _explain_empty),
    (NOT_A_WORD, _explain_odd_key),
    (NO_COLON, _explain_key),
    (SPECIAL_SPACE, _explain_space),
    (SPECIAL_VALUE, _explain_special),
    (r"mapping values are not allowed", _explain_colon),
    (r"could not find expected ':'", _explain_key),
    (r"found character '\\t'", _explain_tab),
    (r"quoted scalar\|found unexpected (end of stream|document separator)", _explain_quote),
    (r"double-quoted scalar\|", _explain_escape),
    (r"'<document start>', but found '<block (mapping|sequence) start>'", _explain_first_indentation),
    (r"another document|<document start>|scanning a directive", _explain_document),
    (r"found '<scalar>'", _explain_text_after_quote),
    (r"flow (mapping|sequence)\|", _explain_bracket),
    (r"<block end>, but found '(-|\?)'", _explain_list),
    (r"<block end>, but found '<block (mapping|sequence) start>'", _explain_other_indentation),
    (r"sequence entries are not allowed", _explain_item_after_key),
    (r"", _explain_special),
)
"""How PyYAML's context and problem are explained: the first that matches and knows an explanation."""
