"""What is wrong with the set-up, as a DataFrame: settings, files, proxies, the service, the key and what it
may do, this computer. Changes nothing, shows no secret, and needs neither a key nor a network.

  %pods doctor
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.doctor import Finding


def add_arguments(parser: ArgumentParser) -> None:
    """``%pods doctor`` has no flags of its own."""


def run(magics: PodsMagics, args: Namespace) -> Any:
    """The frame of ``%pods doctor``."""
    from primepods_magic.frames import checks_frame
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.shell.checks import front_end
    from primepods_magic.pods.connection.current import in_use
    from primepods_magic.pods.doctor import diagnose

    findings = [*diagnose(in_use()), *front_end(magics.shell)]
    said = [_counted(findings, kind) for kind in ("problem", "warning")]
    return mark_for_display(checks_frame(findings), kind="checks", caption=" · ".join(said))


def _counted(findings: list[Finding], kind: str) -> str:
    count = sum(finding.result == kind for finding in findings)
    return f"{count or 'no'} {kind}{'' if count == 1 else 's'}"
