"""Tab in ``%pods …``, ``x = %pods …``, ``%pod_create …`` and the body of ``%%pod_create``.

It runs between two key presses: from memory only, loading nothing heavy and raising nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from primepods_magic.api.enums import GPU_TYPES, IMAGES, PROVIDERS, REGIONS, SECURITIES, SOCKETS, PodStatus
from primepods_magic.notebook.input.arguments import ArgumentParser
from primepods_magic.notebook.input.expansion import quote_word

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from primepods_magic.pods.connection.connection import Connection

__all__ = ["BODY_KEYS", "completions_at", "register", "unregister"]

BODY_KEYS = tuple(
    """
    name gpu count pods max_price region country provider security socket image template disk vcpus memory env
    disks team jupyter_password ssh_key_id auto_restart cloud_id data_center_id prepaid_for_hr
    team_member_ids shared_with_team
    """.split()
)
"""What a spec may say, the most wanted first, without the longer names for the same."""

_OURS = re.compile(r"(?:[\w.,\s]*=\s*)?(%{1,2})(pods|pod_create)(\s.*)$")
_KEY = re.compile(r"(?:\s*(?:-\s+)?|.*[{,]\s*)([\w]*)$")
_VALUE = re.compile(r"""(?:.*[{,\s]|-\s+|)(\w+):\s+('[^']*|"[^"]*|[\w./@:-]*)$""")
# White space as a line has it, which is less than what Unicode calls so.
_LAST_WORD = re.compile(r"""(?:^|[ \t])((?:[^ \t'"]*=)?(?:'[^']*|"[^"]*)|[^ \t]*)$""")
_TYPED_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^ \t])+""")
_PLAIN_SCALAR = re.compile(r"[A-Za-z0-9_][\w./@-]*(?::[\w./@-]+)*")
_WORDS = {
    "gpu": GPU_TYPES,
    "gpu_type": GPU_TYPES,
    "image": IMAGES,
    "provider": PROVIDERS,
    "region": REGIONS,
    "security": SECURITIES,
    "socket": SOCKETS,
    "status": tuple(PodStatus.__members__),
    "auto_restart": ("true", "false"),
    "shared_with_team": ("true", "false"),
}
_IDENTIFIER = "primepods_magic"


def register(shell: Any) -> None:
    """Complete in a shell, once; a shell without a completer is left alone."""
    completer = getattr(shell, "Completer", None)
    if completer is None or any(_is_ours(matcher) for matcher in completer.custom_matchers):
        return
    from IPython.core.completer import context_matcher

    completer.custom_matchers.append(context_matcher(identifier=_IDENTIFIER)(_match))


def unregister(shell: Any) -> None:
    """Take that back."""
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        completer.custom_matchers[:] = [
            matcher for matcher in completer.custom_matchers if not _is_ours(matcher)
        ]


def _is_ours(matcher: Any) -> bool:
    return getattr(matcher, "matcher_identifier", None) == _IDENTIFIER


def _match(context: CompletionContext) -> SimpleMatcherResult:
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
    """What is being typed at the end of ``before``, and what it may become."""
    if line_number > 0 and lines[0].lstrip().startswith("%%pod_create"):
        return _in_body(lines[1:line_number], before)
    found = _OURS.match(before)
    if found is None or (found[1] == "%%" and found[2] == "pods"):
        return "", []
    words, fragment = _split_typed(found[3])
    if found[2] == "pod_create":
        return _in_command("create", words, fragment)
    if not words:
        from .magics import COMMANDS

        return fragment, [name for name in COMMANDS if name.startswith(fragment)]
    return _in_command(words[0], words[1:], fragment)


def _in_command(name: str, words: list[str], fragment: str) -> tuple[str, list[str]]:
    """Flags, the value of a flag, or what stands without one."""
    parser = _parser(name)
    if parser is None:
        return fragment, []
    flags = {flag: action for action in parser._actions for flag in action.option_strings}
    flag, equals, value = fragment.partition("=")
    if equals and flag in flags:
        return value, _values(flags[flag], _unquoted(value))
    before = flags.get(words[-1]) if words else None
    if before is not None and before.nargs != 0:
        return fragment, _values(before, _unquoted(fragment))
    if fragment.startswith("-"):
        return fragment, [flag for flag in flags if flag.startswith(fragment)]
    places = [action for action in parser._actions if not action.option_strings]
    if not places:
        return fragment, [flag for flag in flags if flag.startswith("--")] if not fragment else []
    number = sum(not word.startswith("-") for word in words)
    return fragment, _values(places[min(number, len(places) - 1)], _unquoted(fragment))


def _split_typed(text: str) -> tuple[list[str], str]:
    """The words of a line that is being typed, and the last one, which may be a quotation that is open."""
    found = _LAST_WORD.search(text)
    fragment = found[1] if found else ""
    return _TYPED_WORD.findall(text.removesuffix(fragment)), fragment


def _unquoted(fragment: str) -> str:
    return fragment.removeprefix(fragment[:1]) if fragment[:1] in ("'", '"') else fragment


@cache
def _parser(name: str) -> ArgumentParser | None:
    from .magics import COMMANDS, parser_of

    return parser_of(name)[1] if name in COMMANDS or name == "create" else None


def _values(action: Any, beginning: str) -> list[str]:
    """What an argument may say, as it is typed: nothing that a service or a file says is ever evaluated."""
    if action.choices:
        return _begins(action.choices, beginning)
    if action.dest in ("pod", "pods") and not action.option_strings:
        return _pods(beginning)
    if action.dest == "sort":
        return _begins(_columns(), beginning)
    if action.dest == "context":
        from primepods_magic.api.local.prime_config import context_names, prime_folder

        return _typed(_begins(context_names(prime_folder()), beginning), quote_word)
    return _typed(_known(action.dest, beginning), quote_word)


def _typed(words: Iterable[str], type_as: Callable[[str], str | None]) -> list[str]:
    return [typed for word in words if (typed := type_as(word)) is not None]


def _in_body(above: list[str], before: str) -> tuple[str, list[str]]:
    """A key, or what a key may say."""
    if "\n".join([*above, before]).lstrip().startswith("{"):
        # The API's own body is pasted, not typed.
        return "", []
    if before.startswith((" ", "\t")) and _is_under_env(above):
        return "", []
    found = _VALUE.match(before)
    if found is not None:
        return found[2], _typed(_known(found[1], _unquoted(found[2])), _quote_scalar)
    found = _KEY.match(before)
    if found is None:
        return "", []
    is_list = before.lstrip().startswith("- ") or any(line.lstrip().startswith("- ") for line in above)
    # Inside one pod of a list only what stands together is one spec; there, every key may come again.
    told = set() if is_list else {line.partition(":")[0].strip() for line in above}
    return found[1], [f"{key}: " for key in _begins(BODY_KEYS, found[1]) if key not in told]


def _quote_scalar(text: str) -> str | None:
    """A word as the text that it is in YAML; ``None`` if no one should type it."""
    if quote_word(text) is None:
        return None
    is_plain = _PLAIN_SCALAR.fullmatch(text) and text.casefold() != "null"
    return text if is_plain else f"'{text}'"


def _is_under_env(above: list[str]) -> bool:
    outer = [line for line in above if line.strip() and not line.startswith((" ", "\t"))]
    return bool(outer) and outer[-1].rstrip() in ("env:", "env_vars:", "envVars:")


def _known(name: str, beginning: str) -> list[str]:
    """The words for a field: those of the vocabulary, and those that offers used."""
    connection = _connection()
    seen: Iterable[str] = connection.memory.words(name) if connection else ()
    words = [*_WORDS.get(name, ()), *sorted(set(seen) - set(_WORDS.get(name, ())))]
    return [word for word in words if word.casefold().startswith(beginning.casefold())]


def _pods(beginning: str) -> list[str]:
    connection = _connection()
    if connection is None:
        return []
    connection.memory.refresh(connection)
    return connection.memory.complete_pod(beginning, quote_word)


def _connection() -> Connection | None:
    """The connection in use, where a command has made one."""
    module = sys.modules.get("primepods_magic.pods.connection.current")
    in_use: Callable[[], Connection | None] | None = getattr(module, "in_use", None)
    return in_use() if in_use else None


def _columns() -> list[str]:
    module = sys.modules.get("primepods_magic.frames.tables.pods")
    return list(module.POD_COLUMNS) if module else []


def _begins(words: Iterable[str], beginning: str) -> list[str]:
    return [str(word) for word in words if str(word).startswith(beginning)]
