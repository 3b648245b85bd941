"""A parser for the words of a magic's line: flags, help and suggestions."""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from primepods_magic.api.validation.bounds import MAX_SECONDS, plain_number
from primepods_magic.pods.spec.fields import SpecField

from .expansion import Several, Word

__all__ = [
    "ArgumentParser",
    "HelpWanted",
    "add_field",
    "add_notify",
    "add_out",
    "add_pod",
    "add_pods",
    "add_range",
    "add_save",
    "add_slice",
    "add_timeout",
    "add_whose",
    "add_yes",
    "natural",
    "positive",
    "price",
    "seconds",
]


_MAX_DIGITS = 12


class HelpWanted(Exception):
    """``-h`` was given: show this help text, and do nothing."""


class _UnexpectedWord(argparse.ArgumentError):
    """An argument that is not one of the choices; the parser shows its message as it is."""

    def __init__(self, message: str) -> None:
        super().__init__(None, message)


class ArgumentParser(argparse.ArgumentParser):
    """A parser for magics that raises instead of exiting, allows no abbreviations, and suggests."""

    def __init__(self, prog: str, description: str | None = None, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog=prog, description=description, allow_abbrev=False, add_help=False, **options)
        self.may_name_none = False
        """Whether an empty list is allowed; ``names_none`` of the result says that one was given."""
        self._token = os.urandom(8).hex()
        self._filled: dict[str, Word] = {}
        self.add_argument("-h", "--help", action="store_true", help="show this help")

    def parse(self, words: Sequence[Word | Several]) -> argparse.Namespace:
        """Parse words; a filled-in value is never a flag.

        Raises `HelpWanted` for ``-h``, and InvalidRequest, without secrets, if the words are not valid.
        """
        if any(isinstance(word, Word) and word == Word(flag) for word in words for flag in ("-h", "--help")):
            raise HelpWanted(self.format_help())
        self._refuse_lists_after_flags(words)
        given = [self._mark_word(word) for word in _each_word(words)]
        args, unknown = self.parse_known_args(given)
        if unknown:
            from .unexpected import describe_unexpected

            self.error(describe_unexpected(self.prog, self._actions, unknown, given))
        self._refuse_repeated(words)
        empty = next((word.shown for word in words if isinstance(word, Several) and not word.words), None)
        args.names_none = empty is not None
        positionals = [action for action in self._actions if not action.option_strings]
        if (
            empty
            and not self.may_name_none
            and not any(
                getattr(args, action.dest) not in (None, [], action.default) for action in positionals
            )
        ):
            noun = (positionals[0].metavar if positionals else None) or "value"
            self.error(f"'{empty}' is empty: name at least one {noun}")
        return args

    def _refuse_lists_after_flags(self, words: Sequence[Word | Several]) -> None:
        """Refuse a list as the value of a flag: its other words would become other arguments."""
        for before, word in itertools.pairwise(words):
            if isinstance(word, Several) and isinstance(before, Word) and not before.is_filled:
                flag = next((a for a in self._actions if before.typed in a.option_strings), None)
                if flag is not None and flag.nargs != 0 and len(word.words) != 1:
                    self.error(f"{before.typed} takes one value, but '{word.shown}' has {len(word.words)}")

    def _refuse_repeated(self, words: Sequence[Word | Several]) -> None:
        """Refuse a flag that is given twice, of whose values only the last would count."""
        seen: dict[int, str] = {}
        for word in _each_word(words):
            flag = word.typed.partition("=")[0]
            action = self._option_string_actions.get(flag)
            if action is None or action.nargs == 0 or isinstance(action, argparse._AppendAction):
                continue
            if id(action) in seen:
                twice = flag if flag == seen[id(action)] else f"{seen[id(action)]} and {flag}"
                self.error(
                    f"{twice} {'is given twice' if twice == flag else 'are the same flag'}. Nothing was done"
                )
            seen[id(action)] = flag

    def _mark_word(self, word: Word) -> str:
        """Return a word for argparse, with a mark that is not a flag instead of the filled-in value."""
        if not word.is_filled:
            return word.typed
        mark = f"⟦{self._token}-{len(self._filled)}⟧"
        self._filled[mark] = word
        return word.typed + mark

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Convert a value in place of its mark; no error repeats a secret."""
        mark, word = next((held for held in self._filled.items() if arg_string.endswith(held[0])), ("", None))
        text = arg_string if word is None else arg_string.removesuffix(mark) + word.filled
        if not text:
            raise argparse.ArgumentError(action, "the value is empty. Nothing was done")
        if word is None or not word.is_secret:
            return super()._get_value(action, text)
        try:
            value = super()._get_value(action, text)
            self._check_value(action, value)
        except argparse.ArgumentError:
            value = None
        if value is None:
            raise argparse.ArgumentError(action, f"'{word.shown}' is not a valid value")
        return value

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.option_strings or action.choices is None or value in action.choices:
            super()._check_value(action, value)
            return
        from .unexpected import describe_unexpected

        raise _UnexpectedWord(describe_unexpected(self.prog, self._actions, [value]))

    def error(self, message: str) -> NoReturn:
        """Raise InvalidRequest with one line."""
        if message == "the following arguments are required: POD":
            _refuse_line(f"Which pod? For example: '{self.prog} train'")
        if message == "the following arguments are required: JOB":
            _refuse_line("Which job? '%pods jobs' lists their ids")
        for mark, word in self._filled.items():
            message = message.replace(mark, word.shown)
        # A sentence needs no beginning.
        prefix = "" if message[:1].isupper() else f"{self.prog}: "
        end = "" if message.endswith("?") else "."
        # IPython refuses a cell magic without a body, so name the line magic.
        _refuse_line(f"{prefix}{message}{end} Run '{self.prog.replace('%%', '%')} -h' for help")


def _each_word(words: Iterable[Word | Several]) -> Iterator[Word]:
    for word in words:
        yield from word.words if isinstance(word, Several) else [word]


def _refuse_line(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)


def add_out(parser: ArgumentParser) -> None:
    """Add ``-o NAME``; its long form may be another option of the command."""
    flags = ["-o"] if "--out" in parser._option_string_actions else ["-o", "--out"]
    parser.add_argument(*flags, dest="out", metavar="NAME", help="store the result as NAME and show nothing")


def add_yes(parser: ArgumentParser) -> None:
    """Add ``-y``."""
    parser.add_argument("-y", "--yes", action="store_true", help="confirm in advance, without a question")


def seconds(text: str) -> float:
    """Parse a length of time in seconds, or with ``s``, ``m`` or ``h``.

    >>> seconds("10m")
    600.0
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:].lower())
    value = (plain_number(text[:-1] if unit else text) or 0.0) * (unit or 1)
    if not 0 < value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a length of time, such as 90s, 10m or 2h (at most 30 days)"
        )
    return value


def positive(text: str) -> int:
    """Parse a whole number above 0."""
    if not natural(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def price(text: str) -> float:
    """Parse an amount of money above 0."""
    value = plain_number(text) or 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a price, such as 2.50")
    return value


def natural(text: str) -> int:
    """Parse a whole number from 0."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise argparse.ArgumentTypeError(
            f"{text[:_MAX_DIGITS]!r} is not a whole number of at most {_MAX_DIGITS} digits"
        )
    return int(text)


def add_field(parser: argparse._ActionsContainer, field: SpecField, *other_flags: str) -> None:
    """Add the flag of a field of a spec, and other names of it."""
    options: dict[str, Any] = {"metavar": field.metavar}
    if field.kind == "switch":
        options = {"action": "store_true", "default": None}
    elif field.kind in ("list", "mapping"):
        options |= {"action": "append", "type": _parse_pair if field.kind == "mapping" else None}
    elif field.takes_several:
        options |= {"action": "append"}
    parser.add_argument(field.flag, *other_flags, help=field.help, **options)


def _parse_pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        # The text may hold a secret.
        raise argparse.ArgumentTypeError("a variable must be KEY=VALUE")
    return key, value


def add_pod(parser: ArgumentParser) -> None:
    """Add ``POD``, one pod."""
    parser.add_argument("pod", metavar="POD", help="name, id, or beginning of an id")


def add_pods(parser: ArgumentParser, number: str) -> None:
    """Add ``POD …``: any number of pods for ``*``, at least one for ``+``."""
    parser.add_argument("pods", metavar="POD", nargs=number, help="name or id")


def add_slice(parser: ArgumentParser) -> None:
    """Add ``--limit N --offset N`` for part of a listing."""
    parser.add_argument("--limit", type=positive, metavar="N", help="maximum number of rows")
    parser.add_argument("--offset", type=natural, default=0, metavar="N", help="skip the first N rows")


def add_range(parser: ArgumentParser) -> None:
    """Add ``--since T --until T`` for a range of time."""
    for flag, words in (
        ("--since", "only what existed at or after T"),
        ("--until", "only what started before T"),
    ):
        parser.add_argument(flag, metavar="T", help=f"{words}: 2026-09-01, 2026-09, 7d, today, month …")


def add_save(parser: ArgumentParser, content: str) -> None:
    """Add ``--save FILE``, whose help names the content."""
    parser.add_argument("--save", metavar="FILE", help=f"save {content}")


def add_whose(parser: ArgumentParser) -> None:
    """Add ``--mine``, ``--team T`` or ``--all``."""
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--mine", action="store_true", help="pods that you launched (default)")
    whose.add_argument("--team", metavar="T", help="pods billed to this team (name or id)")
    whose.add_argument("--all", action="store_true", help="all pods that your key can see")


def add_notify(parser: ArgumentParser) -> None:
    """Add ``--notify``."""
    parser.add_argument(
        "--notify",
        action="store_true",
        help="notify when a pod is ready, failed or gone: in the browser, or by a terminal's bell",
    )


def add_timeout(parser: ArgumentParser) -> None:
    """Add ``--timeout T``."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=1200.0,
        metavar="T",
        help="maximum wait: 90s, 10m, 2h (default 20m)",
    )
