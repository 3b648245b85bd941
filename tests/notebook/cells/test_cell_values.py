"""`%%pod --in … --out …` in a kernel, over the sandbox's machines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.cells.test_pod_cell import LOAD, Front
from tests.support.environment import clean_environment
from tests.support.sandbox_control import controlled


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A notebook with a ready pod called train."""
    with controlled(clock="stepped", machines=True, history=0) as sandbox:
        front = Front(clean_environment(tmp_path_factory.mktemp("home"), PRIMEPODS_SANDBOX_URL=sandbox.url))
        front.run(f"{LOAD}\n%pod_create --gpu L4_24GB --name train --yes")
        sandbox.advance(120)
        yield front
        front.close()


def test_variables_go_before_the_cell_and_come_after_it(front: Front) -> None:
    front.run("import numpy as np\nscale = 2\ndef double(x):\n    return np.asarray(x) * scale\nn = [1, 2]")
    shown = front.run("%%pod train --in double,n --out m,total\nm = double(n)\ntotal = int(m.sum())\n'done'")
    assert shown == "'done'"
    assert front.run("print(type(m).__name__, m.dtype, m.tolist(), total)") == "ndarray int64 [2, 4] 6\n"


def test_a_function_of_a_cell_that_was_timed_is_known_there(front: Front) -> None:
    front.run("%%time\nimport math\ndef area(r):\n    return math.pi * r ** 2")
    assert front.run("%%pod train --in area\nround(area(2), 3)") == "12.566"


def test_classes_of_cells_are_known_there(front: Front) -> None:
    front.run("from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n    y: int = 2")
    front.run("%%pod train --in Point --out p, q".replace(", ", ",") + "\np = Point(1)\nq = repr(p)")
    assert front.run("print(p, q)") == "{'x': 1, 'y': 2} Point(x=1, y=2)\n"


def test_nothing_is_fetched_after_an_error(front: Front) -> None:
    front.run("kept = 'before'")
    shown = front.run("%%pod train --out kept\nkept = 'there'\n1 / 0")
    assert "ZeroDivisionError" in shown
    assert "kept: not fetched, because the cell failed." in shown
    assert front.run("kept") == "'before'"


def test_what_stays_there_can_be_asked_for_its_parts(front: Front) -> None:
    shown = front.run("%%pod train --out model\nclass Net:\n    weights = {'w': [1.0]}\nmodel = Net()")
    assert (
        "model stays on 'train': model is of the type __main__.Net, which cannot be sent. model.fetch(…)"
        in shown
    )
    assert front.run("print(model.fetch('.weights'))") == "{'w': [1.0]}\n"
    assert front.run("model").startswith("<'model' on 'train': Net · <__main__.Net object")


def test_mistakes_are_answered_and_nothing_is_run(front: Front) -> None:
    front.run("%%pod train\nran = 0")
    front.run("frame = 1\napi_key = 'abc'\nbad = open('/dev/null')")
    cases = {
        "--in fram": "There is no variable 'fram' in this notebook (did you mean 'frame'?). Nothing was sent",
        "--in 'a b'": "'a b' is not a name of a variable",
        "--in class": "'class' is not a name of a variable",
        "--in frame,frame": "names a variable twice",
        "--in bad": "bad is of the type _io.TextIOWrapper, which cannot be sent. Nothing was sent",
        "--in api_key": "api_key may hold a secret, which the provider of the pod could read. That was not",
        "--bg --out ran": "job.result(); get_pod(job.pod_name).pull('ran'). Nothing was run",
    }
    for options, message in cases.items():
        assert message in front.run(f"%%pod train {options}\nran = 1"), options
    assert front.run("%%pod train\nran") == "0"
    assert "There is no variable 'rann' (did you mean 'ran'?) on 'train'" in front.run(
        "%%pod train --out rann\n1"
    )


def test_a_person_is_asked_about_secrets(front: Front) -> None:
    front.run("api_key = 'abc'")
    cell = "%%pod train --in api_key\nprint(len(api_key))"
    assert front.run(cell, answers=["y"]).endswith("3\n")
    assert "was not confirmed, and nothing was sent. Pass --yes" in front.run(cell, answers=["n"])
    assert front.run(cell.replace("--in", "--yes --in")) == "3\n"


def test_values_are_sent_to_a_job_in_the_background(front: Front, tmp_path: Path) -> None:
    front.run("n = 20")
    front.run("%%pod train --bg --in n -o job\nm = n + 1")
    front.run("from primepods_magic import get_pod\nend = job.result()")
    assert front.run("get_pod('train').pull('m')") == "21"
    assert front.run("get_pod('train').push(n=5)\nprint(get_pod('train').pull('n'))") == "5\n"


def test_ctrl_c_while_the_session_is_busy_runs_nothing(front: Front, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    front.run("n = 1")
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    front.run(f"%%pod train --bg --session busy -o first\n{wait}\nn = 0")
    shown = front.run("%%pod train --session busy --in n\nran = True", interrupt_at="Waiting for job")
    assert "WaitInterrupted: The cell was not run: Interrupted while waiting for 'train'" in shown
    gate.touch()
    front.run("end = first.result()")
    assert front.run("%%pod train --session busy\nprint(n, 'ran' in globals())") == "0 False\n"


def test_ctrl_c_before_the_cell_is_sent_is_said_in_a_line(front: Front) -> None:
    front.run(
        "import dataclasses\n@dataclasses.dataclass\nclass Cut:\n    a: int\n"
        "    def __getattribute__(self, name):\n        if name == 'a': raise KeyboardInterrupt\n"
        "        return object.__getattribute__(self, name)\ncut = Cut(1)"
    )
    shown = front.run("%%pod train --in cut\nran = True")
    assert shown == "WaitInterrupted: Interrupted before the cell was sent. Nothing was run"


def test_an_interrupted_cell_is_said_to_have_begun_or_not(front: Front) -> None:
    shown = front.run(
        "from primepods_magic import get_pod\n"
        "from primepods_magic.notebook.cells.values import _interrupt_job\n"
        "pod = get_pod('train')\n"
        "job = pod.run('import time\\nprint(1, flush=True)\\ntime.sleep(600)', session='cut')\n"
        "while not job.output: pass\n"
        "waits = pod.run('2', session='cut')\n"
        "print(_interrupt_job(waits), '/', _interrupt_job(job))"
    )
    assert shown.startswith(
        "The cell was not run / The cell had begun, and is interrupted there ('%pods attach "
    )
