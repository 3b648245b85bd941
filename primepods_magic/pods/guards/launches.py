"""The guards of launches: tested before anything is rented, and armed once there is a pod."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from primepods_magic.api.errors import GuardNotArmed, InvalidRequest
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.fields import GUARD_FIELDS
from primepods_magic.pods.spec.spec import PodSpec

from .arming import require_guards
from .records import find_record
from .rules import PLACES, GuardRules, make_rules

__all__ = ["arm_launched", "plan_guard"]

_OF_SPECS = ("ends_at", "idle_s", "max_total_usd", "asked")


def plan_guard(
    connection: Connection, spec: PodSpec, pod: PodDetails | None = None, *, is_dry_run: bool = False
) -> GuardRules | None:
    """Resolve the guard that a spec asks for, and test that it could end a pod; None if it asks for none.

    The time of ``for`` counts from the creation of the pod that exists. Raise InvalidRequest for a time that
    is past, and GuardNotArmed; nothing was created.
    """
    asked = _describe_asked(spec)
    if not asked:
        return None
    earlier = find_record(connection, pod.id) if pod else None
    if earlier is not None and earlier.rules.asked == asked:
        # The cell runs again: what was changed by hand since then stays.
        if not is_dry_run:
            # After a restart of this computer, nothing else may have started the guard again.
            require_guards(connection)
        return earlier.rules
    rules = make_rules(
        now=connection.now(),
        since=pod.created_at if pod else None,
        lasts=spec.run_for,
        until=spec.until,
        idle=spec.idle,
        max_total_usd=spec.max_total_usd,
        asked=asked,
    )
    if not is_dry_run:
        require_guards(connection)
    return rules


def _describe_asked(spec: PodSpec) -> str:
    fields = {field: getattr(spec, field) for field in sorted(GUARD_FIELDS)}
    given = {field: value for field, value in fields.items() if value is not None}
    return json.dumps(given) if given else ""


def arm_launched(
    connection: Connection,
    spec: PodSpec,
    rules: GuardRules,
    pod: PodDetails,
    tell: Callable[[str], object],
) -> None:
    """Arm the guard of a pod that was launched; one that has these rules already stays as it is.

    Raise GuardNotArmed if that fails although the test before the launch succeeded: the pod exists and is
    billed.
    """
    if spec.run_for is not None:
        # It counts from the creation, which is known only now.
        with suppress(InvalidRequest):
            # Not if it is past by now: then it counts from the launch.
            rules = plan_guard(connection, spec, pod, is_dry_run=True) or rules
    earlier = find_record(connection, pod.id)
    if earlier is not None:
        if earlier.rules.asked == rules.asked and earlier.state == "armed":
            return
        # What else was set with `%pods guard` stays.
        changes = {field: value for field, value in rules if value is not None and field in _OF_SPECS}
        rules = earlier.rules.model_copy(update=changes)
    name, word = sanitize(pod.name), pod.cli_name
    failure: GuardNotArmed
    try:
        from primepods_magic.pods.methods.guards import arm_rules

        record = arm_rules(connection, pod, rules, earlier)
    except (GuardNotArmed, InvalidRequest) as error:
        failure = GuardNotArmed(
            f"{error}. '{name}' exists and is billed, and nothing ends it by itself. "
            f"'%pods guard {word} --for 4h' arms a guard, '%pods rm {word}' ends the pod"
        )
        failure.may_be_billed = True
    else:
        tell(
            f"'{name}' ends by itself {rules.describe()}. The guard is armed and {PLACES[record.where]}. "
            "'%pods guard' shows it"
        )
        return
    raise failure
