"""Put a pod into the kernel picker of Jupyter, so that a whole notebook runs there.

  %pods kernel train
  %pods kernel train --session eval
  %pods kernel train --remove
  %pods kernel

In JupyterLab, Notebook and VS Code, choose 'train · 8 × H100_80GB · $19.20/h' as the notebook's kernel; the
picker shows it within a minute. In a terminal: jupyter console --kernel pod-train. Opening such a notebook
never rents anything. Without POD, '%pods kernel' lists these kernels as a DataFrame.

Its cells run in the same session as '%%pod train' and share its variables. If the connection is lost, or the
server or your laptop is turned off, they keep running. Restarting the kernel restarts it on the pod; shutting
it down ends it there. Neither ends the pod, which is billed until '%pods rm'. Kernels of pods that are gone
are removed from the picker at the next command.

'--sync' sends what has changed in the notebook's folder before each cell, which then runs in that folder.
'%config PodsMagics.kernels = "auto"' adds your ready pods by itself.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("pod", metavar="POD", nargs="?", help="name, id, or beginning of an id")
    parser.add_argument(
        "--session", default="main", metavar="S", help="separate kernel with its own variables"
    )
    parser.add_argument("--sync", action="store_true", help="send the notebook's folder before each cell")
    parser.add_argument(
        "--costs",
        choices=("auto", "always", "never"),
        default="auto",
        help="show what each cell cost: 'auto' does if a person is there (default)",
    )
    parser.add_argument("--remove", action="store_true", help="remove it from the kernel picker")


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Write or remove a kernel spec, or list them."""
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.pods.find import find_pod
    from primepods_magic.remote.kernels.specs import write_kernel_spec

    connection = magics.connection
    if args.pod is None:
        return _list_specs(magics)
    if args.remove:
        _remove_spec(magics, args.pod, args.session)
        return None
    pod = find_pod(connection, args.pod)
    options = [*(["--sync"] if args.sync else []), *([] if args.costs == "auto" else ["--costs", args.costs])]
    spec = write_kernel_spec(connection, pod, args.session, options=options)
    say(
        f"Choose the kernel '{spec.display_name}' for a notebook, or run: jupyter console --kernel "
        f"{spec.name}. Starting it rents nothing; the pod is billed until '%pods rm'."
    )
    return None


def _list_specs(magics: PodsMagics) -> Any:
    from primepods_magic.frames import kernels_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.remote.kernels.specs import list_kernel_specs

    connection = magics.connection
    specs = list_kernel_specs(connection)
    return mark_for_display(
        kernels_frame(specs), kind="kernels", caption=caption(connection, len(specs), len(specs), "kernel")
    )


def _remove_spec(magics: PodsMagics, text: str, session: str) -> None:
    """Remove the kernel of a pod, which may be gone."""
    from primepods_magic.api.errors import NotFound
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.notebook.shell.output import say
    from primepods_magic.remote.kernels.specs import list_kernel_specs, remove_kernel_spec

    specs = list_kernel_specs(magics.connection)
    found = [spec for spec in specs if text in (spec.pod, spec.pod_id, spec.name) and spec.session == session]
    if not found:
        raise NotFound(
            f"There is no kernel of '{sanitize(text)}' with the session '{session}'. '%pods kernel' lists "
            "them. Nothing was removed"
        )
    for spec in found:
        remove_kernel_spec(spec)
        say(f"Removed the kernel '{spec.display_name}'. The pod is unchanged, and so are open notebooks.")
