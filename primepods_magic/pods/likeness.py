"""Names and words as services change them: trimmed, in lower case, normalized, shortened."""

from __future__ import annotations

import unicodedata

__all__ = ["fold_letters", "fold_name", "is_name_of"]

# Services cut names at 15 characters or more; what is shorter is another name.
_SHORTEST_CUT = 12


def fold_name(name: str | None) -> str:
    """Return a name without the differences that a person does not see: case, form of letters, spaces.

    >>> fold_name(" Train  Run ") == fold_name("train run")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", name or "").casefold().split())


def fold_letters(word: str | None) -> str:
    """Return the letters and digits of a word, without accents, whatever the case.

    >>> fold_letters("H100_80GB") == fold_letters("h100-80gb")
    True
    """
    letters = unicodedata.normalize("NFKD", word or "").casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def is_name_of(given: str | None, wanted: str) -> bool:
    """Return whether a service may have made the given name of the wanted one.

    Examples
    --------
    >>> is_name_of("my-long-training-run", "My-long-training-run-no-1"), is_name_of("eval", "train")
    (True, False)
    """
    has, asked = fold_letters(given), fold_letters(wanted)
    if has == asked:
        # Of names without a letter or a digit nothing is left to compare.
        return bool(asked) or fold_name(given) == fold_name(wanted)
    return len(has) >= _SHORTEST_CUT and asked.startswith(has)
