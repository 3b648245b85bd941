"""Compare the packages that this notebook has imported with those on a pod, as a DataFrame.

  %pods env train
  %pods env train --install
  %pods env train pandas pyyaml

The versions there are those of the Python that runs '%%pod' cells on the pod; no kernel is started. If the
pod has several nodes, this is about the first one, where cells run; '%pods exec --node 2' runs a command on
another. The label of a build, as in 2.3.1+cu121, does not count. Modules that are files of your own are named
above the table. PACKAGE compares only these packages, imported or not.

With --install, packages that are missing there are installed at the version here, with uv or pip, after a
question. They come from the index that is set there, usually PyPI; a package of a private index may be a
different one there. Nothing that is there changes. PyTorch, JAX, TensorFlow, Triton and CUDA are never
installed: their builds depend on the pod's driver.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, add_pod, add_yes

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.remote.packages.comparing import Comparison
    from primepods_magic.remote.packages.imported import Imports

_MAX_NAMES = 5


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_pod(parser)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="compare only this package")
    parser.add_argument("--install", action="store_true", help="install what is missing there")
    add_yes(parser)


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the comparison, after installing what is missing if that is wanted."""
    from primepods_magic.frames import packages_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.find import find_pod
    from primepods_magic.remote.packages.comparing import compare_with_pod
    from primepods_magic.remote.packages.imported import Imports, choose_packages, find_packages

    connection = magics.connection
    pod = find_pod(connection, args.pod)
    imports = Imports() if args.packages else _find_imports(magics.shell)
    packages = choose_packages(args.packages) if args.packages else find_packages(imports)
    comparison = compare_with_pod(connection, pod, packages)
    # Cells run on the first node.
    notes = [f"node 1 of {len(pod.connections)}"] if len(pod.connections) > 1 else []
    if args.install and comparison.plan:
        _install_missing(magics, pod, comparison, yes=args.yes)
        notes.append(f"{len(comparison.plan)} installed")
        comparison = compare_with_pod(connection, pod, packages)
    states = [row.state for row in comparison.rows]
    missing, different = states.count("missing"), states.count("differs")
    if missing:
        installable = f" ('--install' installs {len(comparison.plan)})" if comparison.plan else ""
        notes.append(f"{missing} missing{installable}")
    if different:
        notes.append(f"{different} different")
    packaged = {module for package in packages for module in package.modules}
    files = [file for module, file in sorted(imports.files.items()) if module not in packaged]
    if files:
        notes.append(_describe_files(files))
    return mark_for_display(
        packages_frame(comparison.rows),
        kind="packages",
        caption=caption(connection, len(packages), len(packages), "package", *notes),
    )


def _find_imports(shell: Any) -> Imports:
    """Find what this notebook has imported, and not what IPython itself has put into its namespace."""
    from primepods_magic.remote.packages.imported import find_imports

    hidden = shell.user_ns_hidden
    own = {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and not (name in hidden and hidden[name] is value)
    }
    return find_imports(own, shell.history_manager.input_hist_parsed)


def _describe_files(files: list[str]) -> str:
    from primepods_magic.api.text.sanitize import join_first, sanitize

    names = join_first(list(map(sanitize, files)), _MAX_NAMES)
    return f"only here: {names} ('%pods put' sends files)"


def _install_missing(magics: PodsMagics, pod: PodDetails, comparison: Comparison, *, yes: bool) -> None:
    """Show what would be installed, ask, and install it."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.notebook.shell.program_output import ProgramOutput
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.remote.packages.installing import check_plan, install_missing, list_requirements

    check_plan(pod, comparison)
    # A pod of a sandbox runs on this computer, so that it asks, too.
    computer = " of this computer" if magics.connection.is_sandbox else ""
    say(
        f"To install on '{sanitize(pod.name)}', from the package index that is set there (PyPI by default), "
        f"into {sanitize(comparison.python)}{computer}: "
        f"{', '.join(list_requirements(comparison))}"
    )
    packages = f"{len(comparison.plan)} package{'' if len(comparison.plan) == 1 else 's'}"
    if not yes and not confirm(magics.shell, f"Install {packages}, and what they need?"):
        raise InvalidRequest(
            f"Installing {packages} on '{sanitize(pod.name)}' was not confirmed. Nothing was installed. Pass "
            "-y to confirm in advance"
        )
    output = ProgramOutput()
    try:
        install_missing(magics.connection, pod, comparison, on_output=output.write)
    finally:
        output.finish()
