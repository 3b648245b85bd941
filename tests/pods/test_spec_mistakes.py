"""Mistakes in a body: each answer names the line as the user counts, in the user's words, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from primepods_magic import launch
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.validation.suggest import suggest_words
from primepods_magic.pods.spec.fields import FIELD_OF_KEY, SPEC_FIELDS
from primepods_magic.pods.spec.keys import use_flags
from primepods_magic.pods.spec.spec import MAX_PODS, PodSpec, parse_specs, specs_from_mapping

SECRET = "hunter2"


def refuse(ask: Callable[[], object]) -> str:
    """Return what a call is refused with, without the last sentence."""
    with pytest.raises(InvalidRequest) as caught:
        ask()
    said = str(caught.value)
    assert said.endswith(". Nothing was sent")
    assert "\n" not in said
    assert "'': " not in said
    return said.removesuffix(". Nothing was sent")


def refuse_body(body: str) -> str:
    """Return what a body below ``%%pod_create`` is refused with."""
    return refuse(lambda: parse_specs(body, first_line=2))


LAYOUT = [
    (
        "name: a\n gpu: H100_80GB",
        "Line 3 is indented more than the line above it: ' gpu: H100_80GB'. Remove the leading space",
    ),
    (
        "name: a\n# mine\n\n   gpu: A # x",
        "Line 5 is indented more than the line above it: '   gpu: A # x'. Remove the leading spaces",
    ),
    (
        " name: a\ngpu: A",
        "Line 2 is indented more than the lines below it: ' name: a'. Remove the leading space",
    ),
    (
        "- name: a\n   gpu: A",
        "Line 3 is indented more than the line above it: '   gpu: A'. "
        "Indent it by 2 spaces, as the line above",
    ),
    (
        "- name: a\n gpu: A",
        "Line 3 is indented less than the line above it: ' gpu: A'. "
        "Indent it by 2 spaces, or begin it with '- '",
    ),
    (
        "env:\n  A: 1\n B: 2",
        "Line 4 is indented less than the line above it: 'B …'. Indent it by 2 spaces, as the line above",
    ),
    ("name: a\n\tgpu: A", "Line 3 begins with a tab: ' gpu: A'. Remove it, or indent with spaces"),
    ("name:\ta", "Line 2 has a tab in it: 'name: a'. Use a space instead"),
    (
        "gpu: A\n\xa0name: a",
        "Line 3 has a special space beside its key: ' name: a'. Replace it with an ordinary one",
    ),
    ("name:a\ngpu: A", "Line 2 has no space after the colon: 'name:a'. Write 'name: a'"),
    ("name: a\ngpu:A", "Line 3 has no space after the colon: 'gpu:A'. Write 'gpu: A'"),
    ("gpu:A", "Line 2 has no space after the colon: 'gpu:A'. Write 'gpu: A'"),
    ("gpu:\xa0A\nname: a", "Line 2 has no ordinary space after the colon: 'gpu: A'. Write 'gpu: A'"),
    ("name a\ngpu: A", "Line 2 has no colon after its key: 'name a'. Write 'name: a'"),
    ("name: a\ngpu A", "Line 3 has no colon after its key: 'gpu A'. Write 'gpu: A'"),
    ("gpu: A\ncount", "Line 3 has no colon after its key: 'count'. Write 'count: VALUE'"),
    ("gpu=A", "Line 2 has '=' instead of a colon: 'gpu=A'. Write 'gpu: A'"),
    ("--gpu A", "Line 2 has no colon after its key: '--gpu A'. Write 'gpu: A'"),
    ("- gpu: A\n- gpu:B", "Line 3 has no space after the colon: '- gpu:B'. Write 'gpu: B'"),
    ("H100_80GB", "Line 2 has the value 'H100_80GB' and no key. Write 'gpu: H100_80GB'"),
    ("gpu: A, name: a", "Line 2 has several fields: 'gpu: A, name: a'. Put each field on a line of its own"),
    ("gpu: A count: 2", "Line 2 has several fields: 'gpu: A count: 2'. Put each field on a line of its own"),
    (
        "- name: a\ngpu: A",
        "Line 3 is not part of the list above it: 'gpu: A'. Indent it by 2 spaces, or begin it with '- '",
    ),
    (
        "pods: 2\n- gpu: A",
        "Line 3 is an item of a list, and the lines above are not: '- gpu: A'. "
        "Remove '- ', or begin each pod with '- ' and indent its other fields",
    ),
    (
        "disks:\n - a\n- b",
        "Line 4 is indented less than the line above it. Indent it by 1 space, as the line above",
    ),
    (
        "gpu: A\nname: - a",
        "Line 3 has '- ' after its key: 'name: - a'. Remove '- ', or put the item on the next line, indented",
    ),
    ("gpu: A\ngpu: B", "Line 3 gives 'gpu' a second time, after line 2: 'gpu: B'. Remove one of them"),
    ("env: {A: 1, A: 2}", "Line 2 gives 'A' a second time: 'env …'. Remove one of them"),
    ("gpu: A\n---\ngpu: B", "Line 3 begins a second YAML document. Begin each pod with '- ' instead"),
    ("gpu: A\n%pods ls", "Line 3 begins with '%'. A body has no magics. Remove the line"),
    (
        "gpu: A\nmax_price:",
        "Line 3 has no value: 'max_price:'. Add one, or remove the line ('' is an empty text)",
    ),
    (
        "gpu: # which?",
        "Line 2 has no value: 'gpu: # which?'. Add one, or remove the line ('' is an empty text)",
    ),
    ("gpu: A\nenv:\nA: 1", "Line 3 has no value: 'env …'. Indent the lines below it that belong to it"),
    ("[gpu]: A", "Line 2 has a key that is not a word. Write 'key: value'"),
]
VALUES = [
    ("name: a: b", "Line 2 has a value with a colon in it: 'name: a: b'. Put the value in quotes"),
    (
        "gpu: A\nimage: cuda: 12",
        "Line 3 has a value with a colon in it: 'image: cuda: 12'. Put the value in quotes",
    ),
    ("name: a:", "Line 2 has a value with a colon in it: 'name: a:'. Put the value in quotes"),
    *(
        (
            f"gpu: A\nname: {sign}a",
            f"Line 3 has a value that begins with '{sign}': 'name: {sign}a'. Put the value in quotes",
        )
        for sign in "@`%&*!|>]},"
    ),
    (
        'name: "a\ngpu: A',
        'Line 2 has a quote (") that is never closed: \'name: "a\'. Add " at the end of the value',
    ),
    (
        "gpu: A\nname: 'a",
        "Line 3 has a quote (') that is never closed: 'name: 'a'. Add ' at the end of the value",
    ),
    (
        'name: "a\ngpu: "A"',
        'Line 2 has a quote (") that is never closed: \'name: "a\'. Add " at the end of the value',
    ),
    (
        "name: 'it's'",
        "Line 2 has text after a closing quote: 'name: 'it's''. Put the whole value in double quotes",
    ),
    (
        'name: "a" b',
        "Line 2 has text after a closing quote: 'name: \"a\" b'. Put the whole value in single quotes",
    ),
    (
        'name: "a\\q"',
        "Line 2 has a backslash inside double quotes: 'name: \"a\\q\"'. "
        "Use single quotes, or write it twice (\\\\)",
    ),
    ("disks: [a, b\ngpu: A", "Line 2 has a '[' that is never closed: 'disks: [a, b'. Add ']'"),
    ("env: {A: 1\ngpu: A", "Line 2 has a '{' that is never closed: 'env …'. Add '}'"),
    ("disks: [a", "Line 2 has a '[' that is never closed: 'disks: [a'. Add ']'"),
    (
        "disks: [a, b}",
        "Line 2 closes '[' with '}': 'disks: [a, b}'. Use ']', or put a value with '}' in quotes",
    ),
    (
        "env: {A: 1 B: 2}",
        "Line 2 has two colons in one item of '{}': 'env …'. Put the value in quotes, or add a comma",
    ),
    ("env: {A:1}", "Line 2 has no space after a colon: 'env …'. Write 'key: value'"),
    ("env: {A: ${B}}", "Line 2 has '${…}' inside '{': 'env …'. Put '${…}' in quotes there"),
]


@pytest.mark.parametrize(("body", "answer"), LAYOUT + VALUES)
def test_explains_a_body_that_is_not_yaml(body: str, answer: str) -> None:
    assert refuse_body(body) == answer


@pytest.mark.parametrize(
    "written", [f"@{SECRET}", f"{SECRET}: x", f'"{SECRET}', f"'{SECRET}", f"'a' {SECRET}", f"!{SECRET}"]
)
@pytest.mark.parametrize(
    "field", ["jupyter_password: ", "env: {A: ", "env:\n  HF_TOKEN: ", "env:\n  A: ", "- env: {A: "]
)
def test_repeats_no_secret_of_a_body_that_is_not_yaml(field: str, written: str) -> None:
    assert SECRET not in refuse_body(f"{field}{written}\n gpu: B\n")


@pytest.mark.parametrize(
    "body",
    [
        f"jupyter_password {SECRET}\ngpu: A",
        f"jupyter_password:{SECRET}\ngpu: A",
        f"gpu: A\njupyter_password={SECRET}",
        f"gpu: A\nenv:\n  HF_TOKEN {SECRET}\n  A: 1",
        f"gpu: A\nenv: {{HF_TOKEN:{SECRET}}}",
        f"gpu: A\nenv: {{A: 1, {SECRET}",
        f"jupyter_password:\n  a\n   {SECRET}: x",
        f"jupyter_password: |\n   a\n  {SECRET}: x",
        f'jupyter_password: "a\n  {SECRET}: b\n gpu: A',
        f"gpu: A, jupyter_password: {SECRET}",
        f"gpu: A # password {SECRET}\n name: a: b",
        SECRET,
        f"gpu: A\n{SECRET}",
        f'jupyter_password: "\\{SECRET}"',
    ],
)
def test_repeats_no_secret_that_stands_elsewhere(body: str) -> None:
    assert SECRET not in refuse_body(body)


WRONG_VALUES = [
    ("gpu_count", "two", "gpu_count must be a whole number, not 'two'"),
    ("count", "1.5", "count must be a whole number, not '1.5'"),
    ("count", "true", "count must be a whole number, not 'true'"),
    ("count", "8x", "count must be a whole number, not '8x'"),
    ("count", "-1", "count must be above 0, not '-1'"),
    ("gpuCount", "0", "gpuCount must be above 0, not '0'"),
    ("count", "[1]", "count must be a whole number, not a list"),
    ("count", "2#two", "count has a '#' in its value '2#two'. A comment needs a space before it"),
    ("vcpus", "few", "vcpus must be a whole number, not 'few'"),
    ("pods", "many", "pods must be a whole number from 1 to 100, not 'many'"),
    ("pods", "101", "pods must be a whole number from 1 to 100, not '101'"),
    ("disk", "half", "disk must be a whole number of GB, such as 500, not 'half'"),
    ("disk_size", "1TB", "disk_size must be a whole number of GB, such as 500, not '1TB'"),
    ("memory", "64 GiB", "memory must be a whole number of GB, such as 500, not '64 GiB'"),
    ("max_price", "€3", "max_price must be a number in USD per hour, such as 2.50, not '€3'"),
    ("max_price", "2,50", "max_price must be a number in USD per hour, such as 2.50, not '2,50'"),
    ("max_price", "free", "max_price must be a number in USD per hour, such as 2.50, not 'free'"),
    ("max_price", "$0", "max_price must be above 0, not '$0'"),
    ("prepaid_for_hr", "a day", "prepaid_for_hr must be a number of hours, such as 24, not 'a day'"),
    (
        "security",
        "secure",
        "security must be secure_cloud or community_cloud, not 'secure' (did you mean 'secure_cloud'?)",
    ),
    ("security", "[a]", "security must be secure_cloud or community_cloud, not a list"),
    ("auto_restart", "maybe", "auto_restart must be true or false, not 'maybe'"),
    ("shared_with_team", "3", "shared_with_team must be true or false, not '3'"),
    ("env", SECRET, "env must be names with values, such as {EPOCHS: 3}"),
    ("env", f"[A={SECRET}]", "env must be names with values, such as {EPOCHS: 3}, not a list"),
    ("env", f"{{A: [{SECRET}]}}", "the value of A must be one text"),
    ("jupyter_password", f"[{SECRET}]", "jupyter_password must be one text, not a list"),
    ("jupyter_password", f"{{{SECRET}: x}}", "jupyter_password must be one text, not a mapping"),
    ("name", "''", "name is empty"),
    ("name", "[a]", "name must be one text, not a list"),
    ("region", "{a: b}", "region must be one text, not a mapping"),
    ("region", "eu_north#x", "region has a '#' in its value 'eu_north#x'. A comment needs a space before it"),
    ("disks", "{a: b}", "disks must be a list of ids, not a mapping"),
    ("disks", "[[a]]", "disks: each item must be a text that is not empty"),
    ("image", "x" * 1001, "image is longer than 1,000 characters"),
    ("template", "t", "template needs image 'custom_template'"),
    ("image", "custom_template", "image 'custom_template' needs template"),
    ("gpuu", "A", "'gpuu' is not a field (did you mean 'gpu'?)"),
    ("whatever", "1", "'whatever' is not a field"),
]


@pytest.mark.parametrize(("key", "value", "answer"), WRONG_VALUES)
def test_explains_a_wrong_value_with_its_line(key: str, value: str, answer: str) -> None:
    said = refuse_body(
        f"name: x\ngpu: A\n{key}: {value}" if key != "name" else f"cloud_id: x\ngpu: A\nname: {value}"
    )
    assert said == f"Line 4: {answer}"


def test_names_the_lines_of_several_wrong_values_and_of_pods_in_a_list() -> None:
    assert refuse_body("gpu: A\ncount: two\n\ndisk: big") == (
        "Line 3: count must be a whole number, not 'two'; "
        "Line 5: disk must be a whole number of GB, such as 500, not 'big'"
    )
    assert refuse_body("- gpu: A\n- gpu: B\n  env:\n    C: [1]") == "Line 5: the value of C must be one text"


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("max_price", "$3", 3.0),
        ("max_price", "3.50 USD/h", 3.5),
        ("max_price", "$2.39/h", 2.39),
        ("disk", "500GB", 500),
        ("disk", "500 gb", 500),
        ("memory", "64G", 64),
        ("prepaid_for_hr", "24h", 24.0),
        ("prepaid_for_hr", "24 hours", 24.0),
    ],
)
def test_reads_a_value_with_the_unit_of_its_field(key: str, value: str, read: float) -> None:
    name = SPEC_FIELDS[key].name
    (spec,) = parse_specs(f"gpu: A\n{key}: {value}")
    assert getattr(spec, name) == getattr(PodSpec(**{name: value}), name) == read


PYTHON_CALLS: list[tuple[dict[str, Any], str]] = [
    ({"gpu_count": "two"}, "gpu_count must be a whole number, not 'two'"),
    ({"gpu_count": 2.5}, "gpu_count must be a whole number, not 2.5"),
    ({"gpu_count": True}, "gpu_count must be a whole number, not True"),
    ({"max_price": [3]}, "max_price must be a number in USD per hour, such as 2.50, not a list"),
    ({"name": 5}, "name must be one text, not 5"),
    ({"auto_restart": "maybe"}, "auto_restart must be True or False, not 'maybe'"),
    ({"env_vars": SECRET}, "env_vars must be a dict of names and values"),
    ({"env_vars": {"A": 3}}, "env_vars: the value of A must be one text"),
    ({"jupyter_password": 5}, "jupyter_password must be one text"),
]


@pytest.mark.parametrize(("fields", "answer"), PYTHON_CALLS)
def test_explains_a_wrong_value_from_python_in_its_words(fields: dict[str, Any], answer: str) -> None:
    assert refuse(lambda: PodSpec(gpu_type="A", **fields)) == answer
    assert refuse(lambda: launch(gpu="A", **fields)) == answer


def test_explains_a_wrong_value_of_a_flag_in_its_words() -> None:
    flags = use_flags({"gpu": "A", "count": "two", "max_price": "free"})
    assert refuse(lambda: specs_from_mapping(flags)) == (
        "--count must be a whole number, not 'two'; "
        "--max-price must be a number in USD per hour, such as 2.50, not 'free'"
    )


def test_a_spec_has_the_limit_that_its_message_names() -> None:
    assert SPEC_FIELDS["pods"].form.endswith(f" {MAX_PODS}")


@pytest.mark.parametrize("word", ["spot", "port", "docker", "nodes", "os", "network", "cluster"])
def test_suggests_no_key_that_only_shares_some_letters(word: str) -> None:
    assert "did you mean" not in refuse(lambda: launch(gpu="A", **{word: "x"}))


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("gpus", "gpu"),
        ("Count", "count"),
        ("max-price", "max_price"),
        ("price", "max_price"),
        ("password", "jupyter_password"),
        ("cpus", "vcpus"),
        ("regoin", "region"),
    ],
)
def test_suggests_a_key_that_is_close(word: str, near: str) -> None:
    assert suggest_words(word, FIELD_OF_KEY) == [near]
