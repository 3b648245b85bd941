"""Functions and classes of a notebook, as source, with what they need."""

from __future__ import annotations

import ast
import linecache
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.links import open_link
from primepods_magic.remote.values.source import Needed, find_needed
from primepods_magic.remote.values.transfer import Terms, prepare_values, push_values

NAME = "notebook_of_a_test"

RunCells = Callable[..., dict[str, Any]]


@pytest.fixture
def run_cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunCells]:
    """Run cells as a notebook does: each is a file that is in no folder."""
    # Cells of other tests are in the history too.
    monkeypatch.setattr(linecache, "cache", {})
    module = ModuleType(NAME)
    sys.modules[NAME] = module
    files = []

    def run(*cells: str) -> dict[str, Any]:
        for cell in cells:
            vars(module).setdefault("In", [""]).append(cell)
            files.append(f"/tmp/ipykernel_1/{len(files)}.py")
            linecache.cache[files[-1]] = (len(cell), None, cell.splitlines(keepends=True), files[-1])
            exec(compile(cell, files[-1], "exec", dont_inherit=True), vars(module))
        return vars(module)

    yield run
    del sys.modules[NAME]


def find(names: dict[str, Any], *wanted: str) -> Needed:
    return find_needed({name: names[name] for name in wanted}, main=NAME)


def list_sources(needed: Needed) -> list[tuple[str, str]]:
    return [(each["name"], each["text"]) for each in needed.code]


def test_a_function_comes_with_what_it_needs_in_order(run_cells: RunCells) -> None:
    names = run_cells(
        "import math\nimport collections as c\nfrom fractions import Fraction as F\nrate = 0.5\nunused = 1",
        "def last(x):\n    return x * rate\n",
        "class Base:\n    pass\n\nclass Child(Base):\n    def go(self):\n"
        "        return [last(n) for n in c.Counter('ab')]\n",
        "def first(x, default=F(1, 2)):\n    def inner():\n        return Child().go(), math.pi, x.unused\n"
        "    return inner\n",
    )
    needed = find(names, "first")
    assert needed.values == {"rate": 0.5}
    assert needed.held == {"first(default=…)": Fraction(1, 2)}
    assert sorted(needed.imports) == [
        ("c", "collections", ""),
        ("math", "math", ""),
    ]
    assert [each["name"] for each in needed.code] == ["first", "Base", "Child", "last"]
    assert needed.code[2]["text"].startswith("class Child(Base):\n    def go(self):\n")
    assert needed.code[2]["uses"] == ["Base"]


def test_source_is_searched_for_secrets(run_cells: RunCells) -> None:
    key = "sk-" + "abcd1234" * 5
    names = run_cells(f"def ask(key={key!r}): return key\nclass Client:\n    key = {key!r}\n")
    outgoing = prepare_values({"ask": names["ask"], "Client": names["Client"]}, main=NAME)
    assert outgoing.secrets == ["ask ('sk-…')", "Client ('sk-…')"]


def test_functions_that_call_each_other_are_both_there(run_cells: RunCells) -> None:
    names = run_cells(
        "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\n"
    )
    assert [each["name"] for each in find(names, "even").code] == ["even", "odd"]


def test_decorators_and_other_names_are_kept(run_cells: RunCells) -> None:
    names = run_cells(
        "import functools\n@functools.lru_cache(maxsize=None)\ndef slow(x):\n    return x\nalias = slow\n"
        "square = lambda x: x * x\n"
    )
    needed = find(names, "alias", "square")
    assert list_sources(needed) == [
        ("slow", "@functools.lru_cache(maxsize=None)\ndef slow(x):\n    return x\n"),
        ("alias", "alias = slow\n"),
        ("square", "square = lambda x: x * x\n"),
    ]
    assert needed.imports == [("functools", "functools", "")]


def test_a_dataclass_without_methods_is_found_in_the_history(run_cells: RunCells) -> None:
    cell = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
    names = run_cells(cell)
    names["In"] = ["", cell, "@dataclass\nclass Point:\n    x: str\n", cell, "print(Point)"]
    needed = find(names, "Point")
    assert list_sources(needed) == [("Point", "@dataclass\nclass Point:\n    x: int\n")]
    assert needed.imports == [("dataclass", "dataclasses", "dataclass")]


def test_a_function_of_a_cell_that_a_magic_ran_is_found_by_its_code(run_cells: RunCells) -> None:
    names = run_cells("x = 1")
    old, new = "def f(n):\n    return n + 1\n", "def f(n):\n    return n + 2\n"
    exec(compile(f"\n{old}", "<timed exec>", "exec"), names)
    names["In"] = ["", f"get_ipython().run_cell_magic('time', '', {old!r})\n", new, "f(1)"]
    assert list_sources(find(names, "f")) == [("f", old)]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "def make():\n    n = 1\n    return lambda: n\nf = make()",
            "'f' cannot be sent: f was made in another function, and uses its n",
        ),
        ("exec('def f(): pass')", "'f' cannot be sent: its source is not known"),
        (
            "def make():\n    class A: pass\n    return A\nf = make()",
            "'f' cannot be sent: it is a class that was made in a function",
        ),
        ("f = type('A', (), {})", "'f' cannot be sent: its source is not known"),
        (
            "from tests.support.soak import pick as f",
            "'f' is of 'tests.support.soak', a module of your project",
        ),
        ("import tests.support as f", "'f' is of 'tests.support', a module of your project: .* '%pods sync'"),
        (
            "data = object()\ndef f(): return data",
            r"data is of the type object.*\('f' uses it\). Nothing was sent",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused(run_cells: RunCells, cell: str, message: str) -> None:
    names = run_cells(cell)
    with pytest.raises(InvalidRequest, match=message):
        prepare_values({"f": names["f"]}, main=NAME)


def test_what_libraries_note_at_parsed_code_is_not_copied(run_cells: RunCells) -> None:
    """All names that Python parses share one object, which leads to all code that was in a traceback."""
    name: Any = ast.parse("x", mode="eval").body
    name.ctx.parent = threading.Lock()
    try:
        assert list_sources(find(run_cells("def f(n): return n\n"), "f")) == [("f", "def f(n): return n\n")]
    finally:
        del name.ctx.parent


def test_of_two_classes_of_a_name_the_right_one_is_sent(run_cells: RunCells) -> None:
    cells = [
        "class Conf:\n    lr = 1\n",
        "Old = Conf\nclass Conf:\n    lr = 2\n",
        "if True:\n    class Opt:\n        x: int\nelse:\n    class Opt:\n        x: str\n",
    ]
    names = run_cells(*cells)
    names["In"] = ["", *cells]
    assert dict(list_sources(find(names, "Old", "Conf", "Opt"))) == {
        "Old": "class Conf:\n    lr = 1\n",
        "Conf": "class Conf:\n    lr = 2\n",
        "Opt": "    class Opt:\n        x: int\n",
    }


def test_they_run_on_the_pod_and_their_tracebacks_have_their_lines(
    agent_pod: Pod, run_cells: RunCells
) -> None:
    names = run_cells(
        "import numpy as np\nscale = [2.0]",
        "class Model:\n    def fit(self, x):\n        return float(np.sum(x) * scale[0])\n",
        "def train(x):\n    model = Model()\n    return model.fit(x)\n",
    )
    outgoing = prepare_values({"train": names["train"]}, main=NAME)
    link = open_link(agent_pod.connection, agent_pod.details)
    push_values(link, "main", outgoing, Terms())
    job = agent_pod.run(
        "import sys, traceback\nprint(train([1, 2]))\n"
        "try: train('a')\nexcept Exception: traceback.print_exc(file=sys.stdout)"
    )
    job.result(60)
    assert job.output.startswith("6.0\n")
    where = 'File "<Model of your notebook>", line 3, in fit\n    return float(np.sum(x) * scale[0])'
    assert where in job.output
    kept = agent_pod.pull("train")
    assert kept.type == "builtins.function"


def push(pod: Pod, session: str, names: dict[str, Any], *wanted: str) -> list[str]:
    """Send values of a notebook to a session; return what is said."""
    notes: list[str] = []
    outgoing = prepare_values({name: names[name] for name in wanted}, main=NAME)
    push_values(open_link(pod.connection, pod.details), session, outgoing, Terms(on_note=notes.append))
    return notes


def test_names_that_were_not_asked_for_replace_nothing_that_is_there(
    agent_pod: Pod, run_cells: RunCells
) -> None:
    cell = (
        "import math as m\nmodel = None\nrate = 1\nsame = [1]\ndef helper(): return 'here'\n"
        "def evaluate(): return model, rate, same, helper(), m.pi\n"
    )
    names = run_cells(cell)
    agent_pod.run("model = 'ten hours'; same = [1]\ndef helper(): return 'there'\nm = 5").result(60)
    notes = push(agent_pod, "main", names, "evaluate")
    assert notes[0] == (
        "'train' has another model, and keeps it; evaluate uses it there. To replace it, send model by name "
        "as well."
    )
    assert sorted(note.split()[3].strip(",") for note in notes) == ["helper", "m", "model"]
    assert agent_pod.pull("model", "rate", "same", "helper()", "m") == ("ten hours", 1, [1], "there", 5)
    # What another needed, and no one has changed, follows the notebook.
    names = run_cells(cell.replace("rate = 1", "rate = 2"))
    assert len(push(agent_pod, "main", names, "evaluate")) == 3
    assert agent_pod.pull("rate") == 2
    agent_pod.run("rate = 3").result(60)
    assert len(push(agent_pod, "main", names, "evaluate")) == 4
    assert push(agent_pod, "main", names, "evaluate", "model", "rate", "helper", "m") == []
    assert agent_pod.pull("evaluate()") == (None, 2, [1], "here", 3.141592653589793)


def test_a_definition_under_another_name_leaves_that_name_alone(agent_pod: Pod, run_cells: RunCells) -> None:
    names = run_cells(
        "def f(): return 'old'\nold = f\ndef f(): return 'new'\nrate = 1\ndef g(): return rate\n"
    )
    agent_pod.run("f = 'mine'", again=True).result(60)
    assert push(agent_pod, "main", names, "old") == []
    assert agent_pod.pull("old()", "f") == ("old", "mine")
    # What is sent by name is that value, also if a function uses another one here.
    push(agent_pod, "main", {**names, "rate": 9}, "g", "rate")
    assert agent_pod.pull("g()") == 9
