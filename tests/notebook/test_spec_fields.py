"""Every field of the table is in the model, the parser, flags, help, completion and the launcher's cell."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from primepods_magic.api.models import Offer
from primepods_magic.notebook.completion import completions_at
from primepods_magic.notebook.launcher.state.form import Form, spec_fields
from primepods_magic.notebook.magics import parser_of
from primepods_magic.pods.spec.fields import FIELD_OF_KEY, PODS, SPEC_FIELDS, SpecField
from primepods_magic.pods.spec.spec import PodSpec, parse_spec, parse_specs
from tests.documents.reference import PATH
from tests.notebook.launcher.offers import offer

FIELDS = list(SPEC_FIELDS.values())
VALUES = {"text": "a", "number": "2", "switch": "true", "list": "[a]", "mapping": "{A: b}", "body": "a"}
TYPED: dict[str, Any] = {"disks": ("a",), "auto_restart": True, "env": {"A": "${B}"}}


def make_body(field: SpecField, key: str) -> str:
    before = {"gpu": "", "template": "gpu: A\nimage: custom_template\n"}.get(field.key, "gpu: A\n")
    value = "4h" if field.key in ("for", "idle") else VALUES.get(field.kind, "")
    return f"{before}{key}: {field.words[0] if field.words else value}"


def test_the_table_and_the_model_have_the_same_fields() -> None:
    assert {field.name for field in FIELDS} == {*PodSpec.model_fields, PODS}
    assert {item.name for item in dataclasses.fields(Form)} < FIELD_OF_KEY.keys()
    assert {field.offer for field in FIELDS} <= {"", *Offer.model_fields}


@pytest.mark.parametrize("field", FIELDS, ids=SPEC_FIELDS)
def test_a_field_of_the_table_is_everywhere(field: SpecField) -> None:
    for key in {field.key, field.name, to_camel(field.name)}:
        body = make_body(field, key)
        if field.key == PODS:
            assert len(parse_specs(body)) == 2
        else:
            assert getattr(parse_spec(body), field.name) not in (None, [], "")
    lines = ["%%pod_create", field.key[:-1]]
    assert f"{field.key}: " in completions_at(lines, 1, lines[1])[1]
    lines[1] = f"{field.key}: {field.words[0][:-1] if field.words else ''}"
    assert set(completions_at(lines, 1, lines[1])[1]) >= set(field.words[:1])
    shown = parser_of("create")[1].format_help()
    assert " ".join(field.help.split()) in " ".join(shown.split())
    assert field.help in PATH.read_text()
    if field.flag:
        assert f"\n  {field.flag}" in shown
        lines = [f"%pod_create {field.flag[:-1]}"]
        assert field.flag in completions_at(lines, 0, lines[0])[1]
    else:
        assert f"\n  {field.key} " in shown


@pytest.mark.parametrize("key", [item.name for item in dataclasses.fields(Form)])
def test_a_field_of_the_launchers_form_is_in_its_cell(key: str) -> None:
    field = FIELD_OF_KEY[key]
    plain = 2 if field.kind == "number" else "4h" if field.form.startswith("a length of time") else "a"
    fields = {"image": "custom_template", "template": "t", key: TYPED.get(key, plain)}
    assert spec_fields(Form(**fields), offer(), 1.0)[field.key]
