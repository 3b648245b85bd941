"""Files that are not sent: those that ``.gitignore`` and ``.podignore`` name, and those of tools."""

from __future__ import annotations

import codecs
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.local.folders import find_home
from primepods_magic.api.text.sanitize import sanitize

__all__ = ["NEVER_SENT", "IgnoreRules", "list_parents"]

_FILES = (".gitignore", ".podignore")
NEVER_SENT = (".git", ".ipynb_checkpoints", "__pycache__")
_MAX_BYTES = 1 << 20
_TIMEOUT_S = 5
_ANY_NAME = "\0" * 9
_TOKEN = re.compile(
    r"""
    (?P<folders> (?:(?<=/)|^) \*\*+/ )
    | (?P<below> (?:(?<=/)|^) \*\*+ $ )
    | (?P<stars> \*+ )
    | (?P<any> \? )
    | \[ (?P<negated> [!^]? ) (?P<set> \]? (?: \\. | \[:[a-z]+:\] | [^]\\] )* ) \]
    | (?P<error> \[ | \\ $ )
    | \\? (?P<char> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPECIAL = re.compile(r"[*?\[\\]")
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
    text = text.removeprefix("/")
    # Git compares the beginning of a path by itself: '**' just after it means as much as after a slash.
    plain = "" if prefix else _SPECIAL.split(text, maxsplit=1)[0]
    try:
        translated = _TOKEN.sub(_translate_token, text[len(plain) :])
    except _NeverMatches:
        return None
    pattern = re.compile(prefix + re.escape(plain) + translated, re.DOTALL | re.ASCII)
    return Rule(pattern, ignores, is_for_folders)


def _translate_token(token: re.Match[str]) -> str:
    kind = token.lastgroup
    if kind == "folders":
        return "(?:.*/)?"
    if kind == "below":
        return ".*"
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


def _parse_rules(paths: Iterable[str]) -> list[Rule]:
    """Return the rules of files, the last one first: the first one that matches decides."""
    lines = [line for path in paths for line in _read_lines(path)]
    return [rule for rule in map(parse_rule, reversed(lines)) if rule]


def _read_lines(path: str) -> list[str]:
    try:
        # A pipe would be waited for without end.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            data = file.read(_MAX_BYTES + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError as error:
        # Sending what should be ignored could send secrets.
        raise InvalidRequest(f"Cannot read {sanitize(path)!r} ({error.strerror}). Nothing was sent") from None
    if data is None or len(data) > _MAX_BYTES:
        why = "is not a file" if data is None else "has more than 1 MB"
        raise InvalidRequest(f"{sanitize(path)!r} {why}, so its rules are not known. Nothing was sent")
    return data.removeprefix(codecs.BOM_UTF8).decode("latin-1").split("\n")


def _decide(rules: Sequence[Rule], path: str, is_folder: bool) -> bool | None:
    """Return whether rules ignore a path, given in Latin-1; None if they do not say."""
    for rule in rules:
        if (is_folder or not rule.is_for_folders) and rule.path.fullmatch(path):
            return rule.ignores
    return None


def list_parents(path: str) -> list[str]:
    """Return the folders that a path is in, from the outermost.

    >>> list_parents("a/b/c")
    ['a', 'a/b']
    """
    return [path[:end] for end, char in enumerate(path) if char == "/"]


class IgnoreRules:
    """The rules of a folder, read as it is walked through.

    Those of a folder below override those above it, up to the root of its git repository, whose
    ``.git/info/exclude`` and the person's own ``core.excludesFile`` count last; ``.podignore`` overrides
    ``.gitignore``. What is in a folder that is ignored cannot be included again, as with git. The folder
    itself was named, so it is not ignored.

    Parameters
    ----------
    folder : str
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._rules: dict[str, list[Rule]] = {}
        self._above = _read_above(os.path.realpath(folder))

    def enter(self, path: str, names: Iterable[str]) -> Callable[[str, bool], bool]:
        """Read the rules of a folder; return what tells whether something in it is ignored."""
        present = set(names)
        rules = _parse_rules(os.path.join(self._folder, path, name) for name in _FILES if name in present)
        if rules:
            self._rules[path] = rules
        return self.is_ignored if self._rules or self._above else self._check_name

    def is_ignored(self, path: str, is_folder: bool) -> bool:
        """Return whether a path is ignored, if the folders above it are not."""
        if self._check_name(path, is_folder):
            return True
        above = path
        while above:
            above = above.rpartition("/")[0]
            rules = self._rules.get(above)
            if rules:
                ignores = _decide(rules, _encode_path(path[len(above) + 1 if above else 0 :]), is_folder)
                if ignores is not None:
                    return ignores
        for prefix, rules in self._above:
            ignores = _decide(rules, prefix + _encode_path(path), is_folder)
            if ignores is not None:
                return ignores
        return False

    def is_protected(self, path: str, is_folder: bool) -> bool:
        """Return whether a path, or a folder above it, is ignored."""
        return any(self.is_ignored(each, True) for each in list_parents(path)) or self.is_ignored(
            path, is_folder
        )

    def _check_name(self, path: str, is_folder: bool) -> bool:
        return path.rpartition("/")[2] in NEVER_SENT


def _encode_path(path: str) -> str:
    """Return the bytes of a path, which git compares, as characters."""
    return os.fsencode(path).decode("latin-1")


def _read_above(folder: str) -> list[tuple[str, list[Rule]]]:
    """Return the rules of the git repository around a folder, from the nearest, with its path for each."""
    levels = [folder]
    while not os.path.lexists(os.path.join(levels[-1], ".git")):
        above = os.path.dirname(levels[-1])
        if above == levels[-1]:
            return []
        levels.append(above)
    found: list[tuple[str, list[Rule]]] = []
    for level in levels:
        paths = [os.path.join(level, name) for name in _FILES] if level != folder else []
        if level == levels[-1]:
            # These count less than the .gitignore beside them.
            exclude = os.path.join(_find_git_folder(level), "info", "exclude")
            paths[:0] = [*_find_own_rules(level), exclude]
        rules = _parse_rules(path for path in paths if os.path.lexists(path))
        prefix = _encode_path(os.path.relpath(folder, level)) + "/" if level != folder else ""
        if prefix:
            rules = _drop_rules(rules, prefix)
        if rules:
            found.append((prefix, rules))
    return found


def _drop_rules(rules: Sequence[Rule], prefix: str) -> list[Rule]:
    """Return the rules without those that ignore a folder that was named, or everything in it."""
    is_ignored = any(_decide(rules, each, True) for each in list_parents(prefix))

    def is_about_all(rule: Rule) -> bool:
        # Such as 'data/*'; what '*' says of a folder that is not ignored is about the files in it.
        of_names = rule.path.fullmatch(_ANY_NAME) is not None
        return rule.path.fullmatch(prefix + _ANY_NAME) is not None and (is_ignored or not of_names)

    return [rule for rule in rules if not (rule.ignores and is_about_all(rule))]


def _find_own_rules(root: str) -> list[str]:
    """Return the file of rules for all repositories of this person, if there is one."""
    command = ["git", "-C", root, "config", "--path", "--get", "core.excludesFile"]
    try:
        # Settings may include other files, under conditions: only git reads them all.
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
        path = os.fsdecode(done.stdout.removesuffix(b"\n")) if not done.returncode else None
    except (OSError, subprocess.TimeoutExpired):
        path = None
    if path is None:
        folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(find_home() or "", ".config")
        path = os.path.join(folder, "git", "ignore")
    path = os.path.join(root, path)
    return [path] if os.path.isfile(path) else []


def _find_git_folder(root: str) -> str:
    """Return the ``.git`` of a repository; in a worktree and a submodule, files name it."""
    path = os.path.join(root, ".git")
    if os.path.isfile(path):
        path = os.path.join(root, _read_lines(path)[0].removeprefix("gitdir:").strip())
    common = os.path.join(path, "commondir")
    return os.path.join(path, _read_lines(common)[0].strip()) if os.path.isfile(common) else path
