"""Suggestions for misspelled words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from primepods_magic.api.text.sanitize import sanitize

__all__ = ["suggest", "suggest_words"]

_MAX_COMPARED_CHARS = 100


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean '...'?)`` for the known word that is nearest, else nothing.

    >>> suggest("gpucout", ["gpuCount", "gpuType"])
    " (did you mean 'gpuCount'?)"
    """
    matches = suggest_words(word, known)
    return f" (did you mean '{sanitize(matches[0])}'?)" if matches else ""


def suggest_words(word: str, known: Iterable[str], *, max_words: int = 1) -> list[str]:
    """Return the known words nearest to one, whatever their case, hyphens and underscores.

    >>> suggest_words("GPU_COUT", ["gpuCount", "gpuType"])
    ['gpuCount']
    """
    by_folded = {_fold_case(candidate): candidate for candidate in known}
    folded = _fold_case(word[:_MAX_COMPARED_CHARS])
    matches = difflib.get_close_matches(folded, by_folded, n=max_words, cutoff=0.6)
    matches = matches or [each for each in by_folded if folded and each.startswith(folded)][:max_words]
    return [by_folded[match] for match in matches]


def _fold_case(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
