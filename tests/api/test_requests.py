"""What we send is the specification's body, and nothing invalid is ever sent."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.requests import CreateRequest, create_request
from primepods_magic.api.validation.suggest import suggest_words

# The body that the specification's page gives for POST /pods.
PAGE_BODY: dict[str, Any] = {
    "pod": {
        "name": "My pod",
        "cloudId": "n3-H100x1",
        "gpuType": "H100_80GB",
        "socket": "PCIe",
        "gpuCount": 1,
        "image": "ubuntu_22_cuda_12",
        "dataCenterId": "CANADA-1",
        "country": "CA",
        "security": "secure_cloud",
        "diskSize": 200,
        "vcpus": 16,
        "memory": 128,
        "maxPrice": 3.00,
        "envVars": [{"key": "FOO", "value": "bar"}],
        "jupyterPassword": "secret",
        "autoRestart": False,
    },
    "provider": {"type": "hyperstack"},
    "disks": ["disk_id_1"],
    "team": {"teamId": "team_id"},
}


def changed(**pod: Any) -> dict[str, Any]:
    body = copy.deepcopy(PAGE_BODY)
    body["pod"].update(pod)
    return body


def test_the_pages_body_is_sent_exactly_as_it_is() -> None:
    assert create_request(PAGE_BODY).wire() == PAGE_BODY


def test_the_template_body_is_sent_and_the_published_fields_beyond_the_page_too() -> None:
    body = changed(image="custom_template", customTemplateId="cm2szl4a20001tl3pyq7ua6o7")
    body["pod"] |= {"sshKeyId": "k", "prepaidForHr": 2.0}
    body |= {"team_member_ids": ["u"], "shared_with_team": True}
    assert create_request(body).wire() == body


def test_unset_keys_are_left_out() -> None:
    body = {
        "pod": {"cloudId": "c", "gpuType": "g", "socket": "PCIe", "gpuCount": 1},
        "provider": {"type": "p"},
    }
    assert create_request(body).wire() == body


def test_secrets_are_sent_but_neither_shown_nor_printed() -> None:
    request = create_request(PAGE_BODY)
    assert request.masked()["pod"]["jupyterPassword"] == "***"
    assert request.masked()["pod"]["envVars"] == [{"key": "FOO", "value": "***"}]
    for text in (repr(request), str(request), str(request.model_dump()), request.model_dump_json()):
        assert "secret'" not in text.replace("secret_", "")
        assert "bar" not in text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (changed(gpuCout=1), "'pod.gpuCout' is not a field (did you mean 'gpuCount'?)"),
        (changed(gpuCount=0), "'pod.gpuCount': input should be greater than 0"),
        (changed(gpuCount="1"), "'pod.gpuCount': input should be a valid integer"),
        (changed(gpuCount=True), "'pod.gpuCount': input should be a valid integer"),
        (changed(maxPrice=-1), "'pod.maxPrice': input should be greater than 0"),
        (changed(security="open"), "security must be secure_cloud or community_cloud, not 'open'"),
        (changed(envVars=[{"key": "A"}]), "'pod.envVars.0.value' is required"),
        (changed(image="custom_template"), "image 'custom_template' needs customTemplateId"),
        (changed(customTemplateId="cm2"), "customTemplateId needs image 'custom_template'"),
        ({"pod": PAGE_BODY["pod"]}, "'provider' is required"),
        ({**PAGE_BODY, "shape": 1}, "'shape' is not a field"),
        ([], "should be"),
    ],
)
def test_a_wrong_body_is_refused_with_what_is_wrong(body: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was sent") as caught:
        create_request(body)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    body = changed(gpuCout=1)
    del body["pod"]["cloudId"]
    del body["provider"]["type"]
    with pytest.raises(InvalidRequest) as caught:
        create_request(body)
    for part in ("'pod.cloudId' is required", "'pod.gpuCout'", "'provider.type' is required"):
        assert part in str(caught.value)


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(InvalidRequest) as caught:
        create_request(changed(jupyterPassword=["hunter2"]))
    assert "hunter2" not in str(caught.value)


def test_every_field_of_the_page_is_known() -> None:
    request = CreateRequest.model_validate(PAGE_BODY)
    assert request.pod.max_price == 3.0
    assert request.team is not None
    assert request.team.team_id == "team_id"


def test_the_nearest_word_is_found_whatever_the_case() -> None:
    assert suggest_words("GPU_COUT", ["gpuCount", "gpuType"]) == ["gpuCount"]
    assert suggest_words("zzz", ["gpuCount"]) == []


@pytest.mark.parametrize("blank", ["  ", "\t", "\u00a0", "\u200b", ""])
def test_a_blank_name_is_refused_as_an_empty_one(blank: str) -> None:
    with pytest.raises(InvalidRequest, match=r"'pod\.name': string should have at least 1 character"):
        create_request({**PAGE_BODY, "pod": {**PAGE_BODY["pod"], "name": blank}})
