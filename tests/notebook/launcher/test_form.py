"""The form becomes an equivalent cell, and invalid fields are reported."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.models import ResourceLimits
from primepods_magic.notebook.launcher.state.cell import format_body
from primepods_magic.notebook.launcher.state.form import (
    Bounds,
    Form,
    check_variable_name,
    find_problems,
    fit_form,
    read_bounds,
    spec_fields,
)
from primepods_magic.pods.spec.spec import PodSpec, parse_spec

from .offers import offer

ROOMY = {"minCount": 20, "defaultCount": 120, "maxCount": 1000, "step": 10, "pricePerUnit": 0.01}
FIXED = {"defaultCount": 8}
IMAGES = {"images": ["ubuntu_22_cuda_12", "axolotl", "custom_template"]}


def limits(
    least: float | None = None, default: float | None = None, most: float | None = None, **said: Any
) -> ResourceLimits:
    return ResourceLimits(min_count=least, default_count=default, max_count=most, **said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (limits(20, 200, 1000, step=10), Bounds(20, 1000, 10, 200, False, "20 to 1000 GB, in steps of 10")),
        (limits(2, 8, 32), Bounds(2, 32, 1, 8, False, "2 to 32 GB")),
        (limits(4, 8), Bounds(4, 1_000_000, 1, 8, False, "4 GB or more")),
        (limits(None, 8, 32, step=4), Bounds(4, 32, 4, 8, False, "4 to 32 GB, in steps of 4")),
        (limits(None, 120), Bounds(120, 120, 1, 120, True, "Fixed by this machine")),
        (limits(64, 64, 64), Bounds(64, 64, 1, 64, True, "Fixed by this machine")),
        (limits(20), Bounds(20, 1_000_000, 1, 20, False, "20 GB or more")),
        (limits(2, 8, 32, step=0), Bounds(2, 32, 1, 8, False, "2 to 32 GB")),
        (limits(None, None, 32), None),
        (limits(), None),
    ],
    ids=str,
)
def test_how_much_can_be_chosen_is_said_in_words(said: ResourceLimits, expected: Bounds | None) -> None:
    assert read_bounds(said, "GB") == expected


def test_another_offer_keeps_what_it_can_be_and_nothing_else() -> None:
    form = Form(name="train", image="axolotl", template="t-1", disk=500, vcpus=16, memory=64, team="team")
    roomy = offer(disk=ROOMY, vcpu={**ROOMY, "minCount": 2, "step": 2}, memory=FIXED, **IMAGES)
    assert fit_form(form, roomy) == Form(
        name="train", image="axolotl", template="t-1", disk=500, vcpus=16, team="team"
    )
    plain = offer(disk={**ROOMY, "maxCount": 400}, vcpu=FIXED, images=["cuda_12_4_pytorch_2_5"])
    assert fit_form(form, plain) == Form(
        name="train", image="cuda_12_4_pytorch_2_5", template="t-1", memory=64, team="team"
    )


@pytest.mark.parametrize(
    ("typed", "default", "images", "image"),
    [
        ("", "", ["axolotl", "ubuntu_22_cuda_12"], "ubuntu_22_cuda_12"),
        ("", "axolotl", ["axolotl", "ubuntu_22_cuda_12"], "axolotl"),
        ("", "flux", ["axolotl", "ubuntu_22_cuda_12"], "ubuntu_22_cuda_12"),
        ("flux", "axolotl", ["axolotl", "flux"], "flux"),
        ("", "", ["custom_template", "axolotl"], "axolotl"),
        ("flux", "", [], "flux"),
        ("", "", [], "ubuntu_22_cuda_12"),
    ],
)
def test_the_image_to_begin_with_is_one_that_the_offer_has(
    typed: str, default: str, images: list[str], image: str
) -> None:
    assert fit_form(Form(image=typed), offer(images=images), default_image=default).image == image


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({}, {}),
        ({"image": "custom_template"}, {"template": "Enter the ID of your template."}),
        (
            {"image": "custom_template", "template": " \t"},
            {"template": "Enter the ID of your template."},
        ),
        ({"image": "custom_template", "template": "t-1"}, {}),
        ({"image": "flux"}, {"image": "This offer does not have the image flux."}),
        ({"disk": 10}, {"disk": "disk is at least 20"}),
        ({"disk": 1001}, {"disk": "disk is at most 1000"}),
        ({"disk": 205}, {"disk": "disk goes in steps of 10"}),
        ({"vcpus": 9}, {"vcpus": "vcpus is at most 8"}),
        ({"vcpus": 8, "memory": 0}, {"memory": "memory is at least 20"}),
        ({"disk": 20, "memory": 1000}, {}),
    ],
    ids=str,
)
def test_what_does_not_fit_the_offer_is_told_at_its_field(
    typed: dict[str, Any], told: dict[str, str]
) -> None:
    form = Form(**{"image": "axolotl", **typed})
    assert find_problems(form, offer(disk=ROOMY, vcpu=FIXED, memory=ROOMY, **IMAGES)) == told


def test_a_disk_that_is_elsewhere_is_told_by_its_name() -> None:
    def disk(number: int, provider: str | None, data_center: str | None) -> Disk:
        place = {"dataCenterId": data_center}
        return Disk.model_validate(
            {"id": f"d-{number}", "name": f"data-{number}", "providerType": provider, "info": place}
        )

    disks = [
        disk(1, "p", "NORWAY-1"),
        disk(2, "p", "CANADA-1"),
        disk(3, "other", "NORWAY-1"),
        disk(4, None, None),
    ]
    assert find_problems(Form(disks=("d-1", "d-4", "d-9")), offer(), disks) == {}
    told = find_problems(Form(disks=("d-1", "d-2", "d-3")), offer(), disks)
    assert told == {"disks": "Cannot attach data-2, data-3: not at the location of this offer."}


@pytest.mark.parametrize("name", ["HF_TOKEN", "a", "_", "A1"])
def test_a_variable_of_a_proper_name_is_taken(name: str) -> None:
    assert check_variable_name(name) == ""


@pytest.mark.parametrize("name", ["", "2ND", "MY-VAR", "a b", "Ä", "A=1", "A\n", "${A}"])
def test_a_name_that_a_shell_cannot_export_is_told(name: str) -> None:
    assert check_variable_name(name)


NASTY = [
    "${HF_TOKEN}",
    "$${x}",
    "$$${x}",
    "NO",
    "08",
    "null",
    "~",
    "true",
    "1e3",
    "2026-01-01",
    "a: b",
    "# no remark",
    "'quoted\"",
    "  spaces  ",
    "line\nbreak",
    "- item",
    "{brace",
    "@at",
    "%%pod_create",
    "\x1b[31m",
    "日本語 🚀",
    "\u2028",
    "\x85",
]
text = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


def is_visible(text: str) -> bool:
    """Whether anything of a text is seen; a request refuses one that is blank."""
    return any(char.isprintable() and not char.isspace() for char in text)


variable_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
references = variable_names.map("${{{}}}".format)
sizes = st.none() | st.integers(1, 10**6)
forms = st.builds(
    Form,
    name=text.filter(lambda name: is_visible(name) or not name.strip()),
    image=st.sampled_from(["ubuntu_22_cuda_12", "custom_template", "NO"]),
    template=text.filter(is_visible),
    disk=sizes,
    vcpus=sizes,
    memory=sizes,
    env=st.dictionaries(variable_names, references, max_size=3),
    jupyter_password=st.just("") | references,
    ssh_key_id=st.sampled_from(["", "08", "null", "cmb7q0"]),
    disks=st.lists(st.sampled_from(["d-1", "NO", "~", "0x1f"]), unique=True).map(tuple),
    team=st.sampled_from(["", "NO", "team_id"]),
    auto_restart=st.booleans(),
)
said = st.sampled_from(["NORWAY-1", "NO", "08", "null", "~", "x: y", "NVIDIA H100 spot", "'", "#1", "é"])
offers = st.builds(
    lambda cloud_id, data_center, socket, count: offer(
        cloudId=cloud_id, dataCenter=data_center, socket=socket, gpuCount=count
    ),
    said,
    said | st.none(),
    said,
    st.integers(1, 64),
)


@given(forms, offers, st.floats(0.0001, 1e6))
@example(Form(name=" ${A} # 'b': \"c\" "), offer(), 1e-5)
def test_the_cell_says_exactly_what_the_form_does(form: Form, machine: Any, price: float) -> None:
    body = format_body(spec_fields(form, machine, price))
    spec = parse_spec(body, variable=lambda name: f"<{name}>")
    is_template = form.image == "custom_template"

    def filled(reference: str) -> str:
        return f"<{reference[2:-1]}>"

    assert spec.model_dump(exclude={"env_vars", "jupyter_password"}) == PodSpec(
        name=form.name.strip() or None,
        gpu_type=machine.gpu_type,
        gpu_count=machine.gpu_count,
        provider=machine.provider,
        cloud_id=machine.cloud_id,
        data_center_id=machine.data_center,
        country=machine.country,
        security=machine.security,
        socket=machine.socket,
        image=form.image or None,
        custom_template_id=form.template.strip() if is_template else None,
        disk_size=form.disk,
        vcpus=form.vcpus,
        memory=form.memory,
        ssh_key_id=form.ssh_key_id or None,
        disks=list(form.disks) or None,
        team=form.team or None,
        auto_restart=True if form.auto_restart else None,
        max_price=price,
    ).model_dump(exclude={"env_vars", "jupyter_password"})
    env = {pair.key: pair.value.get_secret_value() for pair in spec.env_vars or ()}
    assert env == {name: filled(value) for name, value in form.env.items()}
    password = spec.jupyter_password and spec.jupyter_password.get_secret_value()
    assert password == (filled(form.jupyter_password) if form.jupyter_password else None)


def test_half_a_character_is_told_and_not_sent() -> None:
    body = format_body(spec_fields(Form(name="half \ud83d"), offer(), 1.0))
    with pytest.raises(InvalidRequest, match="unpaired surrogate"):
        parse_spec(body)


@pytest.mark.parametrize("field", ["cloudId", "dataCenter", "provider", "socket", "gpuType"])
def test_a_service_cannot_have_a_variable_filled_in(field: str) -> None:
    machine = offer(**{field: "${AWS_SECRET_ACCESS_KEY}"})
    body = format_body(spec_fields(Form(image="ubuntu_22_cuda_12"), machine, 1.0))
    spec = parse_spec(body, variable=lambda name: "the secret")
    fields = str(spec.model_dump())
    assert "the secret" not in fields
    assert "${AWS_SECRET_ACCESS_KEY}" in fields


@pytest.mark.parametrize(
    "typed", [{"image": "${A}"}, {"ssh_key_id": "${A}"}, {"disks": ("${A}",)}, {"team": "${A}"}]
)
def test_what_is_chosen_from_an_answer_of_the_service_has_no_variable_filled_in(
    typed: dict[str, Any],
) -> None:
    body = format_body(spec_fields(Form(**typed), offer(), 1.0))
    assert "the secret" not in str(parse_spec(body, variable=lambda name: "the secret"))


def test_a_machine_that_costs_nothing_can_be_asked_for() -> None:
    assert parse_spec(format_body(spec_fields(Form(), offer(0.0), 0.0))).max_price is None


def test_what_the_machine_comes_with_is_left_out() -> None:
    said = spec_fields(Form(image="axolotl"), offer(), 1.0)
    assert said == {
        "gpu": "L4_24GB",
        "count": 1,
        "provider": "p",
        "cloud_id": "c-1",
        "data_center_id": "NORWAY-1",
        "country": "NO",
        "security": "secure_cloud",
        "socket": "PCIe",
        "image": "axolotl",
        "max_price": 1.0,
    }
