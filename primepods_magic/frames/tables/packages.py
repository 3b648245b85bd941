"""Frame of packages here and on a pod."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from primepods_magic.remote.packages.comparing import PackageVersions

from .schema import Column, build

__all__ = ["PACKAGES", "packages_frame"]


def packages_frame(packages: Iterable[PackageVersions]) -> pd.DataFrame:
    """Build a frame of packages, in the order given.

    >>> packages_frame([]).columns.tolist()
    ['package', 'modules', 'version_here', 'version_there', 'state', 'what_to_do']
    """
    return build(PACKAGES, packages)


PACKAGES: tuple[Column[PackageVersions], ...] = (
    Column("package", "string", doc="name of the package, or python", format="strong"),
    Column(
        "modules",
        "string",
        lambda row: ", ".join(row.modules) or None,
        "its modules that were imported",
        format="code",
    ),
    Column("version_here", "string", doc="its version on this computer"),
    Column("version_there", "string", doc="its version on the pod"),
    Column("state", "string", doc="same, differs, missing, other package or unknown", format="badge"),
    Column(
        "what_to_do",
        "string",
        lambda row: row.what_to_do or None,
        "how to get it there if it is missing and --install does not install it",
        max_length=120,
    ),
)
