"""Every form in which Python can be given a pod rents the same one, checked alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from primepods_magic import launch, launch_many
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.spec.given_specs import read_one_spec
from primepods_magic.pods.spec.spec import spec_from_mapping
from tests.api.test_requests import PAGE_BODY

FIELDS = {"gpu": "L4_24GB", "name": "a"}


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ("L4_24GB", {"name": "a"}),
        ("L4", {"name": "a", "tell": str}),
        ("gpu: L4_24GB\nname: a", {}),
        ("- gpu: L4_24GB\n  name: a", {}),
        ("# a comment\ngpu: L4_24GB\nname: a\n", {}),
        (FIELDS, {}),
        (spec_from_mapping(FIELDS), {}),
        (None, FIELDS),
    ],
    ids=repr,
)
def test_every_form_is_the_same_pod(connection: Connection, given: Any, fields: dict[str, Any]) -> None:
    pod = launch(gpu="L4_24GB", name="a")
    assert launch(given, **fields).id == pod.id
    assert launch(spec=given, **fields).id == pod.id
    if not fields:
        assert [one.id for one in launch_many(given)] == [pod.id]
        assert [one.id for one in launch_many([given])] == [pod.id]


def test_a_gpu_type_alone_rents_one(connection: Connection) -> None:
    pod = launch("H100_80GB")
    assert (pod.details.gpu_name, pod.details.gpu_count) == ("H100_80GB", 1)
    assert launch("H100_80GB").id == pod.id == launch(gpu="H100_80GB").id


def test_the_pages_own_body_is_a_text_too() -> None:
    assert read_one_spec(json.dumps(PAGE_BODY), {}).name == PAGE_BODY["pod"]["name"]


def test_several_are_given_in_any_form(connection: Connection) -> None:
    pods = launch_many(["L4_24GB", "gpu: L4_24GB\nname: b\npods: 2", {"gpu": "A10_24GB", "name": "c"}])
    assert [pod.name for pod in pods[1:]] == ["b-1", "b-2", "c"]
    assert {pod.details.gpu_name for pod in pods} == {"L4_24GB", "A10_24GB"}


@pytest.mark.parametrize(
    ("given", "fields", "answer"),
    [
        ("H100_08GB", {}, "There is no GPU type 'H100_08GB' (did you mean 'H100_80GB'"),
        ("A100", {"name": "a"}, "'A100' matches A100_40GB, A100_80GB: name one. Nothing was created"),
        ("L4_24GB", {"gpus": 2}, "'gpus' is not a field (did you mean 'count'?). Nothing was sent"),
        ("L4_24GB", {"spot": True}, "list_offers(spot=True)"),
        ("L4_24GB", {"for": "2"}, "for must be a length of time, such as 30m, 4h, 1h30m or 2d, not '2'"),
        ("gpu: L4_24GB\n name: a", {}, "Nothing was sent"),
        ("gpu: L4_24GB\nnmae: a", {}, "'nmae' is not a field (did you mean 'name'?)"),
        ("gpu: L4_24GB\npods: 3", {}, "This describes 3 pods. Pass it to launch_many. Nothing was sent"),
        ("L4_24GB", {"gpu_type": "L4_24GB"}, "The GPU type is given twice. Nothing was sent"),
        ({"gpu": "L4_24GB"}, {"name": "a"}, "Pass a spec or fields (name), not both. Nothing was sent"),
    ],
)
def test_every_form_is_checked(
    connection: Connection, given: Any, fields: dict[str, Any], answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from primepods_magic.api.text import python_words

    monkeypatch.setattr(python_words, "_words", "python")
    with pytest.raises(InvalidRequest) as caught:
        launch(given, **fields)
    assert answer in str(caught.value)
    assert connection.client.list_all_pods() == []
