"""The place of our cell magics in their cells: IPython knows a cell magic in the first line only."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["place_cell_magic"]

_MAGICS = ("%%pod_create", "%%pod")


def place_cell_magic(lines: list[str]) -> list[str]:
    """Move one of our cell magics above blank lines and comments; raise SyntaxError if code is above it.

    An IPython input transformer. Every other cell stays as it is, as does a text that only contains the word.

    >>> place_cell_magic(["# rent a pod", "%%pod_create", "gpu: L4_24GB"])
    ['%%pod_create', '', 'gpu: L4_24GB']
    """
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
