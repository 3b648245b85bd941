"""The guard that runs on a pod: armed, held, ended and read over the connection to its agent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, get_args

from primepods_magic.api.errors import GuardNotArmed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.instants import duration
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.arming import arm_guard
from primepods_magic.pods.guards.process import open_process
from primepods_magic.pods.guards.records import GuardRecord, find_record
from primepods_magic.pods.guards.rules import GuardRules, RuleName
from primepods_magic.remote.frame_checks import read_number
from primepods_magic.remote.limits.figures import MAX_SECONDS
from primepods_magic.remote.links import open_link

from .clock import GuardClock

__all__ = ["arm_on_pod", "end_on_pod", "hold_on_pod", "read_on_pod"]

_MAX_SILENT_S = 180.0
_MAX_CHARS = 300
_STATES = ("armed", "unproven", "ending")
_STEPS = ("interrupting", "saving", "terminating")


def arm_on_pod(connection: Connection, pod: PodDetails, rules: GuardRules, key: str = "") -> GuardRecord:
    """Arm the guard of a pod on the pod itself, after a test fire from there, and watch it from here.

    Without a key, it goes on with the one that it has. Raises GuardNotArmed if the guard could not end the
    pod; an earlier guard stays as it is.
    """
    name = sanitize(pod.name)
    earlier = find_record(connection, pod.id)
    held_until = earlier.held_until if earlier else None
    # What cannot be watched from here is not begun there.
    open_process(connection)
    try:
        answer = open_link(connection, pod).ask(
            "guard_arm",
            key=key,
            pod_id=pod.id,
            rules=_pack_rules(rules),
            base_url=connection.settings.base_url,
            is_sandbox=connection.is_sandbox,
            speed=GuardClock(connection).speed,
            gpu_count=1 if pod.total_gpus is None else pod.total_gpus,
            created_at_s=pod.created_at.timestamp() if pod.created_at else None,
            held_until_s=held_until.timestamp() if held_until else 0.0,
        )
    except PodsError as error:
        error.hide({key: "***"} if key else {})
        raise GuardNotArmed(f"The guard of '{name}' is not armed on the pod: {error}") from None
    if answer.get("obstacle") != "":
        failure = GuardNotArmed(
            f"The guard of '{name}' is not armed: on the pod, {_clean_text(answer.get('obstacle'))}"
        )
        failure.hide({key: "***"} if key else {})
        raise failure
    try:
        return arm_guard(connection, pod, rules, "pod")
    except PodsError as error:
        raise GuardNotArmed(
            f"The guard of '{name}' is armed on the pod and ends it {rules.describe()}, but this computer "
            f"does not watch it. {error}"
        ) from None


def _pack_rules(rules: GuardRules) -> dict[str, Any]:
    names = {"ends_at", "idle_s", "max_total_usd", "on_end", "hold_s"}
    return rules.model_dump(mode="json", include=names)


def hold_on_pod(connection: Connection, pod: PodDetails, until: datetime) -> None:
    """Keep a pod from its deadline and from idleness until a time. Raises PodsError if that is refused."""
    _ask_for(connection, pod, "guard_hold", until_s=until.timestamp())


def end_on_pod(connection: Connection, pod: PodDetails) -> None:
    """End the guard on a pod, and delete its key. Raises PodsError if that is refused or not possible."""
    _ask_for(connection, pod, "guard_end")


def _ask_for(connection: Connection, pod: PodDetails, op: str, **values: Any) -> None:
    name = sanitize(pod.name)
    try:
        answer = open_link(connection, pod).ask(op, **values)
    except PodsError as error:
        raise PodsError(
            f"The guard on '{name}' cannot be reached, and goes on as it is. Nothing was changed. {error}"
        ) from None
    if answer.get("refused") != "":
        raise PodsError(f"'{name}': {_clean_text(answer.get('refused'))}. Nothing was changed")


def read_on_pod(connection: Connection, pod: PodDetails) -> dict[str, Any]:
    """Return what the guard on a pod says, as changes of its record.

    Raises PodsError if the pod's agent does not answer.
    """
    answer = open_link(connection, pod).ask("guard_state")
    said, order = _read_mapping(answer.get("guard")), answer.get("order")
    rule = said.get("due_rule")
    due_at = _read_time(said.get("due_at"))
    trouble = _find_trouble(answer, said)
    state = said.get("state") if said.get("state") in _STATES else "unproven"
    is_wrong = bool(trouble) or not isinstance(order, dict) or order.get("pod_id") != pod.id
    if is_wrong and not trouble:
        trouble = "the pod has no guard any more: arm it again"
    if said.get("kept") and said.get("has_held_unsaved") is True:
        trouble = "; ".join(filter(None, (trouble, _clean_text(said["kept"]))))
    return {
        "state": "unproven" if is_wrong else state,
        "due_at": due_at,
        "due_rule": rule if due_at and rule in get_args(RuleName) else None,
        "why": _clean_text(said.get("why")),
        "trouble": trouble or _clean_text(said.get("trouble")),
        "step": said["step"] if said.get("step") in _STEPS else "",
        "tested_at": _read_time(said.get("tested_at")),
    }


def _find_trouble(answer: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """Return why the guard on the pod cannot be relied on."""
    if answer.get("keeper_trouble"):
        return _clean_text(answer["keeper_trouble"])
    if answer.get("is_running") is not True:
        return "the guard on the pod does not run"
    silent_s = read_number(answer, "silent_s", lowest=0.0, highest=MAX_SECONDS)
    # While a command of the user runs, it is silent.
    if silent_s is None or (silent_s > _MAX_SILENT_S and not said.get("step")):
        since = "" if silent_s is None else f" for {duration(timedelta(seconds=silent_s))}"
        return f"the guard on the pod has not checked anything{since}"
    return ""


def _read_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _clean_text(value: object) -> str:
    return sanitize(shorten(value, _MAX_CHARS)) if isinstance(value, str) else ""
