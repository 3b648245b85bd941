"""Parsing of a spec's JSON or YAML text, its variables, and plaintext secrets in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.secrets.names import sounds_secret
from primepods_magic.api.validation.size_limits import LONGEST_TEXT, shorten_word

from .keys import SpecKey
from .yaml_errors import (
    DUPLICATE_KEY,
    EMPTY_VALUE,
    NO_COLON,
    NOT_A_WORD,
    SPECIAL_SPACE,
    SPECIAL_VALUE,
    explain_yaml_error,
)

__all__ = [
    "find_plaintext_secrets",
    "is_written_out",
    "load_json",
    "load_text",
    "load_yaml",
    "reject_variable",
    "substitute_variables",
]

_VARIABLE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}")
_MAX_FILLED_CHARS = 1_000_000
_UNPAIRED_SURROGATE = re.compile("[\ud800-\udfff]")


def find_plaintext_secrets(text: str) -> list[str]:
    """Return names whose values look like plaintext secrets, instead of ``${NAME}``.

    >>> find_plaintext_secrets("env: {WANDB_API_KEY: abc123, EPOCHS: 3}")
    ['WANDB_API_KEY']
    """
    try:
        return list(
            dict.fromkeys(
                name for name, value in _iter_named_texts(load_text(text)) if is_written_out(name, value)
            )
        )
    except InvalidRequest:
        # It will be rejected.
        return []


def is_written_out(name: str, value: str) -> bool:
    """Return whether a text is a secret by its name and contains no variable.

    >>> is_written_out("HF_TOKEN", "hf_abc"), is_written_out("HF_TOKEN", "${MINE}"), is_written_out("N", "3")
    (True, False, False)
    """
    has_variable = any(match[2] is not None for match in _VARIABLE.finditer(value))
    return bool(value) and not has_variable and sounds_secret(name)


def _iter_named_texts(body: Any) -> Iterator[tuple[str, str]]:
    """Yield each text with its name; in the API's form, a variable's name is in "key"."""
    waiting = [("", body)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield name, str(value)
        elif isinstance(value, list):
            waiting += [(name, item) for item in reversed(value)]
        elif isinstance(value, dict) and isinstance(value.get("key"), str) and "value" in value:
            waiting.append((value["key"], value["value"]))
        elif isinstance(value, dict):
            waiting += [(str(key), item) for key, item in reversed(value.items())]


def load_text(text: str, first_line: int = 1) -> Any:
    """Parse a body: JSON if it begins with a brace, else YAML."""
    text = text.removeprefix("\ufeff")
    return load_json(text, first_line) if text.lstrip().startswith("{") else load_yaml(text, first_line)


def load_json(text: str, first_line: int) -> Any:
    def reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in pairs:
            if key in fields:
                raise InvalidRequest(f"'{shorten_word(key)}' is given twice. Nothing was sent")
            fields[key] = value
        return fields

    _check_length(text)
    try:
        return json.loads(text, object_pairs_hook=reject_duplicates, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        position = f"line {error.lineno + first_line - 1}, column {error.colno}"
        raise InvalidRequest(f"Cannot parse the JSON at {position}: {error.msg}. Nothing was sent") from None
    except ValueError:
        raise InvalidRequest("The JSON contains a number with too many digits. Nothing was sent") from None
    except RecursionError:
        raise InvalidRequest("The JSON is nested too deeply. Nothing was sent") from None


def _check_length(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise InvalidRequest(f"The spec is longer than {LONGEST_TEXT:,} characters. Nothing was sent")


def _refuse_constant(word: str) -> None:
    raise InvalidRequest(f"{word} is not a valid JSON number. Nothing was sent")


class _TextLoader(yaml.SafeLoader):
    """YAML loader of scalars as text, so that ``NO`` is Norway and ``08`` keeps its zero.

    Only an empty value, ``~`` and ``null`` are None.
    """

    first_line = 1

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    yaml_constructors = {  # No `!!int` and the like: the field decides the type of its value.
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("str", "null", "map", "seq")
    }

    def get_single_node(self) -> yaml.Node | None:
        """Return the body, which is a mapping or a list of some."""
        body: yaml.Node | None = super().get_single_node()
        for item in body.value if isinstance(body, yaml.SequenceNode) else [body]:
            if isinstance(item, yaml.ScalarNode) and (item.value or item.style):
                raise yaml.composer.ComposerError(None, None, NO_COLON, item.start_mark)
        return body

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, SPECIAL_VALUE, mark)
        event = self.peek_event()  # type: ignore[no-untyped-call]
        # Neither anchors (&name) nor tags (!name): a password may begin with these characters.
        if getattr(event, "anchor", None) is not None or not _is_known_tag(getattr(event, "tag", None)):
            raise yaml.composer.ComposerError(None, None, SPECIAL_VALUE, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, yaml.Mark] = {}
        for key, value in node.value:
            mark = key.start_mark
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, NOT_A_WORD, mark)
            if key.value != key.value.strip():
                raise yaml.constructor.ConstructorError(None, None, SPECIAL_SPACE, mark)
            if key.value in seen:
                problem = f"{DUPLICATE_KEY}: {shorten_word(key.value)}"
                raise yaml.constructor.ConstructorError(None, seen[key.value], problem, mark)
            if isinstance(value, yaml.ScalarNode) and not value.value and not value.style:
                raise yaml.constructor.ConstructorError(None, None, EMPTY_VALUE, mark)
            seen[key.value] = mark
        mapping = super().construct_mapping(node, deep=deep)
        lines = {key: mark.line + self.first_line for key, mark in seen.items()}
        return {
            SpecKey(key, line=lines[key]) if isinstance(key, str) else key: value
            for key, value in mapping.items()
        }


def _is_known_tag(tag: str | None) -> bool:
    return tag in (None, "!") or tag in _TextLoader.yaml_constructors


def load_yaml(text: str, first_line: int) -> Any:
    _check_length(text)
    try:
        loader = _TextLoader(text)
        loader.first_line = first_line
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        raise InvalidRequest(f"{explain_yaml_error(text, error, first_line)}. Nothing was sent") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = (
            f"line {before.count(chr(10)) + first_line}, column {error.position - before.rfind(chr(10))}"
        )
        raise InvalidRequest(
            f"The character at {position} is not allowed in YAML. Nothing was sent"
        ) from None
    except (ValueError, OverflowError):
        # For example an escape of a nonexistent character.
        raise InvalidRequest("Cannot parse the YAML: a value is not valid. Nothing was sent") from None
    except RecursionError:
        raise InvalidRequest("The YAML is nested too deeply. Nothing was sent") from None


def substitute_variables(value: Any, variable: Callable[[str], str]) -> Any:
    """Replace the variables in a spec by their values."""
    filled_chars = 0

    def substitute(name: str) -> str:
        nonlocal filled_chars
        text = variable(name)
        filled_chars += len(text)
        if filled_chars > _MAX_FILLED_CHARS:
            raise InvalidRequest("The values of the variables are too long in total. Nothing was sent")
        return text

    return _fill_value(value, substitute)


def _fill_value(value: Any, variable: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill_value(item, variable) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_value(item, variable) for item in value]
    if not isinstance(value, str):
        return value
    if _UNPAIRED_SURROGATE.search(value):
        raise InvalidRequest("A text contains an unpaired surrogate. Nothing was sent")

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        name = match[2].strip()
        try:
            return variable(name)
        except KeyError:
            reference = f"${{{shorten_word(name)}}}"
            raise InvalidRequest(
                f"{reference} is neither a notebook variable nor an environment variable. Nothing was sent"
            ) from None

    return _VARIABLE.sub(replace, value)


def reject_variable(name: str) -> str:
    raise KeyError(name)
