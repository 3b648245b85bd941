"""Checks of the notebook or terminal that a cell runs in, for ``%pods doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from primepods_magic.notebook.shell.kernel import has_front_end
from primepods_magic.pods.doctor import Finding

__all__ = ["front_end"]

_OLDEST_IPYWIDGETS = 8


def front_end(shell: Any) -> Iterator[Finding]:
    """What matters here of the front end.

    Parameters
    ----------
    shell : InteractiveShell
        Where the command runs.
    """
    yield _widgets()
    if getattr(shell, "kernel", None) is not None:
        yield from _lab()
    if has_front_end(shell):
        yield Finding("questions", "ok", "somebody is here to answer them")
    else:
        yield Finding(
            "questions",
            "warning",
            "nobody is here to answer them: live launches are refused",
            "'-y' or max_price agrees to a launch",
        )


def _widgets() -> Finding:
    found = _version("ipywidgets")
    if found is None:
        return Finding("progress bars", "warning", "as text, without ipywidgets", "pip install ipywidgets")
    if int(found.partition(".")[0]) < _OLDEST_IPYWIDGETS:
        return Finding(
            "progress bars",
            "warning",
            f"ipywidgets {found} in the kernel is too old",
            "pip install --upgrade ipywidgets",
        )
    return Finding("progress bars", "ok", f"ipywidgets {found} in the kernel")


def _lab() -> Iterator[Finding]:
    """The other half of the widgets, in the environment that JupyterLab runs in, which is often this one."""
    kernel, lab, widgets = _version("ipykernel"), _version("jupyterlab"), _version("jupyterlab_widgets")
    yield Finding("kernel", "ok", f"ipykernel {kernel or 'unknown'}")
    advice = "where bars do not move: pip install jupyterlab_widgets beside JupyterLab, and reload the page"
    if lab is None:
        # The widgets' half that is here came with ipywidgets, and is not the one that counts.
        yield Finding("front end", "ok", "JupyterLab is not in this environment", advice)
    elif widgets is None:
        yield Finding("front end", "warning", "jupyterlab_widgets is not in this environment", advice)
    else:
        said = f"jupyterlab_widgets {widgets}, JupyterLab {lab} in this environment"
        yield Finding("front end", "ok", said)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
