"""Checks of the notebook or terminal that a cell runs in, for ``%pods doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from primepods_magic.notebook.shell.kernel import has_front_end, in_kernel, shows_widgets
from primepods_magic.pods.doctor import Finding

__all__ = ["front_end"]

_MIN_IPYWIDGETS = 8


def front_end(shell: Any, setting: str = "auto") -> Iterator[Finding]:
    """Yield the checks of the front end."""
    yield _check_widgets(is_console=in_kernel(shell) and not shows_widgets(shell, setting))
    if in_kernel(shell):
        yield from _check_lab()
    if has_front_end(shell):
        yield Finding("prompts", "ok", "interactive session")
    else:
        yield Finding(
            "prompts",
            "warning",
            "the session is not interactive: live launches are refused",
            "pass -y or set max_price to confirm a launch",
        )


def _check_widgets(*, is_console: bool) -> Finding:
    installed = _find_version("ipywidgets")
    if installed is None:
        return Finding(
            "progress bars", "warning", "shown as text, without ipywidgets", "pip install ipywidgets"
        )
    if int(installed.partition(".")[0]) < _MIN_IPYWIDGETS:
        return Finding(
            "progress bars",
            "warning",
            f"ipywidgets {installed} in the kernel is too old",
            "pip install --upgrade ipywidgets",
        )
    if is_console:
        return Finding(
            "progress bars",
            "ok",
            "lines of text: the cell is not from a notebook that shows widgets",
            "if this front end shows widgets: %config PodsMagics.display = 'widgets'",
        )
    return Finding("progress bars", "ok", f"ipywidgets {installed} in the kernel")


def _check_lab() -> Iterator[Finding]:
    """Check the widgets' part in JupyterLab's environment, which is often this one."""
    kernel, lab, widgets = (
        _find_version("ipykernel"),
        _find_version("jupyterlab"),
        _find_version("jupyterlab_widgets"),
    )
    yield Finding("kernel", "ok", f"ipykernel {kernel or 'unknown'}")
    advice = "if bars do not move: pip install jupyterlab_widgets next to JupyterLab, then reload the page"
    if lab is None:
        # A jupyterlab_widgets here came with ipywidgets, and is not the one that JupyterLab uses.
        yield Finding("front end", "ok", "JupyterLab is not in this environment", advice)
    elif widgets is None:
        yield Finding("front end", "warning", "jupyterlab_widgets is not in this environment", advice)
    else:
        versions = f"jupyterlab_widgets {widgets}, JupyterLab {lab} in this environment"
        yield Finding("front end", "ok", versions)


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
