"""Completion in ``%pods …``, ``x = %pods …``, ``%pod_create …`` and the body of ``%%pod_create``.

It runs between two key presses: from memory only, loading nothing heavy and raising nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from primepods_magic.api.enums import PodStatus
from primepods_magic.notebook.cells.pod_kernel import complete_code, is_pod_cell
from primepods_magic.notebook.input.arguments import ArgumentParser
from primepods_magic.notebook.input.expansion import quote_word
from primepods_magic.pods.spec.fields import FIELD_OF_KEY, SPEC_FIELDS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from primepods_magic.pods.connection.connection import Connection

__all__ = ["completions_at", "match"]

_MAGIC_LINE = re.compile(r"(?:[\w.,\s]*=\s*)?(%{1,2})(pods|pod_create|pod)(\s.*)$")
_KEY = re.compile(r"(?:\s*(?:-\s+)?|.*[{,]\s*)([\w]*)$")
_VALUE = re.compile(r"""(?:.*[{,\s]|-\s+|)(\w+):\s+('[^']*|"[^"]*|[\w./@:-]*)$""")
# White space of a line, which is less than that of Unicode.
_LAST_WORD = re.compile(r"""(?:^|[ \t])((?:[^ \t'"]*=)?(?:'[^']*|"[^"]*)|[^ \t]*)$""")
_TYPED_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^ \t])+""")
_PLAIN_SCALAR = re.compile(r"[A-Za-z0-9_][\w./@-]*(?::[\w./@-]+)*")
_COMMAND_OF_MAGIC = {"pod_create": "create", "pod": "pod"}
_WORDS = {
    "status": tuple(PodStatus.__members__),
    **{key: field.words for field in SPEC_FIELDS.values() for key in (field.key, field.name)},
}


def match(context: CompletionContext) -> SimpleMatcherResult:
    """Complete a cell for IPython."""
    from IPython.core.completer import SimpleCompletion

    try:
        fragment, words = completions_at(
            context.full_text.split("\n"), context.cursor_line, context.text_until_cursor.rpartition("\n")[2]
        )
    except Exception:  # noqa: BLE001 - a key press must never end in a traceback
        fragment, words = "", []
    return {
        "completions": [SimpleCompletion(text=word, type="magic") for word in words],
        "matched_fragment": fragment,
        "suppress": bool(words),
        "do_not_suppress": set(),
        "ordered": True,
    }


def completions_at(lines: list[str], line_number: int, before: str) -> tuple[str, list[str]]:
    """Return the fragment at the end of ``before``, and its completions."""
    if line_number > 0 and lines[0].lstrip().startswith("%%pod_create"):
        return _complete_body(lines[1:line_number], before)
    if line_number > 0 and is_pod_cell(lines):
        return complete_code(lines, line_number, before)
    match = _MAGIC_LINE.match(before)
    if match is None or (match[1] == "%%" and match[2] == "pods"):
        return "", []
    words, fragment = _split_typed(match[3])
    if match[2] in _COMMAND_OF_MAGIC:
        return _complete_command(_COMMAND_OF_MAGIC[match[2]], words, fragment)
    if not words:
        from .command_list import COMMANDS

        return fragment, [name for name in COMMANDS if name.startswith(fragment)]
    return _complete_command(words[0], words[1:], fragment)


def _complete_command(name: str, words: list[str], fragment: str) -> tuple[str, list[str]]:
    """Complete a flag, the value of a flag, or an argument without one."""
    parser = _find_parser(name)
    if parser is None:
        return fragment, []
    flags = {flag: action for action in parser._actions for flag in action.option_strings}
    flag, equals, value = fragment.partition("=")
    if equals and flag in flags:
        return value, _complete_value(flags[flag], _strip_quote(value))
    before = flags.get(words[-1]) if words else None
    if before is not None and before.nargs != 0:
        return fragment, _complete_value(before, _strip_quote(fragment))
    if fragment.startswith("-"):
        return fragment, [flag for flag in flags if flag.startswith(fragment)]
    positionals = [action for action in parser._actions if not action.option_strings]
    if not positionals:
        return fragment, [flag for flag in flags if flag.startswith("--")] if not fragment else []
    number = sum(not word.startswith("-") for word in words)
    return fragment, _complete_value(positionals[min(number, len(positionals) - 1)], _strip_quote(fragment))


def _split_typed(text: str) -> tuple[list[str], str]:
    """Split a line that is being typed into words and the last one, which may be an open quotation."""
    last = _LAST_WORD.search(text)
    fragment = last[1] if last else ""
    return _TYPED_WORD.findall(text.removesuffix(fragment)), fragment


def _strip_quote(fragment: str) -> str:
    return fragment.removeprefix(fragment[:1]) if fragment[:1] in ("'", '"') else fragment


@cache
def _find_parser(name: str) -> ArgumentParser | None:
    from .command_list import COMMANDS
    from .magics import parser_of

    return parser_of(name)[1] if name in {*COMMANDS, *_COMMAND_OF_MAGIC.values()} else None


def _complete_value(action: Any, prefix: str) -> list[str]:
    """Return values for an argument, quoted so that words of a service or a file are never evaluated."""
    if action.choices:
        return _filter_words(action.choices, prefix)
    if action.dest in ("pod", "pods") and not action.option_strings:
        return _complete_pod(prefix)
    if action.metavar == "DISK":
        return _complete_disk(prefix)
    if action.dest == "sort":
        return _filter_words(_list_columns(), prefix)
    if action.dest == "context":
        from primepods_magic.api.local.prime_config import context_names, prime_folder

        return _quote_all(_filter_words(context_names(prime_folder()), prefix), quote_word)
    return _quote_all(_complete_field(action.dest, prefix), quote_word)


def _quote_all(words: Iterable[str], type_as: Callable[[str], str | None]) -> list[str]:
    return [typed for word in words if (typed := type_as(word)) is not None]


def _complete_body(above: list[str], before: str) -> tuple[str, list[str]]:
    """Complete a key, or the value of a key."""
    if "\n".join([*above, before]).lstrip().startswith("{"):
        # The API's own JSON body is pasted, not typed.
        return "", []
    if before.startswith((" ", "\t")) and _is_under_env(above):
        return "", []
    value = _VALUE.match(before)
    if value is not None:
        return value[2], _quote_all(_complete_field(value[1], _strip_quote(value[2])), _quote_scalar)
    key_match = _KEY.match(before)
    if key_match is None:
        return "", []
    prefix = key_match[1]
    is_list = before.lstrip().startswith("- ") or any(line.lstrip().startswith("- ") for line in above)
    # In a list of specs, every key may be used again.
    used = set() if is_list else {line.partition(":")[0].strip() for line in above}
    return prefix, [f"{key}: " for key in _filter_words(SPEC_FIELDS, prefix) if key not in used]


def _quote_scalar(text: str) -> str | None:
    """Write a word as a YAML string; ``None`` if it is not safe to type."""
    if quote_word(text) is None:
        return None
    is_plain = _PLAIN_SCALAR.fullmatch(text) and text.casefold() != "null"
    return text if is_plain else f"'{text}'"


def _is_under_env(above: list[str]) -> bool:
    outer = [line for line in above if line.strip() and not line.startswith((" ", "\t"))]
    return bool(outer) and outer[-1].rstrip() in ("env:", "env_vars:", "envVars:")


def _complete_field(name: str, prefix: str) -> list[str]:
    """Return the known words for a field, followed by those seen in offers."""
    connection = _find_connection()
    seen: Iterable[str] = connection.completion_cache.words(name) if connection else ()
    words = [*_WORDS.get(name, ()), *sorted(set(seen) - set(_WORDS.get(name, ())))]
    field = FIELD_OF_KEY.get(name)
    # Of several values with commas between them, the last is being typed.
    start = prefix.rfind(",") + 1 if field is not None and field.takes_several else 0
    typed = prefix[start:].casefold()
    return [f"{prefix[:start]}{word}" for word in words if word.casefold().startswith(typed)]


def _complete_pod(prefix: str) -> list[str]:
    connection = _find_connection()
    if connection is None:
        return []
    connection.completion_cache.refresh(connection)
    return connection.completion_cache.complete_pod(prefix, quote_word)


def _complete_disk(prefix: str) -> list[str]:
    connection = _find_connection()
    if connection is None:
        return []
    connection.completion_cache.refresh_disks(connection)
    return connection.completion_cache.complete_disk(prefix, quote_word)


def _find_connection() -> Connection | None:
    """Return the connection in use, if a command has opened one."""
    module = sys.modules.get("primepods_magic.pods.connection.current")
    in_use: Callable[[], Connection | None] | None = getattr(module, "in_use", None)
    return in_use() if in_use else None


def _list_columns() -> list[str]:
    module = sys.modules.get("primepods_magic.frames.tables.pods")
    return [column.name for column in module.PODS] if module else []


def _filter_words(words: Iterable[str], prefix: str) -> list[str]:
    return [str(word) for word in words if str(word).startswith(prefix)]
