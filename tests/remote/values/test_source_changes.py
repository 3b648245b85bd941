"""Functions and classes arrive as they are, or are refused; nothing of the notebook runs for that."""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.remote.agent.values import namespace as agent
from primepods_magic.remote.values.transfer import prepare_values

from .definitions_table import REFUSED, SENT
from .test_source import NAME, RunCells, run_cells

__all__ = ["run_cells"]

Send = Callable[..., list[str]]


@pytest.fixture
def pod() -> ModuleType:
    """The module of a session, whose functions are of a module with the name that the notebook has."""
    return ModuleType(NAME)


@pytest.fixture
def send(pod: ModuleType, tmp_path: Path) -> Iterator[Send]:
    """Send variables into the session; return the names that it keeps."""

    def send_names(names: dict[str, Any], *wanted: str) -> list[str]:
        path = tmp_path / "values"
        path.write_bytes(prepare_values({name: names[name] for name in wanted}, main=NAME).pack())
        kept: list[str] = agent._put_values(vars(pod), str(path))["kept"]
        return kept

    yield send_names
    for file in [file for file in linecache.cache if file.endswith("of your notebook>")]:
        del linecache.cache[file]


@pytest.fixture
def probe(pod: ModuleType) -> Iterator[Callable[[str], str]]:
    """Return what code shows on the pod."""
    here = sys.modules.get(NAME)

    def show(code: str) -> str:
        sys.modules[NAME] = pod
        try:
            return repr(eval(code, vars(pod)))
        finally:
            sys.modules[NAME] = here or pod

    return show


@pytest.mark.parametrize(("cells", "code"), SENT)
def test_what_arrives_is_what_is_here(
    run_cells: RunCells, send: Send, probe: Callable[[str], str], cells: str, code: str
) -> None:
    names = run_cells(*cells.split("\n---\n"))
    send(names, "f")
    assert probe(code) == repr(eval(code, names))


@pytest.mark.parametrize(("cells", "reason"), REFUSED)
def test_what_its_source_does_not_make_is_refused(run_cells: RunCells, cells: str, reason: str) -> None:
    names = run_cells(*cells.split("\n---\n"))
    with pytest.raises(InvalidRequest) as caught:
        prepare_values({"f": names["f"]}, main=NAME)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent")


@pytest.mark.parametrize(
    ("cells", "left"),
    [
        ("left = iter([1, 2, 3])\ndef f(a=list(left)): return a\n---\nleft = iter([5, 6])", "list(left)"),
        ("import io\nleft = io.StringIO('a')\nclass f:\n    head = tuple(left)\nleft = io.StringIO('b')",
         "left.read()"),
        ("left = {}\nclass Keys(dict):\n    def __missing__(self, key):\n        left[key] = 1\n"
         "        return 1\n"
         "keys = Keys()\ndef f(a=keys['a'], b: keys['b'] = 2): pass\nleft.clear()", "left"),
        ("left = [1, 2]\nclass Any:\n    def __getattr__(self, name): return left.pop()\n"
         "odd = Any()\ndef f(a=odd.x): return odd\nleft = [3]", "left"),
        ("left = []\nclass Base:\n    def __init_subclass__(cls): left.append(cls)\nclass f(Base): pass\n"
         "left = []", "left"),
        ("left = []\ndef keep(g):\n    left.append(1)\n    return g\n@keep\ndef f(): pass\n"
         "left = []", "left"),
        ("left = [1, 2]\nclass Any:\n    def __getattribute__(self, name): return left.pop()\n"
         "odd = Any()\ndef f(): return odd", "left"),
        ("class Base: pass\nclass f(Base): pass", "len(Base.__subclasses__())"),
    ],
)  # fmt: skip
def test_nothing_of_the_notebook_runs_when_it_is_sent(run_cells: RunCells, cells: str, left: str) -> None:
    names, others = run_cells(*cells.split("\n---\n")), dict[str, Any]()
    exec(cells.replace("\n---\n", "\n"), others)
    with contextlib.suppress(InvalidRequest):
        prepare_values({"f": names["f"]}, main=NAME)
    assert repr(eval(left, names)) == repr(eval(left, others))


def test_a_class_that_is_still_the_same_is_not_defined_twice(
    run_cells: RunCells, send: Send, pod: ModuleType
) -> None:
    cell = "class A:\n    v = [1]\nclass B(A): pass\ndef make(): return B()\n"
    names = run_cells(cell)
    assert send(names, "A") == []
    assert send(names, "make") == []
    old = pod.make()
    assert send(names, "A", "make") == send(names, "make") == []
    assert isinstance(old, pod.B)
    assert isinstance(pod.make(), pod.A)
    # What it is made of has changed here: it follows.
    names = run_cells(cell.replace("[1]", "[2]"))
    assert send(names, "make") == ["A"]
    assert send(names, "A", "make") == []
    assert isinstance(pod.make(), pod.A)
    assert pod.B.v == [2]
    pod.A.v = 7
    assert send(names, "A") == []
    assert pod.A.v == [2]


def test_a_default_that_is_a_variable_stays_that_variable(
    run_cells: RunCells, send: Send, probe: Callable[[str], str]
) -> None:
    names = run_cells("seen = []\ndef f(a=seen, b=seen): return a is b is seen\ndef g(a=f): return a is f")
    send(names, "f", "g")
    assert probe("f(), g()") == "(True, True)"
    names = run_cells("both = [1]\ndef f(a=both): return a\ndef g(b=both): return f() is b")
    send(names, "f", "g")
    assert probe("g()") == "True"


def test_nothing_is_left_of_the_values_that_took_a_place(
    run_cells: RunCells, send: Send, pod: ModuleType
) -> None:
    send(run_cells("def f(a=[1], b: int = 2): return a"), "f")
    assert [name for name in vars(pod) if not name.startswith("__")] == ["f"]
    assert not [
        name for name in vars(__builtins__ if isinstance(__builtins__, ModuleType) else sys) if " " in name
    ]
