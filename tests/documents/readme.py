"""README.md: its cells are run in one kernel against a fresh sandbox, and what they answer stands below them.

A cell is a fence of Python, or one without a language that begins with a cell magic. A fence of text right
below a cell is its output.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nbconvert.filters import strip_ansi

from tests.support.environment import notebook_environment
from tests.support.kernels import execute, notebook_of, text_of
from tests.support.notebooks import comparable_sandbox

PATH = Path(__file__).parents[2] / "README.md"

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<inside>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, what is in it, and where."""

    language: str
    inside: str
    start: int
    end: int

    @property
    def is_cell(self) -> bool:
        return self.language == "python" or (not self.language and self.inside.startswith("%%"))


def fences(page: str) -> list[Fence]:
    """The fenced blocks of a page."""
    return [Fence(found["language"], found["inside"], *found.span()) for found in _FENCE.finditer(page)]


def outputs_of(page: str) -> list[tuple[Fence, Fence | None]]:
    """Each cell of a page, with the fence in which its output is shown."""
    found = fences(page)
    pairs: list[tuple[Fence, Fence | None]] = []
    for fence, following in zip(found, [*found[1:], None], strict=True):
        if fence.is_cell:
            is_output = following is not None and following.language == "text"
            is_next = following is not None and not page[fence.end : following.start].strip()
            pairs.append((fence, following if is_output and is_next else None))
    return pairs


def executed(page: str) -> str:
    """The page, with the outputs that its cells have now."""
    pairs = outputs_of(page)
    notebook = notebook_of([cell.inside.rstrip() for cell, _ in pairs])
    # What they save is saved there.
    with tempfile.TemporaryDirectory() as home, comparable_sandbox() as url:
        execute(notebook, notebook_environment(Path(home), url), Path(home), allow_errors=True)
    for (cell, output), ran in reversed(list(zip(pairs, notebook.cells, strict=True))):
        said = "\n".join(line.rstrip() for line in strip_ansi(text_of(ran)).splitlines())
        if output is None and any(one.output_type == "error" for one in ran.outputs):
            raise AssertionError(f"{cell.inside}\nfails: {said}")
        if output is not None:
            page = f"{page[: output.start]}```text\n{said}\n```{page[output.end :]}"
    return page
