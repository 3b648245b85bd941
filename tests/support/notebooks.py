"""The notebooks of this project, run against a sandbox whose clock only moves when the client waits.

`python -m tests.support.notebooks show FILE` runs one and prints it; `execute FILE …` runs and saves them.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from tests.support.environment import notebook_environment
from tests.support.kernels import KERNEL, execute, text_of

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SEED = 7
ON_THE_POD = "on_the_pod"
"""The notebook whose pods are machines."""
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextmanager
def comparable_sandbox(*, machines: bool = False) -> Iterator[str]:
    """The address of a fresh sandbox in which the same notebook has the same outputs every time."""
    from primepods_magic.sandbox import start

    with start(port=0, clock="stepped", seed=SEED, machines=machines) as running:
        yield running.url


def save(path: Path) -> None:
    """Run a notebook and keep its outputs, and nothing that differs between computers."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as home, comparable_sandbox(machines=path.stem == ON_THE_POD) as url:
        execute(notebook, notebook_environment(Path(home), url), path.parent)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    nbformat.write(notebook, path)


class NotebookPrinter:
    """Prints a notebook cell by cell, as far as it has come; in color only on a terminal."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self._cells = notebook.cells
        self._next = 0

    def up_to(self, index: int) -> None:
        for cell in self._cells[self._next : index + 1]:
            self._print(cell)
        self._next = index + 1

    def _print(self, cell: nbformat.NotebookNode) -> None:
        if cell.cell_type != "code":
            print(f"\n{cell.source}\n", flush=True)
            return
        first, *rest = cell.source.splitlines() or [""]
        print("\n".join([f">>> {first}", *(f"... {line}" for line in rest)]))
        text = text_of(cell)
        print(f"{text if sys.stdout.isatty() else _ESCAPE.sub('', text)}\n", flush=True)


def show(path: Path) -> None:
    """Run a notebook and print each cell and its outputs as text; the file stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    printer = NotebookPrinter(notebook)
    with tempfile.TemporaryDirectory() as home, comparable_sandbox(machines=path.stem == ON_THE_POD) as url:
        execute(notebook, notebook_environment(Path(home), url), path.parent, after_cell=printer.up_to)
    printer.up_to(len(notebook.cells) - 1)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.notebooks", description=__doc__)
    parser.add_argument("action", choices=["show", "execute"])
    parser.add_argument("file", nargs="*", type=Path)
    given = parser.parse_args(arguments)
    for path in given.file or sorted(NOTEBOOKS.glob("*.ipynb")):
        if given.action == "show":
            show(path)
        else:
            save(path)
            print(f"saved {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
