"""Both forms of a spec say the same, and what is wrong with one is said in one line."""

from __future__ import annotations

import json

import pytest

from primepods_magic import launch
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.pods.spec.parser import find_plaintext_secrets
from primepods_magic.pods.spec.spec import (
    PodSpec,
    parse_spec,
    parse_specs,
    spec_from_mapping,
    specs_from_mapping,
)
from tests.api.test_requests import PAGE_BODY

SHORT = """
# comments are allowed
name: My pod
cloudId: n3-H100x1
gpu: H100_80GB
socket: PCIe
count: 1
image: ubuntu_22_cuda_12
data_center_id: CANADA-1
country: CA
security: secure_cloud
disk: 200
vcpus: 16
memory: 128
maxPrice: 3.00
env: {FOO: bar}
jupyter_password: secret
autoRestart: false
provider: hyperstack
disks: disk_id_1
team: team_id
"""


def test_the_short_form_says_what_the_pages_body_says() -> None:
    assert parse_spec(SHORT) == parse_spec(json.dumps(PAGE_BODY))


def test_every_field_has_its_snake_case_and_its_camel_case() -> None:
    assert parse_spec("gpu_type: A\ndisk_size: 5") == parse_spec("gpuType: A\ndiskSize: 5")


def test_yaml_values_are_text_until_their_field_says_otherwise() -> None:
    spec = parse_spec("gpu: A\ncountry: NO\nname: 007\nenv: {PORT: 08, ON: yes, EMPTY: ''}")
    assert (spec.country, spec.name) == ("NO", "007")
    assert spec.env_vars is not None
    assert [(env.key, env.value.get_secret_value()) for env in spec.env_vars] == [
        ("PORT", "08"),
        ("ON", "yes"),
        ("EMPTY", ""),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpuu: H100_80GB", "'gpuu' is not a field (did you mean 'gpu'?)"),
        ("gpu: A\ngpuType: B", "'gpu' and 'gpuType' are the same field"),
        ("gpu: A\ncount: two", "Line 3: count must be a whole number, not 'two'"),
        ("gpu: A\ncount: 0", "Line 3: count must be above 0, not '0'"),
        ("gpu: A\nenv: {A: }", "Line 3 has no value"),
        ("name: train", "'gpu' is required"),
        ("gpu: A\nimage: custom_template", "Line 3: image 'custom_template' needs template"),
        ("gpu: A\ntemplate: t", "Line 3: template needs image 'custom_template'"),
        ("gpu: [A", "Line 2 has a '[' that is never closed: 'gpu: [A'"),
        ("gpu: A\n  x: y", "Line 3 is indented more than the line above it: 'x …'"),
        ("gpu: A\ngpu: B", "Line 3 gives 'gpu' a second time, after line 2"),
        ("", "has no spec"),
        ("- A", "Line 2 has no colon after its key"),
        ("[]", "lines of 'key: value'"),
        ("- gpu: A\n- gpu: A", "Two of these pods would be called 'a-1-"),
        ("- gpu: A\n  name: x\n- gpu: B\n  name: x", "Two of these pods would be called 'x'"),
        ("gpu: A\npods: 0", "Line 3: pods must be a whole number from 1 to 100"),
        ("gpu: A\npods: many", "Line 3: pods must be a whole number from 1 to 100"),
        ("gpu: A\npodss: 2", "did you mean 'pods'?"),
        ('{"pod": ', "Cannot parse the JSON at line 2, column 9"),
        ('{"pod": {}, "pod": {}}', "'pod' is given twice"),
        ("{gpu: A}", "Cannot parse the JSON at line 2, column 2"),
        ("gpu: ${nowhere}", "${nowhere} is neither a notebook variable nor an environment variable"),
        ("gpu: !!python/object:os.system x", "Line 2 has a value that begins with '!'"),
        ("gpu: A\ncount: !!int x", "Line 3 has a value that begins with '!'"),
        ("gpu: A\nname: !!timestamp x", "Line 3 has a value that begins with '!'"),
        ("gpu: A\nname: [*a]", "Line 3 has a value that begins with '*'"),
        ("gpu: A\nname: \x07", "The character at line 3, column 7"),
        ("gpu: A\nenv: {A: ${g}}", "Put '${…}' in quotes there"),
        ('gpu: A\nname: "\\ud800"', "unpaired surrogate"),
    ],
)
def test_a_wrong_spec_is_one_line_that_says_what_and_where(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was sent") as caught:
        parse_spec(text, first_line=2)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_variables_are_filled_in_after_parsing_and_may_be_escaped() -> None:
    known = {"who": "me: [", "N": "8"}
    spec = parse_spec("gpu: A\nname: ${ who }-$${who}\ncount: ${N}", variable=known.__getitem__)
    assert (spec.name, spec.gpu_count) == ("me: [-${who}", 8)


def test_a_literal_secret_is_noticed_and_a_variable_is_not() -> None:
    assert find_plaintext_secrets("env: {HF_TOKEN: abc, EPOCHS: 3}\njupyter_password: x") == [
        "HF_TOKEN",
        "jupyter_password",
    ]
    assert find_plaintext_secrets('"envVars": [{"key": "API_KEY", "value": "abc"}]') == ["API_KEY"]
    assert find_plaintext_secrets("env: {HF_TOKEN: '${HF_TOKEN}'}\nssh_key_id: k") == []


@pytest.mark.parametrize(
    "text",
    [
        "gpu: A\nenv:\n  HF_TOKEN: hf_abc\n  EPOCHS: 3",
        'gpu: A\nenv:\n  "HF_TOKEN": "hf_abc"',
        "gpu: A\nenv:\n  HF_TOKEN: '{abc'",
        "gpu: A\nenv:\n  HF_TOKEN: $ecret",
        "gpu: A\nenv:\n  HF_TOKEN: $${not filled in}",
        "gpu: A\nenv:\n  HF_TOKEN: >-\n    hf_abc",
        "- gpu: A\n- gpu: B\n  env: {HF_TOKEN: hf_abc}",
        '{"pod": {"envVars": [{"value": "hf_abc", "key": "HF_TOKEN"}]}}',
        '\ufeff{"pod": {"envVars": [{"key": "HF_TOKEN", "value": 123456}]}}',
        '{\n"pod": {"envVars": [\n{"key":\n"HF_TOKEN", "value": "hf_\\u0061bc"}]}}',
    ],
)
def test_a_literal_secret_is_noticed_in_every_form(text: str) -> None:
    assert find_plaintext_secrets(text) == ["HF_TOKEN"]


@pytest.mark.parametrize(
    "text",
    [
        "gpu: A\nenv:\n  HF_TOKEN: ${HF_TOKEN}\n  HEADER_TOKEN: 'Bearer ${HF_TOKEN}'",
        '{"pod": {"envVars": [{"key": "HF_TOKEN", "value": "${HF_TOKEN}"}], "sshKeyId": "k1"}}',
        "gpu: A # HF_TOKEN: hf_abc\nname: 'HF_TOKEN: hf_abc'",
        "gpu: A\nenv: {HF_TOKEN: }\nauto_restart: true",
    ],
)
def test_what_is_not_written_out_is_not_noticed(text: str) -> None:
    assert find_plaintext_secrets(text) == []


def test_the_same_spec_has_the_same_name_and_another_spec_another() -> None:
    spec = spec_from_mapping({"gpu": "H100_80GB", "count": 2})
    assert spec.pod_name == spec_from_mapping({"gpuCount": "2", "gpu_type": "H100_80GB"}).pod_name
    assert spec.pod_name.startswith("h100-80gb-2-")
    assert spec.pod_name != spec_from_mapping({"gpu": "H100_80GB", "count": 2, "disk": 500}).pod_name
    one = spec_from_mapping({"gpu": "H100_80GB"}).pod_name
    for same in (
        {"gpu": "h100_80gb"},
        {"gpu": "H100_80GB", "count": 1},
        {"gpu": "H100_80GB", "max_price": 3},
    ):
        assert spec_from_mapping(same).pod_name == one


def test_secrets_are_in_no_repr() -> None:
    spec = PodSpec(gpu_type="A", jupyter_password=Secret("hunter2"), env_vars={"A": "hunter2"})  # type: ignore[arg-type]
    assert "hunter2" not in repr(spec)


def test_several_pods_are_a_list_or_a_number_of_them() -> None:
    listed = parse_specs("- gpu: A\n  name: one\n- gpu: B\n  name: two\n  pods: 2")
    assert [(spec.name, spec.gpu_type) for spec in listed] == [("one", "A"), ("two-1", "B"), ("two-2", "B")]
    unnamed = parse_specs("gpu: A\npods: 2")
    alone = parse_spec("gpu: A").pod_name
    assert [spec.name for spec in unnamed] == [f"{alone}-1", f"{alone}-2"]
    with pytest.raises(InvalidRequest, match="Expected one pod, got 2"):
        parse_spec("gpu: A\npods: 2")


def test_flags_take_variables_as_a_body_does() -> None:
    (spec,) = specs_from_mapping(
        {"gpu": "A", "env": {"TOKEN": "${SECRET}"}}, variable={"SECRET": "hunter2"}.__getitem__
    )
    (pair,) = spec.env_vars or []
    assert (pair.key, pair.value.get_secret_value()) == ("TOKEN", "hunter2")
    with pytest.raises(InvalidRequest, match="neither a notebook variable nor"):
        specs_from_mapping({"gpu": "${NOBODY}"}, variable={}.__getitem__)


def test_refers_to_launch_many_if_one_launch_asks_for_several_pods() -> None:
    with pytest.raises(InvalidRequest, match=r"'pods' rents several pods: pass it to launch_many") as caught:
        spec_from_mapping({"gpu": "L4_24GB", "pods": 2})
    assert "did you mean" not in str(caught.value)
    with pytest.raises(InvalidRequest, match="launch_many"):
        launch(gpu="L4_24GB", pods=2)
