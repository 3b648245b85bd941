"""The guards of launches: tested before anything is rented, and armed once there is a pod."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from primepods_magic.api.errors import GuardNotArmed
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.arming import arm_guard, require_guards
from primepods_magic.pods.guards.records import find_account_folder, read_record
from primepods_magic.pods.guards.rules import GuardRules, make_rules
from primepods_magic.pods.spec.fields import GUARD_FIELDS
from primepods_magic.pods.spec.spec import PodSpec

if TYPE_CHECKING:
    from primepods_magic.pods.pod import Pod

    from .plan import LaunchPlan

__all__ = ["arm_guards", "plan_guard"]


def plan_guard(
    connection: Connection, spec: PodSpec, pod: PodDetails | None = None, *, is_dry_run: bool = False
) -> GuardRules | None:
    """Resolve the guard that a spec asks for, and test that it could end a pod; None if it asks for none.

    The time of ``for`` counts from the creation of the pod that exists. Raise InvalidRequest for a time that
    is past, and GuardNotArmed; nothing was created.
    """
    if all(getattr(spec, field) is None for field in GUARD_FIELDS):
        return None
    rules = make_rules(
        now=connection.now(),
        since=pod.created_at if pod else None,
        lasts=spec.run_for,
        until=spec.until,
        idle=spec.idle,
        max_total_usd=spec.max_total_usd,
    )
    if not is_dry_run:
        require_guards(connection)
    return rules


def arm_guards(
    connection: Connection,
    plans: Sequence[LaunchPlan],
    pods: Sequence[Pod],
    tell: Callable[[str], object],
) -> None:
    """Arm the guards of launched pods; a guard that has these rules already stays as it is.

    Raise GuardNotArmed if one cannot be armed although the test before the launch succeeded: its pod exists
    and is billed.
    """
    folder = find_account_folder(connection)
    for plan, pod in zip(plans, pods, strict=True):
        rules = plan.guard
        if rules is None:
            continue
        if plan.spec.run_for is not None:
            # It counts from the creation, which is known only now.
            rules = plan_guard(connection, plan.spec, pod.details, is_dry_run=True) or rules
        earlier = read_record(folder, pod.id) if folder else None
        if earlier is not None and earlier.state == "armed" and _is_same(earlier.rules, rules, plan.spec):
            continue
        name, word = sanitize(pod.name), pod.details.cli_name
        try:
            arm_guard(connection, pod.details, rules)
        except GuardNotArmed as error:
            failure = GuardNotArmed(
                f"{error}. '{name}' exists and is billed, and nothing ends it by itself. "
                f"'%pods guard {word} --for 4h' arms a guard, '%pods rm {word}' ends the pod"
            )
            failure.may_be_billed = True
            raise failure from None
        tell(
            f"'{name}' ends by itself {rules.describe()}. The guard is armed and works while this computer "
            "is on. '%pods guard' shows it"
        )


def _is_same(earlier: GuardRules, rules: GuardRules, spec: PodSpec) -> bool:
    """Compare what a spec asks for; what else was set with ``%pods guard`` stays."""
    asked = {"ends_at": rules.ends_at, "idle_s": rules.idle_s, "max_total_usd": rules.max_total_usd}
    if spec.until is not None and earlier.ends_at is not None:
        # A time of day means the next one, in each run again.
        asked.pop("ends_at")
    return all(getattr(earlier, field) == value for field, value in asked.items() if value is not None)
