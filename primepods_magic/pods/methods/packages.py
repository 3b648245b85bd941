"""Packages of a pod: the methods of `Pod` that compare and install them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from primepods_magic.api.tracebacks import shorten_tracebacks

from .reachable import Reachable

if TYPE_CHECKING:
    from primepods_magic.remote.packages.comparing import PackageVersions

__all__ = ["PackageMethods"]


@shorten_tracebacks
class PackageMethods(Reachable):
    """Compares and installs packages."""

    def compare_packages(self, names: Iterable[str] | None = None) -> list[PackageVersions]:
        """Return the versions of packages here and on it, as ``%pods env`` does, and of Python first.

        The versions there are those of the Python that runs kernels; no kernel is started.

        Parameters
        ----------
        names : iterable of str, optional
            Packages that are installed here; by default those that the notebook or script has imported.

        Raises
        ------
        SshFailed
            The connection failed.
        InvalidRequest
            A package is not installed here.

        Examples
        --------
        >>> get_pod("train").compare_packages(["einops"])[1].state           # doctest: +SKIP
        'missing'
        """
        from primepods_magic.remote.packages.comparing import compare_with_pod
        from primepods_magic.remote.packages.imported import choose_packages

        packages = choose_packages(names)
        return list(compare_with_pod(self._connection, self._read_reachable(), packages).rows)

    def install_packages(
        self,
        names: Iterable[str] | None = None,
        *,
        on_output: Callable[[Any, bytes], object] | None = None,
    ) -> list[PackageVersions]:
        """Install the packages that are missing on it, at the version here, and return what is there then.

        Nothing that is there changes. PyTorch, JAX, TensorFlow, Triton and CUDA are never installed.

        Parameters
        ----------
        names : iterable of str, optional
            Packages that are installed here; by default those that the notebook or script has imported.
        on_output : callable, optional
            Called with ``"stdout"`` or ``"stderr"`` and the bytes of the installer as they arrive.

        Raises
        ------
        CommandFailed
            The installer failed.
        InvalidRequest
            A package is not installed here, or the pod's Python takes no packages.
        SshFailed
            The connection failed.
        WaitInterrupted
            Ctrl-C.

        Examples
        --------
        >>> get_pod("train").install_packages(["einops"])                    # doctest: +SKIP
        [PackageVersions(package='python', …), PackageVersions(package='einops', …)]
        """
        from primepods_magic.remote.packages.comparing import compare_with_pod
        from primepods_magic.remote.packages.imported import choose_packages
        from primepods_magic.remote.packages.installing import install_missing

        packages, pod = choose_packages(names), self._read_reachable()
        comparison = compare_with_pod(self._connection, pod, packages)
        if comparison.plan:
            install_missing(self._connection, pod, comparison, on_output=on_output)
            comparison = compare_with_pod(self._connection, pod, packages)
        return list(comparison.rows)
