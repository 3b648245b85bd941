"""Versions of packages here and on a pod."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from primepods_magic.api.errors import PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.agent.packages.names import is_protected, is_version, public_version
from primepods_magic.remote.links import open_link

from .imported import ImportedPackage

__all__ = ["Comparison", "PackageVersions", "compare_with_pod", "read_answer"]

_PYTHON = re.compile(r"3\.[0-9]{1,3}\.[0-9]{1,3}\Z")
_PATH = re.compile(r"/[ -~]{1,1000}\Z")
_STATES = ("missing", "differs", "unknown", "other package", "same")


@dataclass(frozen=True, repr=False)
class PackageVersions(ShortRepr):
    """A package, or Python itself, here and on a pod.

    Attributes
    ----------
    package : str
    modules : tuple of str
        The top-level modules that were imported of it.
    version_here : str
    version_there : str or None
        None if it is not there.
    state : str
        ``same``, ``differs``, ``missing``, ``other package`` if another package has its modules there, or
        ``unknown`` if its version there cannot be read. The label of a build (``+cu121``) does not count,
        and neither does the last number of Python's version.
    what_to_do : str
        How to get it there if it is missing and is not installed.
    """

    package: str
    modules: tuple[str, ...]
    version_here: str
    version_there: str | None
    state: str
    what_to_do: str = ""


@dataclass(frozen=True)
class Comparison:
    """Packages here and on a pod, and the Python there.

    Attributes
    ----------
    rows : tuple of PackageVersions
        Python itself first, then what is missing, then what differs.
    plan : dict of str to str
        Versions to install, by package.
    python : str
        The path of the Python that runs kernels there.
    is_managed : bool
        True if the pod's operating system forbids installing into it.
    has_kernel : bool
        False if the first cell will make an environment on top of it.
    """

    rows: tuple[PackageVersions, ...]
    plan: Mapping[str, str]
    python: str
    is_managed: bool
    has_kernel: bool


def compare_with_pod(
    connection: Connection, pod: PodDetails, packages: Sequence[ImportedPackage]
) -> Comparison:
    """Compare packages with those of the Python that runs kernels on a pod; no kernel is started.

    Raises SshFailed if there is no connection, PodsError if the pod's answer cannot be used.
    """
    link = open_link(connection, pod)
    wanted = {package.name: list(package.modules) for package in packages}
    return read_answer(link.name, link.ask("packages", packages=wanted).get("content"), packages)


def read_answer(pod_name: str, content: object, packages: Sequence[ImportedPackage]) -> Comparison:
    """Read what a pod, which may send anything, says about packages; raise PodsError if it is not that."""
    facts = content if isinstance(content, dict) else {}
    if isinstance(facts.get("error"), str):
        raise PodsError(f"'{pod_name}': {sanitize(shorten(facts['error'], 200))}. It is still billed")
    there, modules = facts.get("packages"), facts.get("modules")
    python, version = facts.get("python"), facts.get("version")
    if not (
        isinstance(there, dict)
        and isinstance(modules, list)
        and isinstance(python, str)
        and _PATH.match(python)
        and isinstance(version, str)
        and _PYTHON.match(version)
    ):
        raise PodsError(
            f"'{pod_name}' sent something that is not a list of packages. Nothing was installed. It is "
            "still billed"
        )
    rows = [_compare_package(package, there, modules) for package in packages]
    rows.sort(key=lambda row: _STATES.index(row.state))
    missing = {row.package for row in rows if row.state == "missing"}
    plan = {
        package.name: public_version(package.version)
        for package in packages
        if package.name in missing and not _explain_refusal(package)
    }
    return Comparison(
        rows=(_compare_python(version), *rows),
        plan=plan,
        python=python,
        is_managed=facts.get("is_managed") is True,
        has_kernel=facts.get("has_kernel") is not False,
    )


def _compare_python(version: str) -> PackageVersions:
    here = ".".join(map(str, sys.version_info[:3]))
    is_same = here.split(".")[:2] == version.split(".")[:2]
    return PackageVersions("python", (), here, version, "same" if is_same else "differs")


def _compare_package(
    package: ImportedPackage, there: Mapping[str, Any], modules: Sequence[Any]
) -> PackageVersions:
    version, advice = None, ""
    if package.name in there:
        version = there[package.name] if is_version(there[package.name]) else None
        state = "differs" if version else "unknown"
        if version and public_version(version).lower() == public_version(package.version).lower():
            state = "same"
    elif package.name in modules:
        state = "other package"
    else:
        state = "missing"
        advice = _explain_refusal(package)
    return PackageVersions(package.name, package.modules, package.version, version, state, advice)


def _explain_refusal(package: ImportedPackage) -> str:
    """Return why a package is not installed on a pod, empty if it can be."""
    if is_protected(package.name):
        return "install the build for the pod's driver with '%pods exec'"
    if not package.is_from_index:
        return "install it with '%pods exec': here it is from a folder or a URL"
    return ""
