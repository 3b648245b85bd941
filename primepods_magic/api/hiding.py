"""Hide secrets in text that a service wrote, in whatever form it repeats them.

A service may repeat a secret quoted, escaped, or escaped again. Instead of listing such forms, the text is
unescaped layer by layer, every layer is compared with the secret, and what matched is replaced where it
stands in the original.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["hide_secrets"]

# Markup in JSON in a string in JSON has four.
_MOST_LAYERS = 8
# Of a secret this long the beginning is looked for, and everything after it is hidden.
_LONGEST_NEEDLE = 400
_LEAST_LENGTH = 3
_LEAST_BASE64_LENGTH = 4
_BASE64_SPILL = 3

_ESCAPE = re.compile(
    r"""
    (?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})
    | \\u(?P<u>[0-9a-fA-F]{4}) | \\u\{(?P<braced>[0-9a-fA-F]{1,6})\} | \\U(?P<U>[0-9a-fA-F]{8})
    | (?P<bytes>(?:\\x|%)(?:[c-dC-D][0-9a-fA-F](?:\\x|%)[89abAB][0-9a-fA-F]
        | [eE][0-9a-fA-F](?:(?:\\x|%)[89abAB][0-9a-fA-F]){2}
        | [fF][0-7](?:(?:\\x|%)[89abAB][0-9a-fA-F]){3}))
    | (?:\\x|%)(?P<byte>[0-9a-fA-F]{2})
    | \\(?P<octal>[0-3][0-7]{2})
    | \\(?P<simple>[\\abefnrtv])
    | (?P<entity>&(?:\#[0-9]{1,9}|\#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});?)
    """,
    re.VERBOSE,
)
_SIMPLE = {
    "\\": "\\",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_BASE64 = frozenset("abcdefghijklmnopqrstuvwxyz0123456789/-_")
# Spacing changes on the way, `+` may be a space, and quotes are doubled and escaped.
_IGNORED = re.compile(
    r"[\s+\\\"'`\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffd]+"
)


def hide_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Put other words in the place of secrets, wherever a text repeats them in some form.

    Parameters
    ----------
    text : str
        The text.
    secrets : mapping of str to str
        The words to show, by secret.

    Returns
    -------
    str
        The text. Where secrets overlap, the words of the longest stand for all of them.

    Examples
    --------
    >>> hide_secrets("value &quot;hunt&#101;r2&quot;, or YTogaHVudGVyMg==", {"hunter2": "***"})
    'value &quot;***&quot;, or Y***=='
    """
    exact = [
        _Needle(form, words, len(secret), False, 0)
        for secret, words in secrets.items()
        for form in _unescaped_forms(secret)
    ]
    folded = list(_make_needles(secrets))
    spans: list[_Span] = []
    layer: _Layer | None = _make_layer(text)
    for _ in range(_MOST_LAYERS if secrets else 0):
        if layer is None:
            break
        spans += layer.find(exact, len(text))
        spans += layer.fold().find(folded, len(text))
        layer = layer.unescape()
    return _replace_spans(text, spans)


@dataclass(frozen=True)
class _Span:
    """A part of the original text that repeats a secret."""

    start: int
    end: int
    words: str
    # Of the secret: where spans meet, the longest names them.
    weight: int


@dataclass(frozen=True)
class _Needle:
    """A form of a secret to look for in folded text."""

    text: str
    words: str
    weight: int
    is_beginning: bool
    # So many characters beside it may hold a part of the secret, as in base64.
    spill: int


class _Layer:
    """A text, and where each of its characters stands in the original."""

    def __init__(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        self._text, self._starts, self._ends = text, starts, ends

    def unescape(self) -> _Layer | None:
        """Return the text with one layer of escapes undone, or ``None`` if there is none."""
        return self._substitute(_ESCAPE, _read_escape)

    def fold(self) -> _Layer:
        """Return the text without what differs between two ways to write the same."""
        folded = self._substitute(_IGNORED, lambda _: "") or self
        text = folded._text
        lower = text.lower()
        if len(lower) != len(text):
            lower = "".join(low if len(low := char.lower()) == 1 else char for char in text)
        return _Layer(lower, folded._starts, folded._ends)

    def find(self, needles: Iterable[_Needle], text_end: int) -> Iterator[_Span]:
        """Find every occurrence of every needle, also where they overlap."""
        for needle in needles:
            first = self._text.find(needle.text)
            while first >= 0:
                last = first + len(needle.text) - 1
                start, end = self._spread(first, last, needle.spill)
                yield _Span(start, text_end if needle.is_beginning else end, needle.words, needle.weight)
                first = self._text.find(needle.text, first + 1)

    def _spread(self, first: int, last: int, spill: int) -> tuple[int, int]:
        """Return where characters stand in the original, with some of base64 right beside them."""
        for _ in range(spill):
            if first and self._ends[first - 1] == self._starts[first] and self._text[first - 1] in _BASE64:
                first -= 1
            following = last + 1
            if following < len(self._text) and self._ends[last] == self._starts[following]:
                last += self._text[following] in _BASE64
        return self._starts[first], self._ends[last]

    def _substitute(self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], str]) -> _Layer | None:
        chars: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in pattern.finditer(self._text):
            first, after = match.span()
            new = read(match)
            chars += (self._text[done:first], new)
            starts += [*self._starts[done:first], *[self._starts[first]] * len(new)]
            ends += [*self._ends[done:first], *[self._ends[after - 1]] * len(new)]
            done = after
        if not done:
            return None
        chars.append(self._text[done:])
        starts += self._starts[done:]
        ends += self._ends[done:]
        return _Layer("".join(chars), starts, ends)

    def __str__(self) -> str:
        return self._text


def _make_layer(text: str) -> _Layer:
    return _Layer(text, range(len(text)), range(1, len(text) + 1))


def _make_needles(secrets: Mapping[str, str]) -> Iterator[_Needle]:
    """Return each form that is looked for, folded as the text will be."""
    for secret, words in secrets.items():
        start = secret[:_LONGEST_NEEDLE]
        forms = {(_fold_text(form), 0) for form in _unescaped_forms(start)}
        forms |= {(_fold_text(form), spill) for form, spill in _encoded_forms(start)}
        for form, spill in forms:
            if len(form) >= _LEAST_LENGTH:
                yield _Needle(form, words, len(secret), len(secret) > len(start), spill)


def _fold_text(text: str) -> str:
    return str(_make_layer(text).fold())


def _unescaped_forms(secret: str) -> Iterator[str]:
    """The secret, and what is left of it if what looks like an escape in it is taken for one."""
    layer: _Layer | None = _make_layer(secret) if secret else None
    for _ in range(_MOST_LAYERS):
        if layer is None or not str(layer):
            return
        yield str(layer)
        layer = layer.unescape()


def _encoded_forms(secret: str) -> Iterator[tuple[str, int]]:
    """The secret as hexadecimal digits, and the part of base64 that does not depend on what is beside it."""
    quoted = (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    for raw in {form.encode("utf-8", "surrogatepass") for form in quoted}:
        yield raw.hex(), 0
        # One byte less: base64 that is cut off is base64 as well.
        stem = raw[:-1] if len(raw) > _LEAST_BASE64_LENGTH + 1 else raw
        for before in range(3):
            bits = (before + len(stem)) * 8
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                core = encode(b"\0" * before + stem).decode()[-(-before * 8 // 6) : bits // 6]
                if len(core) >= _LEAST_BASE64_LENGTH:
                    yield core, _BASE64_SPILL


def _read_escape(match: re.Match[str]) -> str:
    token = match.group()
    kind = match.lastgroup
    if kind == "pair":
        return chr(0x10000 + (int(token[2:6], 16) - 0xD800) * 0x400 + int(token[8:12], 16) - 0xDC00)
    if kind == "bytes":
        return bytes.fromhex(re.sub(r"\\x|%", "", token)).decode("utf-8", "replace")
    if kind == "simple":
        return _SIMPLE[match[kind]]
    if kind == "entity":
        return html.unescape(token)
    number = int(match[str(kind)], 8 if kind == "octal" else 16)
    return chr(number) if number <= 0x10FFFF else "\ufffd"


def _replace_spans(text: str, spans: Iterable[_Span]) -> str:
    """Put the words of spans in their places; of some that overlap, those of the longest secret."""
    parts: list[str] = []
    done = 0
    merged: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            heavier = max(last, span, key=lambda each: each.weight)
            merged[-1] = _Span(last.start, max(last.end, span.end), heavier.words, heavier.weight)
        else:
            merged.append(span)
    for span in merged:
        parts += (text[done : span.start], span.words)
        done = span.end
    return "".join([*parts, text[done:]])
