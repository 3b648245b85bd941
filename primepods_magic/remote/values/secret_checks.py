"""Values that are sent and may be secrets, by their name and by the form of their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from primepods_magic.api.secrets.names import sounds_secret
from primepods_magic.remote.agent.values.codec import EncodedValue

__all__ = ["find_key", "find_secrets"]

# As services write their keys: how they begin, and what follows. Text that only looks random is also a hash
# or an id.
_FORMS = {
    "hf_": "[A-Za-z0-9]{30}",
    **{f"gh{letter}_": "[A-Za-z0-9]{30}" for letter in "pousr"},
    "github_pat_": r"\w{30}",
    "sk-": r"[\w-]{20}",
    **{f"xox{letter}-": r"[\w-]{10}" for letter in "abposr"},
    "AKIA": "[0-9A-Z]{16}",
    "AIza": r"[\w-]{35}",
    "glpat-": r"[\w-]{20}",
    "pit_": "[A-Za-z0-9]{20}",
    "sk_live_": "[A-Za-z0-9]{10}",
    "npm_": "[A-Za-z0-9]{36}",
    "pypi-AgEI": r"[\w-]{20}",
    "ya29.": r"[\w-]{20}",
    "SG.": r"[\w-]{16,32}\.[\w-]{16}",
    "nvapi-": r"[\w-]{20}",
    "dapi": "[0-9a-f]{32}",
    "hooks.slack.com/services/": "T[A-Z0-9]{6}",
    "eyJ": r"[\w-]{10,1000}\.eyJ[\w-]{10}",
    "-----BEGIN ": "[A-Z ]{0,40}PRIVATE KEY-----",
}
_KEYS = re.compile("|".join(f"{re.escape(begin)}{rest}" for begin, rest in _FORMS.items()), re.ASCII)
_ESCAPE = re.compile(r"\\(?:[nrtbf]|u[0-9a-f]{4})\Z")
# Columns of data are often called key, token or session.
_SECRET_COLUMN = re.compile(
    "passw|secret|credential|(?:api|access|private|auth).?(?:key|token)", re.IGNORECASE
)
# Names with a value, as in source and JSON, where the quotes are escaped, and passwords in addresses.
_ASSIGNED = re.compile(
    r"(?P<name>passw[a-z]{0,10}|secret|credentials?|(?:api|access|private|auth)[_-]?(?:key|token))"
    r"""\w{0,20}\\{0,3}["']?\s{0,9}[:=]\s{0,9}[bru]{0,2}\\{0,3}["'][^\s"'\\{<][^\s"'\\]{2,}""",
    re.IGNORECASE | re.ASCII,
)
_VARIABLE = re.compile(
    r"(?P<name>(?:PASSWORD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|CREDENTIALS?)[A-Z0-9_]{0,20})="
    r"(?![\w.]{0,80}[(\[])[^\s\"'\\$<{][^\s\"'\\]{2,}",
    re.ASCII,
)
# In data; in source, such a value is usually the name of a variable.
_PLAIN = re.compile(
    # The text may be JSON, where the end of a line is a backslash and a letter.
    r"(?:(?<![\w.])|(?<=\\[nrt]))(?P<name>passw[a-z]{0,10}|secret|(?:api|access|auth)[_-]?(?:key|token))="
    r"(?!(?:None|True|False|null|true|false)\b)[^\s\"'\\$<{}()\[\],;&]{3,200}(?=[\s\"'\\;&]|\Z)",
    re.ASCII,
)
_ADDRESS = re.compile(r"(?P<name>://)[^\s/:@\"'\\]{1,64}:[^\s/:@\"'\\{<]{3,200}@", re.ASCII)
_WORDS = ("passw", "secret", "credential", "key", "token")
_MAX_FOUND = 10
_MAX_CHARS = 100_000_000


def find_secrets(
    values: Sequence[EncodedValue], code: Sequence[tuple[str, str]] = (), *, max_chars: int = _MAX_CHARS
) -> tuple[list[str], list[str]]:
    """Return what may be a secret, at most ten, and the names of what is too long to be searched.

    Parameters
    ----------
    values : sequence of EncodedValue
    code : sequence of tuple of str
        Names, and source of functions and classes.
    max_chars : int
        How much is searched in all.

    >>> from primepods_magic.remote.agent.values.codec import encode_value
    >>> config = encode_value({"lr": 0.1, "api_key": "abc"}, "config")
    >>> find_secrets([config, encode_value([1, 2], "tokens")])
    (["config['api_key']"], [])
    """
    found: list[str] = []
    unsearched: list[str] = []
    for value in values:
        found += [place for key, place in value.keys.items() if sounds_secret(key)]
        found += [place for name, place in value.columns.items() if _SECRET_COLUMN.search(name)]
    searched: list[tuple[str, Iterable[str], bool]] = [
        (each.name, _list_texts(each), True) for each in values
    ]
    for name, texts, is_data in [*searched, *((name, [text], False) for name, text in code)]:
        for text in texts:
            begin = find_key(text[: max(max_chars, 0)], is_data=is_data)
            if begin:
                found.append(f"{name} ('{begin.strip()}…')")
                break
            if len(text) > max_chars:
                unsearched.append(name)
                break
            max_chars -= len(text)
    return found[:_MAX_FOUND], unsearched


def _list_texts(value: EncodedValue) -> Iterator[str]:
    """Yield everything of a value that is text, as few pieces."""
    yield json.dumps(value.node, ensure_ascii=False)
    for texts in value.texts:
        text = "\n".join(_decode_texts(texts.tolist() if hasattr(texts, "tolist") else texts))
        yield text
        if "\0" in text:
            # As of UTF-16.
            yield text.replace("\0", "")


def _decode_texts(texts: Iterable[str | bytes | None]) -> Iterator[str]:
    for text in texts:
        if text:
            yield text if isinstance(text, str) else text.decode("latin-1")


def find_key(text: str, *, is_data: bool = False) -> str | None:
    """Return the beginning of the first key in a text; more forms count in data than in source."""
    position = 0
    while match := _KEYS.search(text, position):
        before = text[max(match.start() - 6, 0) : match.start()]
        # The text may be JSON, where the end of a line is a backslash and a letter.
        if not (before[-1:].isascii() and before[-1:].isalnum()) or _ESCAPE.search(before):
            return next(begin for begin in _FORMS if match[0].startswith(begin))
        position = match.start() + 1
    # Most text has none of these, and looking for the patterns takes longer.
    lower = text.lower()
    patterns = [_ASSIGNED, _VARIABLE] if any(word in lower for word in _WORDS) else []
    patterns += [_PLAIN] if patterns and is_data else []
    patterns += [_ADDRESS] if "://" in text else []
    named = (pattern.search(text) for pattern in patterns)
    return next((match["name"] for match in named if match), None)
