"""Check your setup, or a pod, and return the findings as a DataFrame.

The checks cover settings, files, proxies, the service, the key and its permissions, and this computer; with
POD, that pod's connection, Python, ipykernel, disk, GPUs, SSH server and clock. The command changes nothing
and shows no secrets. Without POD it needs neither a key nor a network connection.

Problems and warnings come first, each with what to do about it. Checks that passed are summed up in one line;
``--all`` shows them in full.

  %pods doctor
  %pods doctor train
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.doctor import Finding


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("pod", metavar="POD", nargs="?", help="check this pod instead")
    parser.add_argument("--all", "-v", action="store_true", help="also show the checks that passed")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the checks."""
    from primepods_magic.frames import checks_frame
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.notebook.shell.checks import front_end
    from primepods_magic.pods.connection.current import in_use
    from primepods_magic.pods.doctor import diagnose

    found = _check_pod(magics, args.pod) if args.pod else None
    findings = sorted(
        found or [*diagnose(in_use()), *front_end(magics.shell, magics.display)], key=_rank_finding
    )
    counts = [_count_findings(findings, kind) for kind in ("problem", "warning")]
    caption = " · ".join(counts)
    return mark_for_display(checks_frame(findings), kind="checks", caption=caption, is_unfolded=args.all)


def _check_pod(magics: PodsMagics, name: str) -> list[Finding]:
    from primepods_magic.pods.find import find_pod
    from primepods_magic.remote.pod_checks import check_pod

    connection = magics.connection
    return check_pod(connection, find_pod(connection, name))


def _rank_finding(finding: Finding) -> int:
    return ("problem", "warning", "ok").index(finding.result)


def _count_findings(findings: list[Finding], kind: str) -> str:
    count = sum(finding.result == kind for finding in findings)
    return f"{count or 'no'} {kind}{'' if count == 1 else 's'}"
