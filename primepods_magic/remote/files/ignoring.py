"""Files that are not sent: those that ``.gitignore`` and ``.podignore`` name, and those of tools."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize

__all__ = ["IgnoreRules", "list_parents"]

_FILES = (".gitignore", ".podignore")
_ALWAYS = (".git", ".ipynb_checkpoints", "__pycache__")
_TOKEN = re.compile(
    r"""
    (?P<folders> (?:(?<=/)|^) \*\*+/ )
    | (?P<below> (?<=/) \*\*+ $ )
    | (?P<stars> \*+ )
    | (?P<any> \? )
    | \[ (?P<negated> [!^]? ) (?P<set> \]? (?: \\. | \[:[a-z]+:\] | [^]\\] )* ) \]
    | (?P<error> \[ | \\ $ )
    | \\? (?P<char> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_SET = re.compile(r"\[:(?P<name>[a-z]+):\]|\\?(?P<low>.)(?:-\\?(?P<high>.))?", re.DOTALL)
_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "digit": "0-9", "lower": "a-z", "upper": "A-Z",
    "space": r"\s", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9a-fA-F",
}  # fmt: skip


class _NeverMatches(Exception):
    """A pattern has no meaning: it matches nothing."""


class Rule(NamedTuple):
    """A line of a file of rules: which paths below its folder it is about, and whether it ignores them."""

    path: re.Pattern[str]
    ignores: bool
    is_for_folders: bool


def parse_rule(line: str) -> Rule | None:
    """Return the rule of a line, as git reads it; None for a comment, and for what matches nothing.

    >>> rule = parse_rule("!/data/**/*.cs[vx]")
    >>> rule.ignores, [bool(rule.path.fullmatch(path)) for path in ("data/a.csv", "data/b/c/a.csx", "a.csv")]
    (False, [True, True, False])
    """
    text = re.sub(r"(?<!\\) +$", "", line.removesuffix("\r"))
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    is_for_folders = text.endswith("/")
    text = text[:-1] if is_for_folders else text
    if not text or line.startswith("#"):
        return None
    # A pattern with a slash is for paths from here on, another one for names at any depth.
    prefix = "" if "/" in text else "(?:.*/)?"
    try:
        translated = _TOKEN.sub(_translate_token, text.removeprefix("/"))
    except _NeverMatches:
        return None
    pattern = re.compile(prefix + translated, re.DOTALL | re.ASCII)
    return Rule(pattern, ignores, is_for_folders)


def _translate_token(token: re.Match[str]) -> str:
    kind = token.lastgroup
    if kind == "folders":
        return "(?:.*/)?"
    if kind == "below":
        return ".+"
    if kind == "stars":
        return "[^/]*"
    if kind == "any":
        return "[^/]"
    if kind == "set":
        return f"(?!/)[{'^' if token['negated'] else ''}{_IN_SET.sub(_translate_range, token['set'])}]"
    if kind == "error":
        raise _NeverMatches
    return re.escape(token["char"])


def _translate_range(part: re.Match[str]) -> str:
    name, low, high = part["name"], part["low"], part["high"]
    if name:
        if name not in _CLASSES:
            raise _NeverMatches
        return _CLASSES[name]
    return f"{re.escape(low)}-{re.escape(high)}" if high and low <= high else re.escape(low)


def list_parents(path: str) -> list[str]:
    """Return the folders that a path is in, from the outermost.

    >>> list_parents("a/b/c")
    ['a', 'a/b']
    """
    return [path[:end] for end, char in enumerate(path) if char == "/"]


class IgnoreRules:
    """The rules of a folder, read as it is walked through.

    Those of a folder below override those above it, and ``.podignore`` overrides ``.gitignore``. What is in a
    folder that is ignored cannot be included again, as with git.

    Parameters
    ----------
    folder : str
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._rules: dict[str, list[Rule]] = {}

    def enter(self, path: str, names: Iterable[str]) -> Callable[[str, bool], bool]:
        """Read the rules of a folder; return what tells whether something in it is ignored."""
        present = set(names)
        lines: list[str] = []
        for name in _FILES:
            if name in present:
                lines += self._read_lines(os.path.join(self._folder, path, name))
        # The last one that matches decides.
        rules = [rule for rule in map(parse_rule, reversed(lines)) if rule]
        if rules:
            self._rules[path] = rules
        return self._check_name if not self._rules else self.is_ignored

    def is_ignored(self, path: str, is_folder: bool) -> bool:
        """Return whether a path is ignored, if the folders above it are not."""
        if self._check_name(path, is_folder):
            return True
        above = path
        while above:
            above = above.rpartition("/")[0]
            # As git does, compare bytes.
            below = os.fsencode(path[len(above) + 1 if above else 0 :]).decode("latin-1")
            for rule in self._rules.get(above, ()):
                if (is_folder or not rule.is_for_folders) and rule.path.fullmatch(below):
                    return rule.ignores
        return False

    def is_protected(self, path: str, is_folder: bool) -> bool:
        """Return whether a path, or a folder above it, is ignored."""
        return any(self.is_ignored(each, True) for each in list_parents(path)) or self.is_ignored(
            path, is_folder
        )

    def _check_name(self, path: str, is_folder: bool) -> bool:
        return path.rpartition("/")[2] in _ALWAYS

    def _read_lines(self, path: str) -> list[str]:
        try:
            with open(path, "rb") as file:
                return file.read().removeprefix(codecs.BOM_UTF8).decode("latin-1").split("\n")
        except OSError as error:
            # Sending what should be ignored could send secrets.
            raise InvalidRequest(
                f"Cannot read {sanitize(path)!r} ({error.strerror}). Nothing was sent"
            ) from None
