"""What may be a secret is found in everything that is sent."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primepods_magic.remote.agent.values.codec import encode_value
from primepods_magic.remote.values.secret_checks import find_secrets
from primepods_magic.remote.values.transfer import prepare_values

KEY = "sk-" + "abcd1234" * 5
WORDS = ["sk-", *"abcdefghijklmnopqrstuvwxyz"] * 2

HOLD_A_KEY = {
    "rows before it": {"rows": ["x"] * 200_000, "last": KEY},
    "key of a dict": {KEY: 1},
    "many keys of a dict": {**dict.fromkeys(map(str, range(50))), KEY: 1},
    "frame": pd.DataFrame({"a": ["b", KEY]}),
    "names of columns": pd.DataFrame({KEY: [1]}),
    "index": pd.Series([1], index=[KEY]),
    "text array": np.array(["b" * len(KEY), KEY]),
    "bytes array": np.array([b"b" * len(KEY), KEY.encode()]),
    "void array": np.array([KEY.encode()]).view(f"V{len(KEY)}"),
    "field": np.array([(1, [KEY])], dtype=[("a", "i4"), ("b", f">U{len(KEY)}", (1,))]),
    "object array": np.array([KEY, 1], dtype=object),
    "deque": deque([KEY]),
    "late in a text": "x" * 1_000_001 + " " + KEY,
    "late in a list": ["x" * 100] * 100_001 + [KEY],
    "path": Path("/x") / KEY,
    "second line": f"a\n{KEY}",
    "after a letter that is not of English": f"é{KEY}",
    "after a color": f"\x1b{KEY}",
    "many texts": ["abc"] * 40 + [KEY],
    "bytes": KEY.encode(),
    "UTF-16": KEY.encode("utf-16"),
    "bytearray": bytearray(KEY.encode()),
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "web token": f"eyJ{'a' * 20}.eyJ{'b' * 20}.c",
}
HOLD_NONE = {
    "part of a word": "risk-assessment-of-everything-else",
    "words": WORDS,
    "words of an array": np.array(WORDS),
    "tokens": {"tokens": ["a", "b"], "api_key": None, "password": ""},
    "columns": pd.DataFrame({"key": ["a"], "token": ["b"], "session_id": ["c"], "secret": [1]}),
    "numbers": np.arange(10),
    "groups of numbers": {"passwords": [1, 2], "secret": np.arange(3), "api_keys": {"a": 1}},
    "labels of numbers": pd.Series([1], index=["password"]),
}


@pytest.mark.parametrize("name", HOLD_A_KEY)
def test_a_key_is_found_wherever_it_is(name: str) -> None:
    ((place, *_), unsearched) = find_secrets([encode_value(HOLD_A_KEY[name], "x")])
    assert place in ("x ('sk-…')", "x ('-----BEGIN…')", "x ('eyJ…')")
    assert unsearched == []


@pytest.mark.parametrize("name", HOLD_NONE)
def test_other_text_is_not_taken_for_a_key(name: str) -> None:
    assert find_secrets([encode_value(HOLD_NONE[name], "x")]) == ([], [])


def test_names_that_sound_like_a_secret_are_found() -> None:
    frame = pd.DataFrame({"n": [1], "api_key": ["x"]})
    fields = np.array([("x", 1)], dtype=[("password", "S4"), ("secret", "i4")])
    values: dict[str, Any] = {
        "api_key": "x", "config": [{"a": {"HF_TOKEN": "x"}}], "frame": frame, "rows": {"fields": fields},
        "series": pd.Series(["x"], name="Access Token"),
    }  # fmt: skip
    assert find_secrets([encode_value(value, name) for name, value in values.items()])[0] == [
        "api_key",
        "config[0]['a']['HF_TOKEN']",
        "frame['api_key']",
        "rows['fields']['password']",
        "series['Access Token']",
    ]


def test_groups_and_labels_that_sound_like_a_secret_are_found() -> None:
    values: dict[str, Any] = {
        "PASSWORDS": {"a": "x"}, "secret_list": ["x"], "config": {"api_keys": ("x",)},
        "credentials": np.array(["x"]), "series": pd.Series(["x"], index=["password"]),
        "row": pd.DataFrame({"v": ["x"]}, index=["api_key"]),
        "wide": pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("password", "x")])),
    }  # fmt: skip
    assert find_secrets([encode_value(value, name) for name, value in values.items()])[0] == [
        "PASSWORDS",
        "secret_list",
        "config['api_keys']",
        "credentials",
        "series['password']",
        "row['api_key']",
        "wide['password']",
    ]


@pytest.mark.parametrize(
    "text", ["password=hunter2", "host=x\npasswd=swordfish\n", "https://x/?api_key=abc&n=1"]
)
def test_a_value_without_quotes_is_found_in_data(text: str) -> None:
    assert len(find_secrets([encode_value(text, "given")])[0]) == 1
    source = "def f(x, password): return connect(x, password=password)"
    assert find_secrets([encode_value(source, "given")], [("f", f"connect(\n    {text}\n)")]) == ([], [])


def test_what_is_too_long_to_be_searched_is_named() -> None:
    values = [encode_value("a" * 50, "a"), encode_value("b" * 500, "b"), encode_value(KEY, "c")]
    assert find_secrets(values, max_chars=200) == (["c ('sk-…')"], ["b"])
    assert find_secrets(values, [("f", f"key = {KEY!r}")], max_chars=1000)[0] == ["c ('sk-…')", "f ('sk-…')"]
    assert prepare_values({"a": "x"}).unsearched == []


@pytest.mark.parametrize(
    "text",
    [
        "class x: api_key='abcdef'",
        "def x(password='hunter2'): pass",
        "PASSWORD=hunter2\nLEVEL=3",
        '{"password": "hunter2"}',
        '{"given": "{\\"password\\": \\"hunter2\\"}"}',
        "AWS_SECRET_ACCESS_KEY=abcdefgh",
        "postgres://me:hunter2secret@host/base",
        "sk_live_" + "a1" * 10,
    ],
)
def test_a_name_with_a_value_in_a_text_is_found(text: str) -> None:
    found, _ = find_secrets([encode_value(text, "given")], [("f", text)])
    assert len(found) == 2
    assert not any("hunter2" in each for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "def f(api_key=None, password: str = ''): return api_key",
        "password = os.environ['X']",
        "TOKEN=get_token()",
        "token = tokenizer('x')",
        "http://host:8080/a@b",
        "PASSWORD=$X",
    ],
)
def test_a_name_without_a_value_is_no_secret(text: str) -> None:
    assert find_secrets([encode_value(text, "given")], [("f", text)]) == ([], [])
