"""Redaction of secrets in text from a service, in any form and wherever they were cut.

A service may repeat a secret quoted, escaped, encoded, or in part. Instead of listing such forms, the text is
unescaped and decoded layer by layer. Each layer is searched for every few characters of a secret, and matches
are replaced at their position in the original.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from .encodings import Layer, fold_text, text_of_bytes, unescaped_texts, unfold_layers

__all__ = ["MAX_SEARCHED", "Hider", "hide_secrets"]

_MIN_LENGTH = 3
# Decoded text is random letters; three of them match a secret by chance.
_MIN_DECODED_LENGTH = 4
# Minimum length of a distinctive part of a secret: in a token, in other text, in letters only.
_TOKEN_PART, _TEXT_PART, _LETTERS_PART = 8, 12, 16
_TOKEN = re.compile(r"[\w.+/=~-]{9,}")
_UNLIKE_WORDS = re.compile(r"[0-9]|[a-z][A-Z]")
_PIECE = 20_000
# The scheme of a longer URL may show.
_MAX_URL = 200
MAX_SEARCHED = 3_000
"""Characters searched in a text that is shown in part."""
# The end of a cut text may be the beginning of a secret in some form.
_MAX_FORM = 1_000
# The middle of a longer secret is not searched for.
_MAX_INDEXED = 64_000


class Hider:
    """A replacer of secrets (a mapping from secret to replacement).

    With ``parts``, it also hides parts of secrets and encoded ones; without, it is fast enough for logs.
    """

    def __init__(self, secrets: Mapping[str, str], *, parts: bool = True) -> None:
        self._has_parts = parts
        # Folded forms, forms that folding would empty, and parts by length.
        self._whole: dict[str, _Replacement] = {}
        self._exact: dict[str, _Replacement] = {}
        self._parts: dict[int, dict[str, _Replacement]] = {}
        # Encoded secrets may lack their first and last byte if they were cut.
        self._cut: dict[str, _Replacement] = {}
        # For a part that several share, the longest secret wins.
        for secret, shown in sorted(secrets.items(), key=lambda item: len(item[0])):
            self._add_secret(secret, _Replacement(shown, len(secret)))

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def hide(self, text: str) -> str:
        """Replace secrets; for overlapping ones, use the replacement of the longest."""
        if not self._has_parts:
            return self._hide_whole(text)
        spans: list[_Span] = []
        for layer, is_decoded in unfold_layers(text) if self._parts or self._exact else ():
            min_length = _MIN_DECODED_LENGTH if is_decoded else _MIN_LENGTH
            spans += _find_parts(layer.fold(), self._parts, min_length)
            spans += _find_whole(layer, self._cut if is_decoded else self._exact)
        return _replace_spans(text, spans)

    def hide_beginning(self, text: str) -> str:
        """Replace secrets in the beginning of a text and drop the rest."""
        if len(text) <= MAX_SEARCHED:
            return self.hide(text)
        return self.hide(text[:MAX_SEARCHED])[:-_MAX_FORM] + "…"

    def _hide_whole(self, text: str) -> str:
        if not self._whole or len(text) < min(map(len, self._whole)):
            return text
        layers = unescaped_texts(text)
        if not any(whole in folded for folded in map(fold_text, layers) for whole in self._whole):
            return text
        if len(text) > _PIECE:
            # Search pieces first, as most have no secret; then the whole, for secrets across pieces.
            pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
            shorter = "".join(map(self._hide_whole, pieces))
            if shorter != text:
                return self._hide_whole(shorter)
        spans: list[_Span] = []
        for layer, _ in unfold_layers(text, decodes=False):
            spans += _find_whole(layer.fold(), self._whole)
        return _replace_spans(text, spans)

    def _add_secret(self, secret: str, words: _Replacement) -> None:
        for form in unescaped_texts(_cut_middle(secret)):
            if len(fold_text(form)) < _MIN_LENGTH:
                self._exact |= {form: words} if form else {}
                continue
            for encoded in _encoded_forms(form):
                folded = Layer(encoded).fold()
                self._whole[folded.text] = words
                if self._has_parts:
                    if len(folded.text) <= _LETTERS_PART and len(encoded) >= _MIN_DECODED_LENGTH + 2:
                        self._cut[encoded[1:-1]] = words
                    for part in _list_parts(folded, encoded):
                        self._parts.setdefault(len(part), {})[part] = words


def hide_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Replace secrets and parts of them in a text, however they are escaped or encoded.

    >>> hide_secrets("value &quot;hunt&#101;r2&quot;, or YTogaHVudGVyMg==", {"hunter2": "***"})
    'value &quot;***&quot;, or YTog***=='
    >>> hide_secrets("input_value='hf_AbCdEfGhIj...0123456789'", {"hf_AbCdEfGhIjKlMnOp_0123456789": "***"})
    "input_value='***...***'"
    """
    return Hider(secrets).hide(text)


@dataclass(frozen=True)
class _Replacement:
    """The text to show instead of a secret."""

    text: str
    # The length of the secret; the longest wins where spans overlap.
    weight: int


@dataclass(frozen=True)
class _Span:
    """A range of the original text that repeats a secret."""

    start: int
    end: int
    words: _Replacement


def _find_parts(
    layer: Layer, parts_by_length: Mapping[int, Mapping[str, _Replacement]], min_length: int
) -> Iterator[_Span]:
    """Find the parts of each length in one pass; a longer part is found as many that overlap."""
    text = layer.text
    for length, parts in parts_by_length.items():
        for first in range(len(text) - length + 1) if length >= min_length else ():
            words = parts.get(text[first : first + length])
            if words is not None:
                yield _Span(layer.starts[first], layer.ends[first + length - 1], words)


def _find_whole(layer: Layer, needles: Mapping[str, _Replacement]) -> Iterator[_Span]:
    for needle, words in needles.items():
        first = layer.text.find(needle)
        while first >= 0:
            yield _Span(layer.starts[first], layer.ends[first + len(needle) - 1], words)
            first = layer.text.find(needle, first + max(len(needle) // 2, 1))


def _cut_middle(secret: str) -> str:
    if len(secret) <= _MAX_INDEXED:
        return secret
    return secret[: _MAX_INDEXED // 2] + secret[-_MAX_INDEXED // 2 :]


def _encoded_forms(form: str) -> Iterator[str]:
    """Yield a secret, and its bytes as text in several encodings."""
    yield form
    if not form.isascii():
        raw = form.encode("utf-8", "surrogatepass")
        yield from (raw.decode("latin-1"), raw.decode("cp1252", "ignore"), text_of_bytes(raw))
        yield text_of_bytes(form.encode("utf-16-le", "surrogatepass"))
        yield text_of_bytes(form.encode("utf-16-be", "surrogatepass"))


def _list_parts(folded: Layer, original: str) -> Iterator[str]:
    """Yield the distinctive parts of a secret; a single word is not one."""
    text = folded.text
    if len(text) <= (_MAX_URL if "://" in text else _LETTERS_PART):
        yield text
    lengths = (
        (_LETTERS_PART, _TEXT_PART, _TOKEN_PART)
        if _TOKEN.fullmatch(original)
        else (_LETTERS_PART, _TEXT_PART)
    )
    for length in lengths:
        for first in range(len(text) - length + 1):
            part = text[first : first + length]
            if length == _TOKEN_PART:
                written = original[folded.starts[first] : folded.ends[first + length - 1]]
                is_distinctive = _UNLIKE_WORDS.search(written) is not None
            else:
                is_distinctive = length == _LETTERS_PART or not part.isalpha()
            if is_distinctive and "://" not in part:
                yield part


def _replace_spans(text: str, spans: Iterable[_Span]) -> str:
    """Replace spans; overlapping ones get the replacement of the longest secret."""
    parts: list[str] = []
    done = 0
    merged: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            heavier = max(last, span, key=lambda each: each.words.weight)
            merged[-1] = _Span(last.start, max(last.end, span.end), heavier.words)
        else:
            merged.append(span)
    for span in merged:
        parts += (text[done : span.start], span.words.text)
        done = span.end
    return "".join([*parts, text[done:]])
