"""Install what is missing on a pod, and change nothing that is there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

from primepods_magic.api.errors import CommandFailed, InvalidRequest
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import name_as_word, sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote import agent_archive
from primepods_magic.remote.agent.packages.names import is_name, is_protected, is_version
from primepods_magic.remote.command import CommandResult, StreamName, run_command

from .comparing import Comparison

__all__ = ["check_plan", "install_missing", "list_requirements"]

_MAX_KEPT_BYTES = 64_000
_MAX_REASON_CHARS = 300
_ERROR = re.compile(r"^[ \t]{0,20}(?:ERROR: |error: |cause: |Caused by: |╰─▶ ?|× )(?P<text>.+)", re.MULTILINE)
_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Network is unreachable|"
    r"Connection refused|ConnectTimeout|ReadTimeout|ProxyError|dns error|tcp connect error|"
    r"error sending request|Could not connect"
)


def list_requirements(comparison: Comparison) -> list[str]:
    """Return what would be installed, such as ``einops==0.8.0``."""
    return [f"{name}=={version}" for name, version in comparison.plan.items()]


def check_plan(pod: PodDetails, comparison: Comparison) -> None:
    """Raise InvalidRequest if the pod's Python takes no packages."""
    if not comparison.is_managed:
        return
    name = name_as_word(pod.name)
    if comparison.has_kernel:
        words = shlex.join([comparison.python, *"-m pip install --break-system-packages".split()])
        packages = " ".join(list_requirements(comparison))
        advice = f"To do it all the same, run '%pods exec {name} -- {words} {packages}'"
    else:
        advice = f"Run a '%%pod {name}' cell first: it makes an environment that takes packages"
    raise InvalidRequest(
        f"The operating system of '{sanitize(pod.name)}' manages {sanitize(comparison.python)} and forbids "
        f"installing into it (PEP 668). Nothing was installed. {advice}"
    )


def install_missing(
    connection: Connection,
    pod: PodDetails,
    comparison: Comparison,
    *,
    on_output: Callable[[StreamName, bytes], object] | None = None,
) -> None:
    """Install the packages of a comparison's plan with uv or pip, into the Python that runs kernels.

    Everything that is installed there stays at its version; if that is impossible, nothing is installed.
    Raises CommandFailed if the installer fails, InvalidRequest if that Python takes no packages, and what
    `run_command` raises.
    """
    check_plan(pod, comparison)
    for package, version in comparison.plan.items():
        if not is_name(package) or not is_version(version) or is_protected(package):
            raise InvalidRequest(f"{sanitize(package)!r} cannot be installed. Nothing was installed")
    kept = bytearray()

    def pass_output(name: StreamName, data: bytes) -> None:
        kept.extend(data)
        del kept[:-_MAX_KEPT_BYTES]
        if on_output:
            on_output(name, data)

    # Names and versions go to stdin, where no process list shows them. They have no characters of a shell.
    agent = f"~/.primepods/{agent_archive.build_archive().name}/agent.pyz"
    plan = json.dumps(dict(comparison.plan))
    command = f"{shlex.quote(comparison.python)} {agent} install <<'END'\n{plan}\nEND\n"
    result = run_command(connection, pod, command, on_output=pass_output)
    if result.exit_code:
        _raise_failure(pod, result, kept.decode("utf-8", "replace"))


def _raise_failure(pod: PodDetails, result: CommandResult, output: str) -> None:
    found = [match["text"] for match in _ERROR.finditer(output)] or output.strip().split("\n")
    reason = shorten(sanitize(found[-1]), _MAX_REASON_CHARS).rstrip(".")
    if _NO_NETWORK.search(output):
        reason = f"the pod cannot reach the package index ({reason})"
    name = name_as_word(pod.name)
    raise CommandFailed(
        f"Installing on '{sanitize(pod.name)}' failed with exit code {result.exit_code}"
        f"{f': {reason}' if reason else ''}. Packages that were there have not changed. '%pods env {name}' "
        f"shows what is there now; '%pods env {name} PACKAGE --install' installs only one. The pod keeps "
        "running and is billed",
        exit_code=result.exit_code,
        result=result,
    )
