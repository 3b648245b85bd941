"""What public calls return has a short `repr`: one line of about a hundred characters, without secrets."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

import pytest
from pydantic import BaseModel

import primepods_magic
from primepods_magic import Client, Limits, Pod, costs, get_pod, launch, list_pods
from primepods_magic.api.models import Offer, Page, PodDetails
from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import plan_many
from primepods_magic.pods.launching.plan import LaunchPlan
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.terminate import TerminationResult
from primepods_magic.pods.wait import begin_waiting
from primepods_magic.pods.watching.snapshot import Change, ChangeKind, Estimate, Snapshot

MAX_CHARS = 100
HOSTILE = "\x1b[2J\u202e\n" + "x" * 2_000
SECRET = "hunter2-hunter2"
# Errors and frames have their own forms; enums and texts are words.
NOT_VALUES = (BaseException, str)


def _list_members(owner: Any) -> Iterator[Any]:
    for name, member in vars(owner).items():
        if not name.startswith("_"):
            yield member.fget if isinstance(member, property) else member


def list_returned_classes() -> set[type]:
    """Return every class of ours that a public function, method or property returns, and their fields'."""
    classes = {
        name: each
        for place, module in list(sys.modules.items())
        if place.startswith(("primepods_magic.api.", "primepods_magic.pods.", "primepods_magic.costs."))
        for name, each in vars(module).items()
        if inspect.isclass(each) and each.__module__ == place and not issubclass(each, NOT_VALUES)
    }
    functions = [
        *(getattr(primepods_magic, name) for name in primepods_magic.__all__),
        *(getattr(costs, name) for name in costs.__all__),
        *_list_members(Pod),
        *_list_members(Client),
    ]
    # Annotations are texts, whose names may be for type checkers only.
    hints = [each.__annotations__.get("return", "") for each in functions if inspect.isfunction(each)]
    hints.append("Waiting, LaunchPlan, PodSpec, Snapshot, Limits, Settings")
    found: set[type] = set()
    while hints:
        named = {classes[word] for word in re.findall(r"\w+", str(hints.pop())) if word in classes}
        values = [kind for kind in named - found if is_dataclass(kind) or issubclass(kind, BaseModel)]
        hints += [hint for kind in values for hint in vars(kind).get("__annotations__", {}).values()]
        found |= named
    return found


def test_no_returned_class_has_a_generated_repr() -> None:
    classes = list_returned_classes()
    assert {
        Pod,
        PodDetails,
        Offer,
        TerminationResult,
        LaunchPlan,
        Page,
        Connection,
        Change,
        Estimate,
    } <= classes
    plain = {
        kind.__name__
        for kind in classes
        if kind.__repr__ in (object.__repr__, BaseModel.__repr__) or hasattr(kind.__repr__, "__wrapped__")
    }
    assert plain == set()


def is_short(text: str, max_chars: int = MAX_CHARS) -> bool:
    return len(text) <= max_chars and text.isprintable() and "datetime(" not in text and SECRET not in text


def test_what_public_calls_return_is_shown_on_a_short_line(connection: Connection) -> None:
    client = connection.client
    pod = launch(gpu="L4_24GB", name="train", env={"A": SECRET}, jupyter_password=SECRET)
    (plan,) = plan_many(connection, [{"gpu": "H100_80GB", "count": 2, "jupyter_password": SECRET}])
    (old,) = plan_many(connection, [{"gpu": "L4_24GB", "name": "train"}])
    waiting = begin_waiting(connection, [pod.details], answer=lambda snapshot: snapshot)
    seen: list[Any] = [pod, plan, old, plan.quote, plan.request, plan.spec, waiting, pod.wait()]
    seen += [get_pod("train"), *list_pods(), pod.details, connection, connection.settings, Limits(3, 4.5)]
    seen += [client.list_pods(), client.whoami(), client.wallet(), *client.wallet().recent_billings]
    seen += [*client.list_teams(), *client.list_team_members("team_id"), *client.list_ssh_keys()]
    seen += [*client.list_disks(), *client.list_offers(), *client.pod_history().items]
    seen += [
        *client.gpu_summary().values(),
        *client.pod_status([pod.id]),
        waiting.result(),
        pod.terminate(),
        waiting,
    ]
    assert [repr(each) for each in seen if not is_short(repr(each))] == []
    assert [str(each) for each in seen if isinstance(each, BaseModel) and not is_short(str(each))] == []
    assert repr(plan.quote).startswith("Quote: 2 × H100_80GB at ")
    assert repr(plan).startswith("LaunchPlan 'h100-80gb-2-")
    assert repr(old) == "LaunchPlan 'train': already exists (PROVISIONING)"


@pytest.mark.parametrize("text", [HOSTILE, "\u200b" * 50, ""])
def test_text_of_the_service_is_short_and_clean(connection: Connection, text: str) -> None:
    details = PodDetails.model_validate(
        {
            "id": text,
            "name": text,
            "status": text,
            "gpuName": text,
            "gpuType": text,
            "installationFailure": text,
            "installationStatus": "FAILED",
        }
    )
    now = connection.now()
    change = Change(ChangeKind.STATUS, now, details, details, text)
    seen = [
        Snapshot((details,), now, text, changes=(change,)),
        change,
        Estimate(1.0, 2.0, now),
        details,
        Offer(cloud_id=text, gpu_type=text, provider=text, data_center=text),
        TerminationResult(text, text, "terminated", created_at=now, terminated_at=now),
        PodSpec(gpu_type=f"A{text}"[:900], jupyter_password=Secret(SECRET)),
    ]
    assert [repr(each) for each in seen if not is_short(repr(each))] == []
    assert is_short(repr(Pod(connection, details)), 200)
