"""Notebooks run in a kernel of their own, headless, as nbclient, papermill and nbconvert run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def notebook_of(cells: Sequence[str]) -> nbformat.NotebookNode:
    """A notebook of code cells."""
    return new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": KERNEL})


def execute(
    notebook: nbformat.NotebookNode,
    environment: Mapping[str, str],
    folder: Path,
    *,
    allow_errors: bool = False,
    cell_timeout: int = 120,
    after_cell: Callable[[int], None] | None = None,
) -> nbformat.NotebookNode:
    """Run every cell in a fresh kernel of this Python; `after_cell` hears of each code cell that is done."""
    client = NotebookClient(
        notebook,
        timeout=cell_timeout,
        kernel_name="python3",
        allow_errors=allow_errors,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        # Newer kernels warn that loopback is not encrypted, in the middle of what `make demo` prints.
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    if after_cell is not None:
        client.on_cell_executed = lambda cell, cell_index, execute_reply: after_cell(cell_index)
    client.execute(env=dict(environment))
    return notebook


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell's outputs say as text."""
    parts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            parts.append(output.text)
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback))
        elif "text/plain" in output.data:
            parts.append(output.data["text/plain"])
    return "\n".join(part.rstrip("\n") for part in parts)
