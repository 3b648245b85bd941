"""Suggestions for misspelled words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from primepods_magic.api.text.sanitize import brief

__all__ = ["format_suggestions", "suggest", "suggest_words"]

_MAX_COMPARED_CHARS = 100
# At 0.6, the default of difflib, "spot" would be "socket". A word of three letters may have a wrong one.
_MIN_RATIO = 0.7
_MIN_RATIO_OF_THREE = 0.65
_MIN_PART_CHARS = 4


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean '...'?)`` for the known word that is nearest, else nothing.

    >>> suggest("gpucout", ["gpuCount", "gpuType"])
    " (did you mean 'gpuCount'?)"
    """
    return format_suggestions(suggest_words(word, known))


def format_suggestions(words: Iterable[str]) -> str:
    """Format words that may have been meant for the end of a message; nothing if there are none.

    >>> format_suggestions(["A100_40GB", "A100_80GB"])
    " (did you mean 'A100_40GB' or 'A100_80GB'?)"
    """
    quoted = " or ".join(f"'{brief(word)}'" for word in words)
    return f" (did you mean {quoted}?)" if quoted else ""


def suggest_words(word: str, known: Iterable[str], *, max_words: int = 1) -> list[str]:
    """Return the known words near to one, or that contain it, whatever their case, hyphens and underscores.

    >>> suggest_words("GPU_COUT", ["gpuCount", "gpuType"])
    ['gpuCount']
    """
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(_fold_case(candidate), candidate)
    folded = _fold_case(word[:_MAX_COMPARED_CHARS])
    cutoff = _MIN_RATIO_OF_THREE if len(folded) == 3 else _MIN_RATIO
    matches = difflib.get_close_matches(folded, by_folded, n=max_words, cutoff=cutoff)
    is_long = len(folded) >= _MIN_PART_CHARS
    parts = [
        each for each in by_folded if folded and (each.startswith(folded) or (is_long and folded in each))
    ]
    matches = matches or parts[:max_words]
    return [by_folded[match] for match in matches]


def _fold_case(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
