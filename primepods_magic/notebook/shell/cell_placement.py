"""The place of our cell magics in their cells: IPython knows a cell magic in the first line only."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["place_cell_magic"]

_MAGICS = ("%%pod_create", "%%pod")
_WRONG_NAMES = ("%pods_create", "%%pods_create")


def place_cell_magic(lines: list[str]) -> list[str]:
    """Move one of our cell magics above blank lines and comments.

    Raise SyntaxError if code is above it, or if the cell begins with a wrong name of ``%pod_create``.

    An IPython input transformer. Every other cell stays as it is, as does a text that only contains the word.

    >>> place_cell_magic(["# rent a pod", "%%pod_create", "gpu: L4_24GB"])
    ['%%pod_create', '', 'gpu: L4_24GB']
    """
    first = (lines[:1] or [""])[0].split(None, 1)[:1]
    if first and first[0] in _WRONG_NAMES:
        raise SyntaxError(
            f"There is no {first[0]}. Use {first[0].replace('pods', 'pod')}. Nothing was run or sent"
        )
    index = next(
        (
            index
            for index, line in enumerate(lines)
            if line.split(None, 1)[:1] and line.split(None, 1)[0] in _MAGICS
        ),
        0,
    )
    above = lines[:index]
    if not index or above[0].startswith("%%"):
        return lines
    if all(not line.strip() or line.lstrip().startswith("#") for line in above):
        # Messages count the lines of the cell.
        return [lines[index], *("\n" if line.endswith("\n") else "" for line in above), *lines[index + 1 :]]
    if _is_code(above):
        raise SyntaxError(
            f"{lines[index].split()[0]} must be in the first line of its cell. Move the lines above it to "
            "another cell. Nothing was run or sent"
        )
    return lines


def _is_code(lines: Sequence[str]) -> bool:
    """Return whether lines are whole statements, so that the next line is not part of a string."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        manager = TransformerManager()  # type: ignore[no-untyped-call]
        ast.parse(manager.transform_cell("".join(lines)))
    except (SyntaxError, ValueError):
        return False
    return True
