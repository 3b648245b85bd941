"""What a person asks for is bounded, and refused in a few words, in whatever form it is given."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.requests import create_request
from primepods_magic.api.validation.suggest import suggest_words
from primepods_magic.pods.spec.parser import find_plaintext_secrets
from primepods_magic.pods.spec.spec import MAX_PODS, parse_specs, spec_from_mapping, specs_from_mapping

GPU = {"gpu": "L4_24GB"}


def refuse(ask: Callable[[], object], *, within_s: float = 5.0) -> str:
    """What a request is refused with, which is short and quick."""
    began_s = time.thread_time()
    with pytest.raises(InvalidRequest, match="Nothing was sent") as caught:
        ask()
    assert time.thread_time() - began_s < within_s
    said = str(caught.value)
    assert len(said) < 1500
    assert said.isprintable()
    return said


COUNTS = [
    "00000000130",
    "130",
    "101",
    "0",
    "000",
    "-1",
    "+3",
    "1e2",
    "0x3",
    "1_0",
    "٣",
    "１",
    "3.0",
    "",
    " ",
    "3\n4",
    "9" * 5000,
    10**5000,
    10**20,
    101,
    0,
    -1,
    True,
    1.0,
    float("inf"),
    float("nan"),
    [3],
    {},
    b"3",
]


@pytest.mark.parametrize(
    "count",
    COUNTS,
    ids=lambda count: f"{type(count).__name__} {str(count)[:12]!r}" if count != 10**5000 else "huge",
)
def test_refuses_a_count_of_pods_beyond_the_limit(count: object) -> None:
    refuse(lambda: specs_from_mapping({**GPU, "pods": count}))
    if isinstance(count, str) and "\n" not in count and count.strip():
        refuse(lambda: parse_specs(f"gpu: L4_24GB\npods: {count}"))


@pytest.mark.parametrize(("count", "pods"), [("100", 100), ("0000000007", 7), (" 3 ", 3), (2, 2)])
def test_reads_a_count_of_pods(count: object, pods: int) -> None:
    assert len(specs_from_mapping({**GPU, "pods": count})) == pods


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"- {{gpu: L4_24GB, name: a{number}}}" for number in range(MAX_PODS + 1)),
        "\n".join(f"- {{gpu: L4_24GB, name: a{number}, pods: 60}}" for number in range(2)),
        "\n".join(f"- {{gpu: L4_24GB, name: a{number}, pods: 100}}" for number in range(1000)),
    ],
)
def test_several_specs_together_ask_for_no_more_pods_than_one_may(text: str) -> None:
    assert str(MAX_PODS) in refuse(lambda: parse_specs(text))


NUMBERS = [
    10**5000,
    10**400,
    10**20,
    "9" * 5000,
    "1e400",
    "1e20",
    float("inf"),
    float("nan"),
    "nan",
    "inf",
    "Infinity",
    ".inf",
    Decimal("nan"),
    Decimal("sNaN"),
    Decimal("1e999999"),
    Fraction(10**500, 1),
    "٣",
    "0x10",
    True,
    False,
    0,
    -1,
    "-0",
    [1],
    {},
    "1,5",
    "1 2",
    "2_5",
    "2_5.0",
    "5\n",
]


@pytest.mark.parametrize("field", ["count", "disk", "vcpus", "memory", "max_price", "prepaid_for_hr"])
def test_refuses_a_number_that_is_none_or_too_large(field: str) -> None:
    for number in NUMBERS:
        refuse(lambda number=number: spec_from_mapping({**GPU, field: number}))  # type: ignore[misc]


def deep(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


LOOP: dict[str, Any] = {}
LOOP["again"] = LOOP
VALUES: dict[str, Any] = {
    "loop": LOOP,
    "deep": deep(100_000),
    "object": object(),
    "function": print,
    "bytes": b"\xff",
    "long text": "x" * 10_000_000,
    "long list": ["x"] * 1_000_000,
    "many keys": {str(number): "v" for number in range(100_000)},
    "long value": {"k": "v" * 10_000_000},
    "no end": itertools.count(),
    "nan": float("nan"),
    "huge": 10**5000,
}
FIELDS = [
    "name",
    "image",
    "env",
    "disks",
    "security",
    "team",
    "team_member_ids",
    "shared_with_team",
    "gpu",
    "pods",
]


@pytest.mark.parametrize("value", VALUES)
def test_refuses_a_value_of_any_size_and_kind_in_words(value: str) -> None:
    odd = VALUES[value]
    for field in FIELDS:
        refuse(lambda field=field: specs_from_mapping({**GPU, field: odd}))  # type: ignore[misc]
        refuse(lambda field=field: specs_from_mapping({**GPU, field: odd}, variable=str))  # type: ignore[misc]
    for body in (odd, {"pod": odd, "provider": odd}, {"pod": {"envVars": odd}, "provider": {"type": odd}}):
        refuse(lambda body=body: create_request(body))  # type: ignore[misc]
        refuse(lambda body=body: create_request(body, strict=False))  # type: ignore[misc]


KEYS = [
    None,
    1,
    1.5,
    True,
    ("a",),
    b"gpu",
    object(),
    float("nan"),
    10**5000,
    frozenset("a"),
    "",
    "x" * 1_000_000,
    "a\nb\x1b[2J",
    "\ud800",
    "\u202egpu",
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_refuses_an_odd_key_in_words(key: Any) -> None:
    refuse(lambda: spec_from_mapping({**GPU, key: 1}))
    refuse(lambda: create_request({"pod": {key: 1}, key: 2}))
    if not isinstance(key, str):
        refuse(lambda: spec_from_mapping({**GPU, "env": {key: "1"}}))


TEXTS = [
    'gpu: L4\nname: "\\U00110000"',
    'gpu: L4\nname: "\\uD800"',
    "%YAML 1." + "9" * 5000 + "\n---\ngpu: L4",
    "? [a]\n: b",
    "~: x",
    ": x",
    "'': x",
    "gpu: L4\n? |\n  a\n  b\n: x",
    "1: 2",
    "<<: {a: 1}",
    "!<tag:yaml.org,2002:map> x",
    "gpu: L4\nname: !%FF%FE x",
    "gpu: L4\nname: \u2028x",
    "gpu: &a x\nname: *a",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
    "--- a\n--- b",
    "\x00",
    "- gpu: L4\n" * 8_000,
    "a: b\n" * 15_000,
    "[" * 90_000,
    "- " * 45_000,
    "# " + "{" * 90_000 + "\na: [",
    "gpu: L4\n" + "\n".join(f"k{number}: 1" for number in range(9_000)),
    "gpu: L4\n" + "a" * 90_000 + ": 1",
    "'" + "a" * 90_000,
    "${" * 45_000,
    "gpu: L4\nname: '" + "${x}" * 20_000 + "'",
    "x" * 10_000_000,
    "{" + "x" * 10_000_000,
    '{"pod": ' + "9" * 5000 + "}",
    '{"pod": NaN}',
    '{"pod": {"maxPrice": -Infinity}}',
    '{"pod": {"maxPrice": 1e999}}',
    '{"' + "k" * 90_000 + '": 1}',
    "{" + ",".join(f'"k{number}":1' for number in range(9_000)) + "}",
    '{"pod":{' + ",".join(f'"k{number}":1' for number in range(8_000)) + "}}",
    '{"a":' * 15_000,
    '{"a":' * 900 + "1" + "}" * 900,
    '{"pod": {"envVars": [' + ",".join(["{}"] * 15_000) + "]}}",
    '{"a\\n\\u001b[2J": 1, "a\\n\\u001b[2J": 2}',
    '{"\\ud800": 1}',
    '{"pod": {"name": "\\ud800"}}',
    '\ufeff{"pod": 1}',
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_refuses_a_text_in_a_few_words(text: str) -> None:
    refuse(lambda: parse_specs(text, variable=lambda _: "v" * 1000))
    began_s = time.thread_time()
    find_plaintext_secrets(text)
    assert time.thread_time() - began_s < 2


def test_reads_a_text_with_a_byte_order_mark() -> None:
    assert parse_specs("\ufeffgpu: L4_24GB")[0].gpu_type == "L4_24GB"


def test_finds_what_is_nearest_to_a_long_word_quickly() -> None:
    began_s = time.thread_time()
    assert suggest_words("gpu" * 1_000_000, ["gpu", "count"]) == []
    assert time.thread_time() - began_s < 1


def test_names_the_first_problems_of_very_many() -> None:
    said = refuse(
        lambda: create_request(json.loads('{"pod":{' + ",".join(f'"k{n}":1' for n in range(50)) + "}}"))
    )
    assert "more" in said
    assert "'pod.cloudId' is required" in said


@pytest.mark.parametrize(
    "written",
    ["!hunter2", "!!hunter2", "!<hunter2>", "!hunter2!x", "!e!hunter2", "&hunter2", "*hunter2", "&hunter2 x"],
)
def test_repeats_no_password_that_yaml_takes_for_a_sign(written: str) -> None:
    with pytest.raises(InvalidRequest, match="Line 2 has a value that begins with") as caught:
        parse_specs(f"gpu: A\njupyter_password: {written}")
    assert "hunter2" not in str(caught.value)


def test_refuses_an_escape_beyond_all_characters() -> None:
    with pytest.raises(InvalidRequest, match="a value is not valid"):
        parse_specs('gpu: "\\Uffffffff"')
