"""Rent one or more pods.

The body of the cell is a few lines of YAML, or the API's own JSON body. On a line, use flags instead:

  %%pod_create --wait
  name: train
  gpu: H100_80GB

  %pod_create --gpu H100_80GB --name big --count 8 --max-price 20 --dry-run

  %%pod_create
  name: worker
  gpu: L4_24GB
  pods: 2
  env: {EPOCHS: 3}

The cheapest matching offer fills in everything you leave out. Of several GPU types, regions, countries or
providers, as in 'gpu: [H100_80GB, A100_80GB]' or '--gpu H100_80GB,A100_80GB', any will do. 'min_vram: 48'
without a GPU type takes any GPU with at least 48 GB. An offer that does not state an amount does not reach a
minimum. A body has the same fields as the flags below, with underscores (max_price) or in the API's
camelCase, and env as a mapping.
'pods' is the number of pods, with numbered names; a YAML list of bodies rents different pods at once. ${NAME}
inserts a notebook variable or an environment variable, and keeps a secret out of the notebook:
--env HF_TOKEN='${HF_TOKEN}'.

If nothing fits now, --wait-for-stock 2h lets this computer launch the pod once as soon as an offer does, also
after this notebook is closed. It needs max_price, or -y with the ceiling PodsMagics.max_price_usd_hr.

Running the cell again returns the existing pod, even if Ctrl-C or a dead kernel interrupted the launch.
--new rents another pod of the same name. --replace terminates the old one if it has failed or differs.
Ctrl-C stops the wait, never the pod.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.notebook.input.arguments import (
    ArgumentParser,
    add_field,
    add_notify,
    add_timeout,
    add_yes,
)
from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.spec.fields import GUARD_FIELDS, SPEC_FIELDS

if TYPE_CHECKING:
    from primepods_magic.notebook.input.variables import Variables
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.launching.plan import LaunchPlan
    from primepods_magic.pods.pod import Pod
    from primepods_magic.pods.spec.spec import PodSpec

# Fields that a live pod of the name is found or compared by.
_COMPARED = {"name", "team", "gpu_type", "gpu_count", "socket", "image", "disk_size", "max_price"}
_COMPARED |= {"min_vram_gb", "min_total_vram_gb", *GUARD_FIELDS}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--wait", action="store_true", help="wait until the pod is ready")
    add_timeout(parser)
    add_notify(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="show the price and the request, and rent nothing"
    )
    parser.add_argument("--new", action="store_true", help="rent another pod even if this name is live")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="first terminate your pod of this name if it has failed or differs",
    )
    parser.add_argument(
        "--wait-for-stock",
        metavar="T",
        help="if nothing fits now, launch once an offer does, within this time, such as 2h",
    )
    add_yes(parser)
    spec = parser.add_argument_group("fields, for %pod_create without a body")
    for field in SPEC_FIELDS.values():
        if field.flag:
            add_field(spec, field)
    only = "\n".join(f"{field.key:<18}{field.help}" for field in SPEC_FIELDS.values() if not field.flag)
    parser.add_argument_group("only in a body", only)


def run(
    magics: PodsMagics,
    args: Namespace,
    cell: str | None,
    names: Mapping[str, Any],
    secrets: dict[str, str],
    source: str = "cell",
) -> Any:
    """Return the pod, a list of several, or with ``--dry-run`` the request with secrets masked.

    ``secrets`` has those of the line; those that the spec takes are added to it. ``source`` is what the body
    or the flags are in.
    """
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.notebook.input.variables import Variables
    from primepods_magic.pods.guards.stock_waits import awaiting_stock
    from primepods_magic.pods.launching.launch import plan_many
    from primepods_magic.pods.launching.limits import Limits

    filled = frozenset(secrets)
    variables = Variables(names, secrets)
    specs = [_apply_defaults(magics, spec) for spec in _read_specs(args, cell, variables, filled, source)]
    for spec in specs:
        variables.spare(spec.pod_name)
    if args.new and args.replace:
        raise InvalidRequest("Use either --new or --replace. Nothing was sent")
    connection = magics.connection
    limits = Limits(magics.max_price_usd_hr, magics.max_burn_usd_hr, magics.max_month_usd)
    with awaiting_stock(
        connection,
        specs,
        args.wait_for_stock,
        yes=args.yes,
        is_agreed=magics.consent == "given",
        is_plain=not (args.new or args.replace or args.dry_run),
        limits=limits,
        settle_s=magics.settle_s,
    ):
        plans = plan_many(
            connection,
            specs,
            new=args.new,
            replace_existing=args.replace,
            limits=limits,
            settle_s=magics.settle_s,
            tell=say,
            is_dry_run=args.dry_run,
        )
        pods = _launch_plans(magics, args, plans)
    if args.dry_run:
        shown = [_show_request(connection, plan) for plan in plans]
        return shown[0] if len(shown) == 1 else shown
    result = pods[0] if len(pods) == 1 else pods
    magics.store(result, args.out)
    _show_progress(magics, args, pods)
    return result


def _launch_plans(magics: PodsMagics, args: Namespace, plans: Sequence[LaunchPlan]) -> Sequence[Pod]:
    """Show plans and carry them out; a dry run returns no pods."""
    from primepods_magic.api.errors import WaitInterrupted
    from primepods_magic.notebook.shell.kernel import has_front_end
    from primepods_magic.notebook.shell.prompt import confirm
    from primepods_magic.pods.launching.carry_out import carry_out
    from primepods_magic.pods.launching.existing import list_notices

    connection = magics.connection
    try:
        _show_plans(connection, plans)
    except KeyboardInterrupt:
        raise WaitInterrupted("Interrupted. Nothing was created") from None
    if args.dry_run:
        for notice in (text for plan in plans if plan.existing for text in list_notices(plan, plan.existing)):
            say(notice)
        return []
    question = (
        "Terminate the old pods and rent these?" if any(plan.replaces for plan in plans) else "Rent them?"
    )
    if len(plans) == 1:
        question = "Terminate the old pod and rent this one?" if plans[0].replaces else "Rent it?"
    return carry_out(
        connection,
        plans,
        yes=args.yes or _has_consent(magics, plans),
        confirm=(lambda: confirm(magics.shell, question)) if has_front_end(magics.shell) else None,
        tell=say,
    )


def _show_plans(connection: Connection, plans: Sequence[LaunchPlan]) -> None:
    for plan in plans:
        say(f"{connection.label}: {_describe_plan(plan)}")
    rates = [plan.quote.price_usd_hr for plan in plans if plan.quote]
    if len(rates) > 1:
        say(f"In total: {format_usd_hr(sum(rates))}, {format_usd(sum(rates) * 24)}/day")


def _read_specs(
    args: Namespace, cell: str | None, variables: Variables, filled: Collection[str], source: str
) -> list[PodSpec]:
    """Read the specs from the body or the flags, and name secrets that are written out in the cell."""
    from primepods_magic.api.errors import InvalidRequest
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.pods.spec.keys import use_flags
    from primepods_magic.pods.spec.parser import find_plaintext_secrets, is_written_out
    from primepods_magic.pods.spec.spec import parse_specs, specs_from_mapping

    flags = {field.key: field.flag for field in SPEC_FIELDS.values() if field.flag}
    given = {key: getattr(args, key) for key in flags if getattr(args, key) is not None}
    if cell is None and not given:
        raise InvalidRequest(
            "%pod_create needs flags such as '--gpu H100_80GB', or, as %%pod_create, a body such as "
            "'gpu: H100_80GB'. Run '%pod_create -h' for help"
        )
    if cell is not None:
        if given:
            named = ", ".join(flags[key] for key in given)
            raise InvalidRequest(f"The {source} has a body. Put {named} into the body. Nothing was sent")
        specs = parse_specs(cell, variable=variables, first_line=2 if source == "cell" else 1)
        written_out = find_plaintext_secrets(cell)
    else:
        pairs = given.get("env") or []
        if len(dict(pairs)) < len(pairs):
            raise InvalidRequest("--env sets a variable twice. Nothing was sent")
        if pairs:
            given["env"] = dict(pairs)
        specs = specs_from_mapping(use_flags(given), variable=variables)
        written_out = [key for key, value in pairs if value not in filled and is_written_out(key, value)]
    for name in written_out:
        say(
            f"The value of '{sanitize(name)}' is in this {source} and will be saved with it. Use "
            f"${{{sanitize(name)}}} to keep it out"
        )
    return specs


def _apply_defaults(magics: PodsMagics, spec: PodSpec) -> PodSpec:
    """Fill in the settings for fields that a spec leaves out."""
    chosen: dict[str, Any] = {}
    if magics.default_image and spec.image is None and spec.custom_template_id is None:
        chosen["image"] = magics.default_image
    is_placed = any((spec.region, spec.country, spec.data_center_id, spec.cloud_id))
    if magics.default_region and not is_placed:
        chosen["region"] = magics.default_region
    if magics.default_team and spec.team is None:
        chosen["team"] = magics.default_team
    return spec.model_copy(update=chosen)


def _has_consent(magics: PodsMagics, plans: Sequence[LaunchPlan]) -> bool:
    """Return whether the settings confirm the launches: never to terminate a pod, or to pay in advance."""
    is_given = magics.consent == "given" and magics.max_price_usd_hr is not None
    return is_given and not any(plan.goes_further for plan in plans)


def _describe_plan(plan: LaunchPlan) -> str:
    from primepods_magic.api.text.sanitize import sanitize

    if plan.quote is not None:
        text = f"'{sanitize(plan.name)}' is {plan.consequences}"
        if plan.guard is not None:
            text += f"\n  It ends by itself {plan.guard.describe()}{_estimate_end(plan)}"
        return text if plan.spec.cloud_id else f"{text}\n  {plan.quote.reason}"
    text = f"'{sanitize(plan.name)}' already exists. Nothing was created"
    given = {name for name in type(plan.spec).model_fields if getattr(plan.spec, name) is not None}
    ignored = sorted(given - _COMPARED)
    return f"{text}. Not compared with this cell: {', '.join(ignored)}" if ignored else text


def _estimate_end(plan: LaunchPlan) -> str:
    """Return what the pod costs until its deadline at most, by its quote."""
    from primepods_magic.api.text.money import format_about

    lasts_s = plan.spec.run_for
    if plan.quote is None or lasts_s is None:
        return ""
    return f": {format_about(plan.quote.price_usd_hr * lasts_s / 3600)} by then"


def _show_request(connection: Connection, plan: LaunchPlan) -> Any:
    from primepods_magic.pods.pod import Pod

    if plan.existing is not None:
        return Pod(connection, plan.existing)
    return plan.request.masked() if plan.request else None


def _show_progress(magics: PodsMagics, args: Namespace, pods: Sequence[Pod]) -> None:
    from primepods_magic.notebook.display.pod import note_below_bar
    from primepods_magic.notebook.shell.kernel import run_of

    connection, details = pods[0].connection, [pod.details for pod in pods]
    if magics.live.can_watch_in_background:
        for pod in pods:
            note_below_bar(pod, run_of(magics.shell))

    def update(seen: Any) -> None:
        for pod, newest in zip(pods, seen.pods, strict=True):
            pod.update(newest)

    if args.wait:
        magics.live.follow(
            connection,
            details,
            goal="ready",
            timeout_s=args.timeout,
            notifies=args.notify,
            on_snapshot=update,
        )
    elif magics.live.can_watch_in_background:
        magics.live.watch(connection, details, notifies=args.notify, on_snapshot=update)
    elif coming := [pod for pod in pods if not pod.details.is_settled]:
        words = " ".join(pod.details.cli_name for pod in coming)
        say(f"Run '%pods wait {words}' to wait until {'it is' if len(coming) == 1 else 'they are'} ready")
