"""Names and words as services change them: trimmed, in lower case, normalized, shortened."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from primepods_magic.api.text.sanitize import sanitize

__all__ = [
    "fold_letters",
    "fold_name",
    "has_changed",
    "is_name_of",
    "is_same_id",
    "is_same_payer",
    "spell_ids",
]

# Services cut names at 15 characters or more; what is shorter is another name.
_SHORTEST_CUT = 12
_SEPARATORS = re.compile(r"[\s_.-]+")


def fold_name(name: str | None) -> str:
    """Return a name without the differences that a person does not see or say: case, accents, separators.

    >>> fold_name(" Train_Run ") == fold_name("train run")
    True
    """
    return "-".join(_SEPARATORS.sub(" ", _drop_marks(name)).split())


def fold_letters(word: str | None) -> str:
    """Return the letters and digits of a word, without accents, whatever the case.

    >>> fold_letters("H100_80GB") == fold_letters("h100-80gb")
    True
    """
    return "".join(letter for letter in _drop_marks(word) if letter.isalnum())


def has_changed(has: object, wanted: object) -> bool:
    """Return whether a service's value differs from the requested one in more than spelling.

    A value that either side leaves out has not changed.

    >>> has_changed("H100 80GB", "H100_80GB"), has_changed(None, 100), has_changed(200.0, 100)
    (False, False, True)
    """
    if None in (has, wanted) or "" in (has, wanted):
        return False
    if isinstance(has, str) or isinstance(wanted, str):
        return fold_letters(str(has)) != fold_letters(str(wanted))
    return has != wanted


def _drop_marks(text: str | None) -> str:
    """Return text in lower case without accents and without characters that show nothing."""
    shown = sanitize(text).replace("\ufffd", "")
    return "".join(
        letter
        for letter in unicodedata.normalize("NFKD", shown).casefold()
        if not unicodedata.combining(letter)
    )


def is_same_id(given: str | None, other: str | None) -> bool:
    """Return whether two ids are the same but for letter case and dashes.

    >>> is_same_id("24B5-9B", "24b59b"), is_same_id("", "")
    (True, False)
    """
    return bool(fold_letters(given)) and fold_letters(given) == fold_letters(other)


def is_same_payer(team_id: str | None, other: str | None) -> bool:
    """Return whether the ids of two teams are one team; without an id it is the person who launched.

    >>> is_same_payer("CMB7-q0", "cmb7q0"), is_same_payer(None, ""), is_same_payer(None, "cmb7q0")
    (True, True, False)
    """
    return is_same_id(team_id, other) or not (team_id or other)


def spell_ids(ids: Iterable[str | None], like: Iterable[str | None]) -> list[str | None]:
    """Return ids in the spelling of those they are the same as: one service may write one in several ways.

    >>> spell_ids(["24B5-9B", "7f", None], like=["24b59b"])
    ['24b59b', '7f', None]
    """
    exact = {each for each in like if each}
    spelling = {fold_letters(each): each for each in exact}
    return [each if not each or each in exact else spelling.get(fold_letters(each), each) for each in ids]


def is_name_of(given: str | None, wanted: str) -> bool:
    """Return whether a service may have derived the given name from the wanted one.

    >>> is_name_of("my-long-training-run", "My-long-training-run-no-1"), is_name_of("eval", "train")
    (True, False)
    """
    has, asked = fold_letters(given), fold_letters(wanted)
    if has == asked:
        # Of names without a letter or a digit nothing is left to compare.
        return bool(asked) or fold_name(given) == fold_name(wanted)
    return len(has) >= _SHORTEST_CUT and asked.startswith(has)
