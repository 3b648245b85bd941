"""Cells give the same outputs on a pod, by `%%pod` in a machine of the sandbox, as in a local kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.environment import clean_environment
from tests.support.kernels import execute, notebook_of
from tests.support.sandbox_control import controlled

CELLS = {
    "print": "print('hello')\nprint('again', end='')",
    "stderr": "import sys\nprint('out'); print('err', file=sys.stderr); print('out')",
    "result": "40 + 2",
    "no result": "40 + 2;",
    "none": "None",
    "long list": "list(range(2000))",
    "unicode": "print('naïve – 日本語 🚀'); '\\u2028 é'",
    "ansi": "print('\\x1b[31mred\\x1b[0m \\x1b[1mbold\\x1b[0m')",
    "carriage return": "for i in range(3): print(f'\\r{i}', end='', flush=True)",
    "syntax error": "print('before')\nx = = 1",
    "indentation error": "if True:\nx = 1",
    "zero division": "def f(n):\n    return 1 / n\n\nf(0)",
    "cause": "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('bad\\nline') from error",
    "context": "try:\n    {}['a']\nexcept KeyError:\n    int('x')",
    "own exception": "class Odd(Exception):\n    def __str__(self): return 'odd <b>text</b>'\nraise Odd(3)",
    "group": "raise ValueError('ünïcode', 3)",
    "deep recursion": "import sys\nsys.setrecursionlimit(300)\ndef deep(n): return deep(n + 1)\ndeep(0)",
    "keyboard interrupt": "raise KeyboardInterrupt",
    "assertion": "assert 1 == 2, 'not so'",
    "system exit": "import sys\nsys.exit('leaving')",
    "html": "from IPython.display import *\ndisplay(HTML('<b>bold</b>'), Markdown('*m*'), Latex('$x$'))",
    "svg": "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>')",
    "json": "display(JSON({'a': [1, 2]}), Javascript('1'))",
    "image": "Image(bytes.fromhex('89504e470d0a1a0a0000000d49484452'), format='png')",
    "bundle": "display({'text/plain': 'a', 'application/x-own+json': {'b': 1}}, raw=True, metadata={'m': 1})",
    "update": "handle = display('one', display_id='it')\nhandle.update('two')\ndisplay('other')",
    "update of another cell": "update_display('three', display_id='it')",
    "clear": "print('gone'); clear_output(); print('stays')",
    "clear and wait": "print('gone'); clear_output(wait=True); print('stays')",
    "clear at the end": "print('stays'); clear_output(wait=True)",
    "clear before an error": "print('gone'); clear_output(wait=True)\n1 / 0",
    "matplotlib": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('t')",
    "figure": "fig, ax = plt.subplots()\nax.bar([1, 2], [3, 4])\nplt.show()\nprint('after')",
    "pandas": "import pandas as pd\npd.DataFrame({'a': [1, 2], 'b': ['x', '<y>']})",
    "pandas styled": "pd.Series([1.5, None], name='s')",
    "tqdm": "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass",
    "shell": "!echo out; echo err >&2\n!exit 3",
    "shell value": "lines = !printf 'a\\nb\\n'\nlines",
    "bash": "%%bash\nfor i in 1 2; do echo $i; done",
    "timeit": "%timeit -n 1 -r 1 pass",
    "capture": "%%capture got\nprint('held')",
    "captured": "got.stdout",
    "async": "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\nawait f()",
    "thread": "from threading import Thread\nt = Thread(target=lambda: print('thread')); t.start(); t.join()",
    "subprocess": "import subprocess, time\ndone = subprocess.run(['echo', 'from a child'], check=True)\n"
    "time.sleep(0.3); done.returncode",
    "low level": "import os, time\nos.write(1, b'low level\\n'); time.sleep(0.3)",
    "logging": "import logging\nlogging.warning('careful')",
    "warning": "import warnings\nwarnings.warn('old', stacklevel=1)",
    "help": "len?",
    "input": "input('? ')",
    "line magic": "%time 1 + 1",
    "several results": "%config InteractiveShell.ast_node_interactivity = 'all'\n1\n2",
    "one result": "%config InteractiveShell.ast_node_interactivity = 'last_expr'",
}
BARS = """from tqdm.notebook import tqdm
for _ in tqdm(range(3)): pass
for _ in tqdm(range(3), leave=False): pass
bar = tqdm(total=4); bar.update()"""
# IPython says how to exit after the error, which ends the cell here. A thread of the kernel reads what other
# programs write.
UNORDERED = ("system exit", "subprocess", "low level")
# What differs from one run to the next, here as there.
_VARIES = [
    (re.compile(r"\d+(\.\d+)?(e[+-]\d+)? ?([nmµμu]?s|it/s|ns ± .*)\b"), "TIME"),
    (re.compile(r"<[\d:]+, +\S+it/s\]|\[[\d:?]+<[\d:?]+, .*?\]"), "RATE"),
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    (re.compile(r"(?<!\S)\S*ipykernel_\d+/\d+\.py"), "FILE"),
    (re.compile(r"(In|cell)(\[| )\d+"), "CELL"),
]


def _normalize(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _normalize(part) for key, part in value.items() if key != "execution_count"}
    if isinstance(value, list):
        return [_normalize(part) for part in value]
    if isinstance(value, str):
        for pattern, word in _VARIES:
            value = pattern.sub(word, value)
    return value


def _normalize_output(output: Mapping[str, Any]) -> Any:
    """An output, but the class of an error, which is ours on a pod."""
    if output["output_type"] == "error":
        return ("error", _normalize("\n".join(output["traceback"])))
    return _normalize(output)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebooks with the outputs of both runs."""
    here = notebook_of([code if code.startswith("%%") else f"# %%pod\n{code}" for code in CELLS.values()])
    there = notebook_of(
        [
            "%load_ext primepods_magic\n%pods connect --sandbox",
            "%%pod_create --yes --wait\nname: train\ngpu: L4_24GB",
            *(f"%%pod train --quiet\n{code}" for code in CELLS.values()),
            f"%%pod train --quiet\n{BARS}",
            "%pods rm train -y",
        ]
    )
    folder = tmp_path_factory.mktemp("equal")
    with controlled(clock="stepped", machines=True, history=0) as machines:
        environment = clean_environment(folder, PRIMEPODS_SANDBOX_URL=machines.url)
        for notebook in (here, there):
            execute(notebook, environment, folder, allow_errors=True)
    pairs = zip([*here.cells, None], there.cells[2:-1], strict=True)
    return dict(zip([*CELLS, "bars"], pairs, strict=True))


@pytest.mark.parametrize("name", CELLS)
def test_outputs_are_equal(both: Any, name: str) -> None:
    here, there = both[name]
    outputs = [[_normalize_output(output) for output in cell.outputs] for cell in (here, there)]
    if name in UNORDERED:
        outputs = [sorted(each, key=str) for each in outputs]
    assert outputs[1] == outputs[0]


def test_a_bar_that_has_ended_is_text_in_the_saved_notebook(both: Any) -> None:
    """One that may go on in a later cell stays a widget."""
    ended, removed, is_open = both["bars"][1].outputs[:3]
    assert ended.data.keys() == {"text/plain"}
    assert re.match(
        r"100%\|█{10}\| 3/3 \[00:00<00:00, .*it/s\]$", ended.data["text/plain"].replace("\xa0", " ")
    )
    assert removed.data == {"text/plain": "", "text/html": "<span></span>"}
    assert "application/vnd.jupyter.widget-view+json" in is_open.data
