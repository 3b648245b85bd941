"""Answers to words and flags that a command does not take: the flag that each may mean, or another command.

Loaded only for an error.
"""

from __future__ import annotations

import itertools
import re
from argparse import Action, ArgumentTypeError
from collections.abc import Iterable, Mapping, Sequence

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.local.prime_config import context_names, prime_folder
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.size_limits import shorten_word
from primepods_magic.api.validation.suggest import suggest, suggest_words
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.pods.spec.fields import SPEC_FIELDS
from primepods_magic.pods.spec.other_keys import explain_key, find_key
from primepods_magic.pods.support.part_matching import match_part

from .command_words import find_command
from .expansion import quote_word

__all__ = ["describe_unexpected"]

_MAX_MEANINGS = 3
_COUNTRY = re.compile("[A-Z]{2}")
_TIME = re.compile(r"[0-9]{1,5}[hdw]|[0-9]{4}-[0-9]{2}(-[0-9]{2}.*)?|today|yesterday|month|last-month|year")
_LISTING = ("list", "ls", "show", "get", "all")
_CONFIRMING = ("-y", "--yes", "-f", "--force", "--no-input")


def describe_unexpected(
    prog: str, actions: Sequence[Action], words: Sequence[str], line: Sequence[str] = ()
) -> str:
    """Describe words of a line that a command does not take, and what they may mean.

    >>> from primepods_magic.notebook.magics import parser_of
    >>> describe_unexpected("%pods avail", parser_of("avail")[1]._actions, ["H100"])
    "Unexpected argument 'H100'. Did you mean: --gpu H100_80GB?"
    """
    word = words[0]
    if word.startswith("-"):
        flag, equals, value = word.partition("=")
        after = next((each for each in words[1:2] if not each.startswith("-")), "")
        return _describe_flag(actions, flag, value if equals else after)
    given = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    meanings = [" or ".join(_list_meanings(actions, each)) for each in given]
    said = f"Unexpected argument '{shorten_word(word)}'"
    # A GPU type is hardly part of a name, but "Pod" is part of a provider.
    if "--gpu" not in meanings[0] and (name := _read_unquoted_name(line, word)):
        return f"{said}. A name with a space needs quotes: --name {name}"
    if all(meanings):
        return f"{said}. Did you mean: {' '.join(meanings)}?"
    taken = next((action for action in actions if not action.option_strings), None)
    if taken is None:
        name = quote_word(word) or "NAME"
        if prog == "%pods avail" and "--disks" in line:
            return f"{said}. Did you mean: --disk {name}?"
        if hint := _describe_other_command(prog, word, name):
            return f"{said}. {hint}"
        return f"{said}. '{prog}' takes no names. '%pods show {name}' shows one pod"
    if taken.choices is not None:
        return f"{said}. {taken.metavar} is one of {', '.join(map(str, taken.choices))}"
    return f"{said}. '{prog}' takes one {str(taken.metavar).lower()}"


def _describe_other_command(prog: str, word: str, name: str) -> str:
    """Return the command that words such as 'connect train' and 'disks create' mean, or nothing."""
    folded = word.casefold()
    if prog == "%pods connect":
        if word in context_names(prime_folder()):
            return f"Did you mean: --context {name}?"
        return f"'%pods ssh {name}' logs in to a pod. '%pods connect' chooses the service for all requests"
    if folded in _LISTING or f"%pods {folded}" == prog:
        return f"'{prog}' alone is the list"
    command = find_command(folded, COMMANDS)
    return f"Did you mean '%pods {command}'?" if command else ""


def _read_unquoted_name(line: Sequence[str], word: str) -> str | None:
    """Return a name in quotes, if the word follows the first one of ``--name`` on the line."""
    words = " ".join(line).replace("--name=", "--name ").split(" ")
    for index, (flag, _, after) in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if flag == "--name" and after == word:
            return quote_word(" ".join(itertools.takewhile(lambda each: each[:1] != "-", words[index + 1 :])))
    return None


def _describe_flag(actions: Sequence[Action], flag: str, value: str) -> str:
    known = {name: action for action in actions for name in action.option_strings}
    said = f"there is no {shorten_word(flag)}"
    if flag in _CONFIRMING:
        return f"{said} (did you mean '-y'?)" if "-y" in known else f"{said}. There is nothing to confirm"
    key = find_key(flag)
    if key == "count" and value and not value.isdigit():
        key = "gpu"
    meant = SPEC_FIELDS[key].flag if key else ""
    if meant not in known:
        how = explain_key(flag, cloud_id="'--cloud-id ID'") if "--cloud-id" in known else ""
        return f"{said}. {how}" if how else f"{said}{suggest(flag, known)}"
    names = _match_words(known[meant], value)[:_MAX_MEANINGS] or [quote_word(value) or ""]
    filled = " or ".join(f"'{meant} {name}'".replace(" '", "'") for name in names)
    return f"{said} (did you mean {filled}?)"


def _list_meanings(actions: Iterable[Action], word: str) -> list[str]:
    """Return the flags with values, or the choices, that a word may stand for."""
    flags = {action.option_strings[-1]: action for action in actions if action.option_strings}
    choices = [
        str(choice) for action in actions if not action.option_strings for choice in action.choices or ()
    ]
    typed = quote_word(word)
    if typed is None:
        return []
    if found := _list_named(flags, word) or match_part(word, choices):
        return found[:_MAX_MEANINGS]
    if word.isdigit():
        return [f"{flag} {typed}" for flag in ("--count", "--limit", "--tail") if flag in flags][:1]
    if "--since" in flags and _TIME.fullmatch(word):
        return [f"--since {typed}"]
    if "--timeout" in flags and _fits_action(flags["--timeout"], word):
        return [f"--timeout {typed}"]
    near = [f"{flag} {name}" for flag in flags for name in suggest_words(word, _list_words(flags[flag]))]
    near += suggest_words(word, [*choices, *flags])
    # The only field that any word fits.
    return near[:_MAX_MEANINGS] or ([f"--name {typed}"] if "--cloud-id" in flags else [])


def _list_named(flags: Mapping[str, Action], word: str) -> list[str]:
    """List the flags that a word names, or whose known values it is part of."""
    if action := flags.get(f"--{word.casefold()}"):
        return [f"{action.option_strings[-1]} {action.metavar or ''}".rstrip()]
    if "--by" in flags and word == "project":
        return ["--by project --projects NAME"]
    if "--country" in flags and _COUNTRY.fullmatch(word):
        return [f"--country {word}"]
    named = {flag: _match_words(action, word) for flag, action in flags.items()}
    # A word that names a machine hardly means an order of the list as well.
    if any(names for flag, names in named.items() if flag != "--sort"):
        named.pop("--sort", None)
    return [f"{flag} {name}" for flag, names in named.items() for name in names]


def _match_words(action: Action, word: str) -> list[str]:
    return [sanitize(name) for name in match_part(word, _list_words(action))]


def _list_words(action: Action) -> list[str]:
    """List the known values of a flag."""
    if action.choices is not None:
        return list(map(str, action.choices))
    if action.dest == "status":
        return list(PodStatus.__members__)
    if action.dest in ("by", "sort"):
        from primepods_magic.frames.tables.history import HISTORY
        from primepods_magic.frames.tables.pods import PODS

        return [column.name for column in (HISTORY if action.dest == "by" else PODS)]
    field = SPEC_FIELDS.get(action.dest)
    return list(field.words) if field is not None and field.flag in action.option_strings else []


def _fits_action(action: Action, word: str) -> bool:
    try:
        return callable(action.type) and action.type(word) is not None
    except ArgumentTypeError:
        return False
