"""Rent a pod. The body of the cell is a few lines of YAML, or the API's own JSON body:

  %%pod_create --wait
  name: train
  gpu: H100_80GB

What is left out is taken from the cheapest offer that fits. Fields: name, gpu, count, region, country,
provider, security, socket, image, template, disk, vcpus, memory, max_price, env (a mapping), disks, team,
jupyter_password, ssh_key_id, auto_restart, cloud_id, data_center_id, prepaid_for_hr. ${NAME} takes a notebook
variable or an environment variable, and keeps a secret out of the notebook.

Running the cell again answers with the pod that is there, also where Ctrl-C or the end of the kernel cut
the launch off. --new rents one more of the name; --replace ends the old one where it has failed or differs.
Ctrl-C ends the waiting, never the pod.
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.text import clean
from primepods_magic.notebook.arguments import ArgumentParser, add_timeout, add_yes
from primepods_magic.notebook.consent import ask
from primepods_magic.notebook.views import has_front_end
from primepods_magic.pods.handle import Pod
from primepods_magic.pods.launch import LaunchPlan, Limits, carry_out, plan_launch
from primepods_magic.pods.spec import PodSpec, literal_secrets, parse_spec

if TYPE_CHECKING:
    from primepods_magic.notebook.magics import PodsMagics

# What a live pod of the name is found or compared by, or what has no part in what it is.
_COMPARED = {"name", "team", "gpu_type", "gpu_count", "socket", "image", "disk_size", "max_price"}


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%%pod_create``."""
    parser.add_argument("--wait", action="store_true", help="wait until the pod is ready")
    add_timeout(parser)
    parser.add_argument("--dry-run", action="store_true", help="show price and request, and send nothing")
    parser.add_argument("--new", action="store_true", help="rent another one, although this name is live")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="end my pod of this name first, where it has failed or differs",
    )
    add_yes(parser)


def run(magics: PodsMagics, args: Namespace, cell: str | None) -> Any:
    """The pod of ``%%pod_create``; with ``--dry-run`` the request that would be sent, secrets masked."""
    if cell is None:
        raise InvalidRequest("%%pod_create needs a body under it, such as 'gpu: H100_80GB'; '-h' tells more")
    variables = _Variables(magics.shell.user_ns)
    try:
        return _launch(magics, args, cell, variables)
    except PodsError as error:
        variables.hide_in(error)
        raise


def _launch(magics: PodsMagics, args: Namespace, cell: str, variables: _Variables) -> Any:
    spec = parse_spec(cell, variable=variables, first_line=2)
    variables.spare(spec.pod_name)
    for name in literal_secrets(cell):
        print(
            f"'{name}' is written out in this cell and will be saved with it; ${{{name}}} would keep it out"
        )
    connection = magics.connection
    if args.new and args.replace:
        raise InvalidRequest("--new and --replace exclude each other. Nothing was sent")
    plan = plan_launch(
        connection,
        spec,
        new=args.new,
        replace_existing=args.replace,
        limits=Limits(magics.max_price_usd_hr, magics.max_burn_usd_hr),
        settle_s=magics.settle_s,
        tell=print,
    )
    print(f"{connection.label}: {_announcement(plan, spec)}")
    if args.dry_run:
        return plan.request.masked() if plan.request else Pod(connection, plan.existing)  # type: ignore[arg-type]
    question = "End that and rent this?" if plan.replaces else "Rent it?"
    confirm = (lambda plan: ask(magics.shell, question)) if has_front_end(magics.shell) else None
    pod = carry_out(connection, plan, yes=args.yes, confirm=confirm, tell=print)
    magics.store(pod, args.out)
    _show_progress(magics, args, pod)
    return pod


def _announcement(plan: LaunchPlan, spec: PodSpec) -> str:
    if plan.existing is None:
        return f"'{clean(plan.name)}' is {plan.consequences}"
    said = f"'{clean(plan.name)}' is there already; nothing was created"
    told = {name for name in type(spec).model_fields if getattr(spec, name) is not None}
    beside = sorted(told - _COMPARED)
    return f"{said}, and what the cell says of {', '.join(beside)} was not compared" if beside else said


def _show_progress(magics: PodsMagics, args: Namespace, pod: Pod) -> None:
    if args.wait:
        snapshot = magics.live.follow(pod.connection, [pod.details], goal="ready", timeout_s=args.timeout)
        pod.update(snapshot.pods[0])
    elif magics.live.can_watch_behind:
        magics.live.watch(pod.connection, [pod.details], on_look=lambda seen: pod.update(seen.pods[0]))
    elif not pod.is_ready:
        print(f"'%pods wait {pod.details.word}' waits until it is ready")


class _Variables:
    """The variables that ``${NAME}`` takes: a notebook's, else the environment's, which are kept secret."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._names_of: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self._namespace:
            value = os.environ[name]
            # A letter or two is in every sentence, and no secret.
            if len(value) > 2:
                self._names_of[value] = f"${{{name}}}"
            return value
        value = self._namespace[name]
        if isinstance(value, bool):
            return json.dumps(value)
        if isinstance(value, (str, int, float, PurePath)):
            return str(value)
        raise InvalidRequest(
            f"${{{name}}} is a {type(value).__name__}, not a text or a number. Nothing was sent"
        )

    def spare(self, name: str) -> None:
        """What is part of a pod's name is told by every listing, and by errors as well."""
        self._names_of = {value: said for value, said in self._names_of.items() if value not in name}

    def hide_in(self, error: PodsError) -> None:
        """Put the environment's names in the place of its values, wherever an error repeats them."""
        error.hide(self._names_of)
