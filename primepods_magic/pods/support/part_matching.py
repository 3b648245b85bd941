"""Parts of names, as people type them: ``H100`` for ``H100_80GB``, ``pytorch_2_7`` for an image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from .name_matching import fold_letters

__all__ = ["is_same_word", "match_part"]

_RUNS = re.compile(r"[0-9]+|[^\W\d_]+")
_MEMORY = re.compile(r"_[0-9]+GB$", re.IGNORECASE)
# Words of a GPU's full name that the service leaves out.
_MAKERS = frozenset({"nvidia", "geforce", "tesla", "quadro"})
# Regions under other words, of which "america" alone would be South America.
_REGIONS = {
    **dict.fromkeys(("us", "usa"), ("united_states",)),
    "america": ("united_states", "south_america"),
    "europe": ("eu_east", "eu_north", "eu_west"),
}
_MAX_CHARS = 100
_SHORTEST_PART = 2
_SHORTEST_ENDING = 3


def is_same_word(given: str | None, other: str | None) -> bool:
    """Return whether two words have the same letters and digits.

    >>> is_same_word("h100-80gb", "H100_80GB"), is_same_word("H100", "H100_80GB")
    (True, False)
    """
    return given == other or (bool(fold_letters(given)) and fold_letters(given) == fold_letters(other))


def match_part(part: str, names: Iterable[str]) -> list[str]:
    """Return the names that a part of a name may mean, the whole name or the GPU before its memory first.

    A number is always whole, so ``L4`` is never ``L40_48GB``.

    >>> match_part("4090", ["RTX4090_24GB", "A4000_16GB"]), match_part("L4", ["L40_48GB", "L4_24GB"])
    (['RTX4090_24GB'], ['L4_24GB'])
    >>> match_part("A100", ["A100_80GB", "A100_40GB", "H100_80GB"])
    ['A100_40GB', 'A100_80GB']
    """
    known = sorted(set(names), key=_sort_naturally)
    if part in known:
        return [part]
    wanted = _split_runs(part)
    if len("".join(wanted)) < _SHORTEST_PART:
        return []
    whole = [name for name in known if is_same_word(part, name)]
    models = {name: _split_runs(_MEMORY.sub("", name)) for name in known if _MEMORY.search(name)}
    exact = [name for name, runs in models.items() if runs == wanted]
    if whole or exact:
        return whole or exact
    if regions := [name for name in _REGIONS.get(part.casefold(), ()) if name in known]:
        return regions
    # "3090" means the RTX3090, not the RTX3090Ti, unless there are several such numbers.
    numbered = [name for name, runs in models.items() if runs[1:] == wanted]
    if len(numbered) == 1:
        return numbered
    # The north is "eu_north" rather than "asia_northeast".
    parts = [name for name in known if _has_part(name, wanted, str.__eq__)]
    return parts or [name for name in known if _has_part(name, wanted, _is_end_of)]


def _split_runs(name: str) -> list[str]:
    """Split a name into runs of digits and runs of letters, in lower case."""
    runs = [run.casefold() for run in _RUNS.findall(name[:_MAX_CHARS])]
    return [run for run in runs if run not in _MAKERS] or runs


def _sort_naturally(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts 4 before 40 and 100."""
    return [(len(run) if run.isdigit() else 0, run) for run in _RUNS.findall(name[:_MAX_CHARS])]


def _has_part(name: str, wanted: list[str], is_match: Callable[[str, str], bool]) -> bool:
    runs = _split_runs(name)
    starts = range(len(runs) - len(wanted) + 1)
    return any(all(map(is_match, wanted, runs[start:])) for start in starts)


def _is_end_of(wanted: str, run: str) -> bool:
    """Return whether a run is the wanted one, or begins or ends with its letters."""
    if not wanted.isalpha():
        return wanted == run
    return run.startswith(wanted) or (len(wanted) >= _SHORTEST_ENDING and run.endswith(wanted))
