"""What is wrong with the set-up, as a DataFrame: settings, files, proxies, the service, the key and what it
may do, this computer. Changes nothing, shows no secret, and needs neither a key nor a network.

  %pods doctor
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from primepods_magic.frames.schema import Column, build
from primepods_magic.notebook.arguments import ArgumentParser
from primepods_magic.notebook.display import present
from primepods_magic.notebook.views import has_front_end
from primepods_magic.pods.connection import in_use
from primepods_magic.pods.doctor import Finding, diagnose

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

_COLUMNS: tuple[Column[Finding], ...] = tuple(
    Column(name, "string", attrgetter(name)) for name in ("check", "result", "detail", "what_to_do")
)


def add_arguments(parser: ArgumentParser) -> None:
    """``%pods doctor`` has no flags of its own."""


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods doctor``."""
    findings = [*diagnose(in_use()), *_front_end(magics.shell)]
    said = [_counted(findings, kind) for kind in ("problem", "warning")]
    return present(build(_COLUMNS, findings), kind="checks", caption=" · ".join(said))


def _counted(findings: list[Finding], kind: str) -> str:
    count = sum(finding.result == kind for finding in findings)
    return f"{count or 'no'} {kind}{'' if count == 1 else 's'}"


def _front_end(shell: Any) -> Iterator[Finding]:
    """What matters here of the notebook or terminal that the cell runs in."""
    try:
        yield Finding("progress bars", "ok", f"ipywidgets {version('ipywidgets')}")
    except PackageNotFoundError:
        yield Finding("progress bars", "warning", "as text, without ipywidgets", "pip install ipywidgets")
    if has_front_end(shell):
        yield Finding("questions", "ok", "somebody is here to answer them")
    else:
        yield Finding(
            "questions",
            "warning",
            "nobody is here to answer them: live launches are refused",
            "'-y' or max_price agrees to a launch",
        )
