"""Bytes that no encoder makes: a typed error or a harmless value; no code runs, no memory is taken."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

import pytest

from primepods_magic.remote.agent.values import codec, packing
from primepods_magic.remote.agent.values.coding import Decoder
from primepods_magic.remote.agent.values.packing import BadValue
from tests.support.soak import pick

from . import value_table

PACKAGES = ["zones", *filter(find_spec, ("numpy", "pandas", "torch", "jax"))]
# What takes the place of any part of a description.
WRONG: list[Any] = [
    None, True, -1, 1 << 62, 1 << 70, 0.5, "", "x", "|O8", "O", "<U999999999", "object", "../../etc/passwd",
    [], [[]], ["array"], ["list", ["items"]], ["nat"], ["array", "|O8", [1], "C", 0],
    ["array", "<f8", [1 << 40], "C", 0], ["frame", [], [], []], ["str", 10**9], ["no such tag", 1],
]  # fmt: skip
MAX_BYTES = 30_000_000
FORBIDDEN = (
    "pickle.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.spawn",
    "subprocess.",
    "socket.",
    "ctypes.",
    "shutil.",
)

_events: list[str] = []
_is_watched = False


def _note_event(event: str, args: tuple[Any, ...]) -> None:
    if _is_watched and event.startswith(FORBIDDEN):
        _events.append(event)
    # Libraries open time zones and modules of their own.
    if _is_watched and event == "open" and isinstance(args[0], str):
        if isinstance(args[1], str) and set(args[1]) & set("wax+"):
            _events.append(f"writes {args[0]}")
        elif "passwd" in args[0]:
            _events.append(f"reads {args[0]}")


sys.addaudithook(_note_event)


@contextmanager
def watched() -> Iterator[None]:
    """Fail if anything is run, unpickled, written or connected to, or if there is much memory."""
    global _is_watched
    _events.clear()
    tracemalloc.start()
    _is_watched = True
    try:
        yield
    finally:
        _is_watched = False
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert _events == []
    assert peak < MAX_BYTES


def decode(description: Any, buffers: Any) -> None:
    """Decode; anything but a typed error is one of ours."""
    with suppress(BadValue):
        codec.decode_values(description, buffers)


def list_places(node: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every place in a description."""
    yield place
    if isinstance(node, list):
        for index, each in enumerate(node[:8]):
            yield from list_places(each, (*place, index))


def replaced(node: Any, place: tuple[int, ...], wrong: Any) -> Any:
    if not place:
        return wrong
    changed = list(node)
    changed[place[0]] = replaced(node[place[0]], place[1:], wrong)
    return changed


TABLE = value_table.make_values(PACKAGES)


def test_there_is_a_value_for_every_tag() -> None:
    text = json.dumps([codec.encode_value(value, "value").node for value in TABLE.values()])
    without = {"tensor", "jax", "texts"} if "torch" not in PACKAGES else {"jax", "texts"}
    assert [tag for tag in codec._READERS if f'["{tag}"' not in text and tag not in without] == []


@pytest.mark.parametrize("name", TABLE)
def test_no_part_of_a_description_can_be_something_else(name: str) -> None:
    encoded = codec.encode_value(TABLE[name], name)
    buffers = [memoryview(bytes(buffer)) for buffer in encoded.buffers]
    places = list(list_places(encoded.node))
    places = places[:: pick(1 + len(places) // 4, 1)]
    decode({"values": [[name, encoded.node, len(buffers)]]}, buffers)
    with watched():
        for place in places:
            for wrong in WRONG:
                node = replaced(encoded.node, place, wrong)
                decode({"values": [[name, node, len(buffers)]]}, buffers)
        for cut in ([], [memoryview(b"")] * len(buffers), [buffer[:-1] for buffer in buffers]):
            decode({"values": [[name, encoded.node, len(cut)]]}, cut)


@pytest.mark.parametrize("tag", codec._READERS)
def test_no_tag_takes_anything_else(tag: str) -> None:
    data = [memoryview(b"\xff" * 8), memoryview(b"")]
    with watched():
        for count in range(6):
            for wrong in WRONG:
                decode({"values": [["x", [tag, *[wrong] * count], 2]]}, data)


def test_a_block_that_is_cut_off_or_longer_is_refused() -> None:
    data = codec.pack_encoded([codec.encode_value({"a": [1, b"xyz"]}, "value")])
    with watched():
        for size in range(len(data)):
            with pytest.raises(BadValue):
                codec.unpack_values(data[:size])
        with pytest.raises(BadValue):
            codec.unpack_values(data + b"x")


@pytest.mark.parametrize(
    "description",
    [
        b"[]", b"7", b"{}", b'{"sizes": 7}', b'{"sizes": [-1]}', b'{"sizes": [1.5]}', b'{"sizes": [true]}',
        b'{"sizes": [1000000000000]}', b"[" * 100_000, b'{"sizes": [], "values": NaN}', b"\xff",
        b'{"sizes": [' + b"0," * 300_000 + b"0]}",
    ],
    ids=lambda data: str(data[:20]),
)  # fmt: skip
def test_a_description_that_is_none_is_refused(description: bytes) -> None:
    block = packing._MAGIC + packing._LENGTH.pack(len(description)) + description
    with watched(), pytest.raises(BadValue):
        codec.decode_values(*codec.unpack_values(block))


def test_a_length_that_is_announced_takes_no_memory() -> None:
    for length in (1 << 63, 1 << 40, packing.MAX_TEXT_BYTES, 100):
        with watched(), pytest.raises(BadValue):
            codec.unpack_values(packing._MAGIC + packing._LENGTH.pack(length) + b"{}")


def nest(depth: int) -> Any:
    node: Any = ["items"]
    for _ in range(depth):
        node = ["items", ["list", node]]
    return ["list", node]


@pytest.mark.parametrize(
    "node",
    [
        nest(200),
        ["dict", ["items", 1, 1], [2, 3]],
        ["dict", ["items", 1, 1.0], [2, 3]],
        ["dict", ["items", ["list", ["items"]]], [1]],
        ["set", ["items", 1, True]],
        ["list", ["s", 0, 0]],
        ["array", "|O8", [1], "C", 0],
        ["array", ["fields", 8, False, [["a", "|O8", 0]]], [1], "C", 0],
        ["array", ["sub", "|O8", [1]], [1], "C", 0],
        ["array", "<U0", [1 << 40], "C", 1],
        ["array", "|V0", [1 << 50, 1 << 50], "C", 1],
        ["array", "<f8", [0, 1 << 61, 1 << 61], "C", 1],
        ["array", "<f8", [-1], "C", 0],
        ["array", "<M8[0s]", [1], "C", 0],
        ["array", ["fields", 8, False, [["a", ["sub", ">m8[00D]", [1]], 0]]], [1], "C", 0],
        ["array", "<U1", [2], "C", 0],
        ["array", ["fields", 8, False, [["a", ["sub", ">U1", [2]], 0]]], [1], "C", 0],
        ["array", ["sub", "<f8", [1 << 30]], [1], "C", 0],
        ["array", "<f8,<f8", [1], "C", 0],
        ["array", "<f8", [1] * 33, "C", 0],
        ["array", ["small", "__class__"], [1], "C", 0],
        ["scalar", ["list", ["items"]]],
        ["fraction", ["int", "0x" + "f" * 100_000], 3],
        ["decimal", "1" * 200_000],
        ["int", "0x" + "g"],
        ["range", 0, 10, 0],
        ["datetime", 2026, 1, 1, 0, 0, 0, 0, 0, ["zone", "../../etc/passwd"]],
        ["tz", ["zone", "/etc/passwd"]],
        ["tz", ["offset", 5, 0, 0, None]],
        ["defaultdict", "eval", ["items"], []],
        ["source", "import os"],
        ["code", "x", "import os"],
        ["index", "range", [0, 1 << 62, 0], [None]],
        ["frame", ["index", "range", [0, 1, 1], [None]], ["index", "range", [0, 1 << 50, 1], [None]],
         [["plain", ["array", "<f8", [1], "C", 0]]]],
        ["series", None, ["index", "range", [0, 2, 1], [None]], ["text", ["items", 1, ["nat"]]]],
        ["values", ["plain", ["array", "|V8", [1], "C", 0]]],
        ["values", ["category", ["index", "range", [0, 1, 1], [None]], ["array", "<u4", [2], "C", 0], True]],
        ["values", ["category", ["index", "range", [0, 1 << 28, 1], [None]],
                    ["array", "<i8", [1], "C", 0], False]],
        ["index", "multi", [[["index", "range", [0, 1 << 28, 1], [None]]], [["array", "<u8", [1], "C", 0]]],
         [None]],
        ["index", "multi", [[["index", "range", [0, 1, 1], [None]]], []], [None]],
        ["values", ["zoned", "ns", ["zone", "../x"], ["array", "<i8", [1], "C", 0]]],
        ["values", ["period", "x" * 10_000, ["array", "<i8", [1], "C", 0]]],
        ["values", ["arrow", "pickle"]],
        ["timestamp", 5, None],
        ["tensor", "qint8", [8], 0],
        ["tensor", "float32", [1 << 40], 0],
        ["jax", ["objects", [1], ["items", 1]]],
    ],
    ids=lambda node: json.dumps(node)[:50],
)  # fmt: skip
def test_what_no_encoder_makes_is_refused(node: Any) -> None:
    data = [memoryview(b"\xff" * 8), memoryview(b"")]
    with watched(), pytest.raises(BadValue):
        codec.decode_values({"values": [["x", node, 2]]}, data)


def test_source_that_a_pod_sends_is_not_even_looked_at() -> None:
    data = codec.pack_encoded([codec.encode_value(1, "x")], code=[["f", "import os; os.system('false')"]])
    with watched():
        assert codec.decode_values(*codec.unpack_values(data)) == {"x": 1}


def test_too_many_parts_are_refused() -> None:
    decoder = Decoder([], codec._READERS)
    decoder._nodes = 4_000_000
    with pytest.raises(BadValue, match="too many parts"):
        decoder.decode(1)
