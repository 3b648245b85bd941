"""Rent a pod, or several. The body of the cell is a few lines of YAML, or the API's own JSON body; as a line,
flags say the same:

  %%pod_create --wait
  name: train
  gpu: H100_80GB

  %pod_create --gpu H100_80GB --name big --count 8 --max-price 20 --dry-run

  %%pod_create
  name: worker
  gpu: L4_24GB
  pods: 2
  env: {EPOCHS: 3}

What is left out is taken from the cheapest offer that fits. A body has the fields that the flags below
have, with underscores (max_price), and env as a mapping; camelCase, as the API writes it, is the same.
'pods' says how many, with numbered names; a YAML list of such forms rents different pods at once. ${NAME}
takes a notebook variable or an environment variable, and keeps a secret out of the notebook:
--env HF_TOKEN='${HF_TOKEN}'.

Running the cell again answers with the pod that is there, also where Ctrl-C or the end of the kernel cut
the launch off. --new rents one more of the name; --replace ends the old one where it has failed or differs.
Ctrl-C ends the waiting, never the pod.
"""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.notebook.input.arguments import ArgumentParser, add_timeout, add_yes
from primepods_magic.notebook.shell.output import say

if TYPE_CHECKING:
    from primepods_magic.notebook.input.variables import Variables
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.launching.launch import LaunchPlan
    from primepods_magic.pods.pod import Pod
    from primepods_magic.pods.spec.spec import PodSpec

# What a live pod of the name is found or compared by, or what has no part in what it is.
_COMPARED = {"name", "team", "gpu_type", "gpu_count", "socket", "image", "disk_size", "max_price"}

_FIELDS = {
    "name": ("NAME", "what to call it; it is its identity among your live pods"),
    "gpu": ("G", "GPU type, such as H100_80GB"),
    "count": ("N", "GPUs in the pod (default 1)"),
    "pods": ("N", "this many pods, with numbered names"),
    "max-price": ("X", "at most X USD per hour; agrees to that price, not to prepaid hours or --replace"),
    "region": ("R", "region, such as eu_north"),
    "country": ("C", "country, such as NO"),
    "provider": ("P", "provider, such as hyperstack"),
    "security": ("S", "secure_cloud or community_cloud"),
    "socket": ("S", "socket, such as PCIe or SXM5"),
    "image": ("I", "software image"),
    "template": ("ID", "a template of yours"),
    "disk": ("GB", "size of the pod's own disk"),
    "vcpus": ("N", "vCPUs"),
    "memory": ("GB", "memory"),
    "team": ("ID", "the team that is billed"),
    "cloud-id": ("ID", "an offer by its cloud_id, which is the only way to a spot machine"),
    "data-center-id": ("ID", "exactly this data center"),
    "ssh-key-id": ("ID", "the SSH key that can log in"),
    "prepaid-for-hr": ("H", "pay for H hours at once"),
}

_BODY_ONLY = {
    "jupyter_password": "password of the pod's Jupyter server",
    "shared_with_team": "true: share the pod with the team that is billed",
    "team_member_ids": "share the pod with these members of the team",
}


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of ``%%pod_create``, and those that stand for a body."""
    parser.add_argument("--wait", action="store_true", help="wait until the pod is ready")
    add_timeout(parser)
    parser.add_argument("--dry-run", action="store_true", help="show price and request, and order nothing")
    parser.add_argument("--new", action="store_true", help="rent another one, although this name is live")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="end my pod of this name first, where it has failed or differs",
    )
    add_yes(parser)
    spec = parser.add_argument_group("the spec as flags, for %pod_create without a body")
    for name, (metavar, what) in _FIELDS.items():
        spec.add_argument(f"--{name}", metavar=metavar, help=what)
    spec.add_argument("--disks", action="append", metavar="ID", help="attach this disk; may be repeated")
    spec.add_argument(
        "--env", action="append", type=_pair, metavar="KEY=VALUE", help="set a variable; may be repeated"
    )
    spec.add_argument("--auto-restart", action="store_true", default=None, help="start again after an error")
    only = "\n".join(f"{key:<18}{what}" for key, what in _BODY_ONLY.items())
    parser.add_argument_group("only in a body", only)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        # The text may hold a secret.
        raise ArgumentTypeError("a variable is KEY=VALUE")
    return key, value


def run(
    magics: PodsMagics, args: Namespace, cell: str | None, names: Mapping[str, Any], secrets: dict[str, str]
) -> Any:
    """The pod of ``%%pod_create``, or the list of several; with ``--dry-run`` the request that would be sent,
    secrets masked. ``secrets`` has those of the line, and gets those that the spec takes."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.input.variables import Variables
    from primepods_magic.notebook.shell.kernel import has_front_end
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.pods.launching.launch_many import carry_out_many, plan_many
    from primepods_magic.pods.launching.limits import Limits

    filled = frozenset(secrets)
    variables = Variables(names, secrets)
    specs = [_with_defaults(magics, spec) for spec in _specs(args, cell, variables, filled)]
    for spec in specs:
        variables.spare(spec.pod_name)
    if args.new and args.replace:
        raise InvalidRequest("--new and --replace exclude each other. Nothing was sent")
    connection = magics.connection
    plans = plan_many(
        connection,
        specs,
        new=args.new,
        replace_existing=args.replace,
        limits=Limits(magics.max_price_usd_hr, magics.max_burn_usd_hr),
        settle_s=magics.settle_s,
        tell=say,
    )
    for plan in plans:
        say(f"{connection.label}: {_announcement(plan)}")
    rates = [plan.quote.price_usd_hr for plan in plans if plan.quote]
    if len(rates) > 1:
        say(f"together: {format_usd_hr(sum(rates))}, {format_usd(sum(rates) * 24)}/day")
    if args.dry_run:
        shown = [_dry(connection, plan) for plan in plans]
        return shown[0] if len(shown) == 1 else shown
    question = "End and rent these?" if any(plan.replaces for plan in plans) else "Rent them?"
    if len(plans) == 1:
        question = "End that and rent this?" if plans[0].replaces else "Rent it?"
    pods = carry_out_many(
        connection,
        plans,
        yes=args.yes or _is_given(magics, plans),
        confirm=(lambda: confirm(magics.shell, question)) if has_front_end(magics.shell) else None,
        tell=say,
    )
    answer = pods[0] if len(pods) == 1 else pods
    magics.store(answer, args.out)
    _show_progress(magics, args, pods)
    return answer


def _specs(args: Namespace, cell: str | None, variables: Variables, filled: Collection[str]) -> list[PodSpec]:
    """What the body says, or the flags; secrets that were filled in are not written out in the cell."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.pods.spec.parser import find_plaintext_secrets, is_written_out
    from primepods_magic.pods.spec.spec import parse_specs, specs_from_mapping

    fields = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in _FIELDS}
    fields |= {"disks": args.disks, "auto_restart": args.auto_restart, "env": args.env}
    said = {name: value for name, value in fields.items() if value is not None}
    if cell is None and not said:
        raise InvalidRequest(
            "%pod_create needs a spec: flags such as '--gpu H100_80GB', or, as %%pod_create, a body under it "
            "such as 'gpu: H100_80GB'; '%pod_create -h' tells more"
        )
    if cell is not None:
        if said:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in said)
            raise InvalidRequest(
                f"the cell has a body, and {flags} beside it; say it in the body. Nothing was sent"
            )
        specs = parse_specs(cell, variable=variables, first_line=2)
        written_out = find_plaintext_secrets(cell)
    else:
        pairs = said.get("env") or []
        if len(dict(pairs)) < len(pairs):
            raise InvalidRequest("a variable is given twice (--env). Nothing was sent")
        if pairs:
            said["env"] = dict(pairs)
        specs = specs_from_mapping(said, variable=variables)
        written_out = [key for key, value in pairs if value not in filled and is_written_out(key, value)]
    for name in written_out:
        say(
            f"'{sanitize(name)}' is written out in this cell and will be saved with it; "
            f"${{{sanitize(name)}}} "
            "would keep it out"
        )
    return specs


def _with_defaults(magics: PodsMagics, spec: PodSpec) -> PodSpec:
    """A spec, with the settings where it says nothing."""
    chosen: dict[str, Any] = {}
    if magics.default_image and spec.image is None and spec.custom_template_id is None:
        chosen["image"] = magics.default_image
    is_placed = any((spec.region, spec.country, spec.data_center_id, spec.cloud_id))
    if magics.default_region and not is_placed:
        chosen["region"] = magics.default_region
    if magics.default_team and spec.team is None:
        chosen["team"] = magics.default_team
    return spec.model_copy(update=chosen)


def _is_given(magics: PodsMagics, plans: Sequence[LaunchPlan]) -> bool:
    """The settings agree to every launch below their ceiling, but not to ending a pod or paying ahead."""
    is_given = magics.consent == "given" and magics.max_price_usd_hr is not None
    return is_given and not any(plan.goes_further for plan in plans)


def _announcement(plan: LaunchPlan) -> str:
    from primepods_magic.api.text.sanitize import sanitize

    if plan.quote is not None:
        said = f"'{sanitize(plan.name)}' is {plan.consequences}"
        return said if plan.spec.cloud_id else f"{said}\n  {plan.quote.reason}"
    said = f"'{sanitize(plan.name)}' is there already; nothing was created"
    told = {name for name in type(plan.spec).model_fields if getattr(plan.spec, name) is not None}
    beside = sorted(told - _COMPARED)
    return f"{said}, and what the cell says of {', '.join(beside)} was not compared" if beside else said


def _dry(connection: Connection, plan: LaunchPlan) -> Any:
    from primepods_magic.pods.pod import Pod

    if plan.existing is not None:
        return Pod(connection, plan.existing)
    return plan.request.masked() if plan.request else None


def _show_progress(magics: PodsMagics, args: Namespace, pods: Sequence[Pod]) -> None:
    connection, details = pods[0].connection, [pod.details for pod in pods]

    def update(seen: Any) -> None:
        for pod, newest in zip(pods, seen.pods, strict=True):
            pod.update(newest)

    if args.wait:
        update(magics.live.follow(connection, details, goal="ready", timeout_s=args.timeout))
    elif magics.live.can_watch_behind:
        magics.live.watch(connection, details, on_look=update)
    elif not all(pod.is_ready for pod in pods):
        words = " ".join(pod.details.cli_name for pod in pods)
        say(f"'%pods wait {words}' waits until {'it is' if len(pods) == 1 else 'they are'} ready")
