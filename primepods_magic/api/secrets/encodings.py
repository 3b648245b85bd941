"""Undoing of escapes and encodings, with the original position of each character."""

from __future__ import annotations

import html
import math
import re
import string
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

__all__ = ["Layer", "fold_text", "text_of_bytes", "unescaped_texts", "unfold_layers"]

# Markup in JSON in a JSON string has four.
_MAX_UNESCAPED = 8
# Base64 in base64 has two.
_MAX_DECODED = 2
# Characters in all layers; longer text may be crafted to waste time.
_MAX_WORK = 400_000
_MIN_DECODED_BYTES = 3

_ESCAPE = re.compile(
    r"""
    (?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})
    | (?:\\u|%u|U\+)(?P<u>[0-9a-fA-F]{4}) | \\u\{(?P<braced>[0-9a-fA-F]{1,6})\} | \\U(?P<U>[0-9a-fA-F]{8})
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
# Whitespace changes in transit, `+` may be a space, quotes are doubled or escaped, lists have commas.
_IGNORED = re.compile(
    r"[\s+,\\\"'`\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffd]+"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_PRIVATE_USE = {byte: 0xE000 + byte for byte in range(0x80, 0x100)}
_BYTE_NUMBER = re.compile(r"(?<![\w.])(?:0[xX]([0-9a-fA-F]{1,2})|([0-9]{1,3}))(?![\w.])[\s,;]*")
_QUOTED_PRINTABLE = re.compile(r"=(?:([0-9A-Fa-f]{2})|\s+)")


def _number_letters(*alphabets: str) -> Mapping[str, str]:
    width = math.ceil(math.log2(len(alphabets[0])))
    return {char: f"{value:0{width}b}" for letters in alphabets for value, char in enumerate(letters)}


_BASE64_LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits
# Bits per letter, the bits of each letter, and separators.
_CODINGS: Sequence[tuple[int, Mapping[str, str], re.Pattern[str]]] = (
    (4, _number_letters("0123456789abcdef", "0123456789ABCDEF"), re.compile(r"(?:0x|\\x|[^0-9a-fA-F])+")),
    (5, _number_letters(string.ascii_uppercase + "234567"), re.compile(r"[^A-Z2-7]+")),
    (6, _number_letters(_BASE64_LETTERS + "+/", _BASE64_LETTERS + "-_"), re.compile(r"[^\w+/-]+", re.ASCII)),
)


class Layer:
    """A text with the original position of each of its characters."""

    def __init__(
        self, text: str, starts: Sequence[int] | None = None, ends: Sequence[int] | None = None
    ) -> None:
        self.text = text
        self.starts = range(len(text)) if starts is None else starts
        self.ends = range(1, len(text) + 1) if ends is None else ends

    def unescape(self) -> Layer | None:
        """Return the text with one layer of escapes undone, or ``None`` if there is none."""
        return self._replace_matches(_ESCAPE, _read_escape)

    def decode(self) -> Iterator[Layer]:
        """Yield decodings: byte numbers, quoted-printable, hexadecimal, base32 and base64."""
        listed = self._replace_matches(_BYTE_NUMBER, _read_byte_number)
        printable = self._replace_matches(_QUOTED_PRINTABLE, _read_quoted_printable)
        yield from filter(None, (listed, printable))
        for width, bits_of, between in _CODINGS:
            coded = self._replace_matches(between, lambda _: "") or self
            if len(coded.text) * width < _MIN_DECODED_BYTES * 8:
                continue
            bits = "".join(map(bits_of.__getitem__, coded.text))
            # Text in front shifts the byte boundaries, so try every offset.
            for skipped in range(0, 8, math.gcd(width, 8)):
                count = (len(bits) - skipped) // 8
                raw = int(bits[skipped : skipped + count * 8], 2).to_bytes(count, "big")
                begins = range(skipped, skipped + count * 8, 8)
                starts = [coded.starts[begin // width] for begin in begins]
                ends = [coded.ends[(begin + 7) // width] for begin in begins]
                yield Layer(text_of_bytes(raw), starts, ends)

    def fold(self) -> Layer:
        """Return the text without case, spacing, quotes and accents."""
        folded = self._replace_matches(_IGNORED, lambda _: "") or self
        folded = folded._replace_matches(_NOT_ASCII, lambda match: _fold_char(match.group())) or folded
        return Layer(_lower_ascii(folded.text), folded.starts, folded.ends)

    def _replace_matches(
        self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], str]
    ) -> Layer | None:
        chars: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in pattern.finditer(self.text):
            first, after = match.span()
            new = read(match)
            chars += (self.text[done:first], new)
            starts += [*self.starts[done:first], *[self.starts[first]] * len(new)]
            ends += [*self.ends[done:first], *[self.ends[after - 1]] * len(new)]
            done = after
        if not done:
            return None
        chars.append(self.text[done:])
        starts += self.starts[done:]
        ends += self.ends[done:]
        return Layer("".join(chars), starts, ends)


def text_of_bytes(raw: bytes) -> str:
    """Return bytes as one character each; folding does not change those beyond ASCII."""
    return raw.decode("latin-1").translate(_PRIVATE_USE)


def fold_text(text: str) -> str:
    r"""Fold a text like `Layer.fold`, without positions.

    >>> fold_text("Pä \"ss")
    'pass'
    """
    return _lower_ascii(_NOT_ASCII.sub(lambda match: _fold_char(match.group()), _IGNORED.sub("", text)))


def unescaped_texts(text: str) -> Iterator[str]:
    """Yield a text, then the text with one more layer of escapes undone each time."""
    for _ in range(_MAX_UNESCAPED):
        yield text
        plain = _ESCAPE.sub(_read_escape, text)
        if plain == text:
            return
        text = plain


def unfold_layers(text: str, *, decodes: bool = True) -> Iterator[tuple[Layer, bool]]:
    """Yield a text with escapes (and encodings) undone, nearest first, and whether each layer was decoded.

    Stop after `_MAX_WORK` characters.
    """
    waiting = deque([(Layer(text), 0, 0)])
    work = 0
    while waiting and (work <= _MAX_WORK or not decodes):
        layer, unescaped, decoded = waiting.popleft()
        work += len(layer.text)
        yield layer, decoded > 0
        plain = layer.unescape() if unescaped < _MAX_UNESCAPED else None
        if plain is not None:
            waiting.append((plain, unescaped + 1, decoded))
        if decodes and decoded < _MAX_DECODED:
            waiting += [(inner, unescaped, decoded + 1) for inner in layer.decode()]


def _lower_ascii(text: str) -> str:
    # Unlike `str.lower`, never changes the length.
    return text.lower() if text.isascii() else re.sub("[A-Z]+", lambda match: match.group().lower(), text)


@lru_cache(maxsize=4096)
def _fold_char(char: str) -> str:
    """Return a character without case, accents and width."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(part for part in parts if not unicodedata.combining(part) and not part.isspace())


def _read_byte_number(match: re.Match[str]) -> str:
    number = int(match[1], 16) if match[1] else int(match[2])
    return text_of_bytes(bytes([number])) if number < 256 else match.group()


def _read_quoted_printable(match: re.Match[str]) -> str:
    return text_of_bytes(bytes.fromhex(match[1])) if match[1] else ""


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
