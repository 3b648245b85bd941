"""Reading the words of a magic's line: flags, help and suggestions."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

__all__ = [
    "ArgumentParser",
    "HelpWanted",
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
    "suggestion",
]


_MOST_DIGITS = 12


class HelpWanted(Exception):
    """``-h`` was given: show this text, and do nothing."""


class ArgumentParser(argparse.ArgumentParser):
    """An argparse parser for magics: it raises instead of leaving, knows no abbreviations, and suggests.

    Parameters
    ----------
    prog : str
        The magic and its command, such as ``%pods ls``.
    description : str
        What it does.
    """

    def __init__(self, prog: str, description: str | None = None, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog=prog, description=description, allow_abbrev=False, add_help=False, **options)
        self.add_argument("-h", "--help", action="store_true", help="show this help")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Read words.

        Raises
        ------
        HelpWanted
            ``-h`` is among them.
        InvalidRequest
            They do not fit.
        """
        if "-h" in words or "--help" in words:
            raise HelpWanted(self.format_help())
        args, unknown = self.parse_known_args(list(words))
        if unknown:
            known = [flag for action in self._actions for flag in action.option_strings]
            self.error(f"there is no {unknown[0]}{suggestion(unknown[0].partition('=')[0], known)}")
        return args

    def error(self, message: str) -> NoReturn:
        """Refuse with one line."""
        # A cell magic without a body is refused before it is asked.
        _refuse(f"{self.prog}: {message}; '{self.prog.replace('%%', '%')} -h' tells more")


def _refuse(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` (did you mean …?)`` where a known word is near, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def add_out(parser: ArgumentParser) -> None:
    """``-o NAME``: keep the answer in a variable, and show nothing."""
    parser.add_argument("-o", "--out", metavar="NAME", help="store the answer as NAME and show nothing")


def add_yes(parser: ArgumentParser) -> None:
    """``-y``: agree without being asked."""
    parser.add_argument("-y", "--yes", action="store_true", help="agree without being asked")


def seconds(text: str) -> float:
    """Read a length of time: seconds, or with ``s``, ``m`` or ``h``.

    >>> seconds("10m")
    600.0
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:].lower())
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = -1
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time, such as 90s, 10m or 2h")
    return value


def positive(text: str) -> int:
    """Read a whole number above nothing."""
    if not natural(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def price(text: str) -> float:
    """Read an amount of money above nothing."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a price, such as 2.50")
    return value


def natural(text: str) -> int:
    """Read a whole number."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise argparse.ArgumentTypeError(f"{text[:_MOST_DIGITS]!r} is not a whole number above 0 that fits")
    return int(text)


def add_pod(parser: ArgumentParser) -> None:
    """``POD``: one pod."""
    parser.add_argument("pod", metavar="POD", help="a name, an id, or the beginning of an id")


def add_pods(parser: ArgumentParser, number: str) -> None:
    """``POD …``: several pods, ``*`` or at least one, ``+``."""
    parser.add_argument("pods", metavar="POD", nargs=number, help="a name or an id")


def add_slice(parser: ArgumentParser) -> None:
    """``--limit N --offset N``: part of a listing."""
    parser.add_argument("--limit", type=positive, metavar="N", help="at most N rows")
    parser.add_argument("--offset", type=natural, default=0, metavar="N", help="skip the first N rows")


def add_range(parser: ArgumentParser) -> None:
    """``--since T --until T``: what lived between two times."""
    for flag, words in (("--since", "what lived at or after T"), ("--until", "what began before T")):
        parser.add_argument(flag, metavar="T", help=f"{words}: 2026-09-01, 2026-09, 7d, today, month …")


def add_save(parser: ArgumentParser, what: str) -> None:
    """``--save FILE``: keep the answer in a file."""
    parser.add_argument("--save", metavar="FILE", help=f"write {what}")


def add_whose(parser: ArgumentParser) -> None:
    """``--mine``, ``--team T`` or ``--all``."""
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--mine", action="store_true", help="pods that you launched (default)")
    whose.add_argument("--team", metavar="T", help="pods billed to this team, by its name or id")
    whose.add_argument("--all", action="store_true", help="all pods that your key can see")


def add_timeout(parser: ArgumentParser) -> None:
    """``--timeout T``: the longest wait."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=1200.0,
        metavar="T",
        help="longest wait: 90s, 10m, 2h (default 20m)",
    )
