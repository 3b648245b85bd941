"""How the house is built: who may import whom, what is loaded when, and which names are public."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import primepods_magic
from primepods_magic.api import errors

PACKAGE = Path(primepods_magic.__file__).parent
NAME = "primepods_magic"
ROOMS = {"api", "pods", "remote", "frames", "costs", "notebook", "sandbox"}

# Everything that may be imported from another room; the top level belongs to no room.
MAY_IMPORT: dict[str, set[str]] = {
    "api": set(),
    "sandbox": set(),
    "pods": {"api"},
    "remote": {"api", "pods"},
    "frames": {"api", "pods", "remote"},
    "costs": {"api", "pods", "remote", "frames"},
    "notebook": {"api", "pods", "remote", "frames", "costs"},
}
# Starting the built-in sandbox is the one thing it is not reached through HTTP for.
STARTS_THE_SANDBOX = Path("pods/connection/current.py")
# A pod's methods are where a person looks for what can be done with it.
USES_A_POD = {Path(f"pods/methods/{name}.py") for name in ("cells", "files", "guards", "packages")}

HEAVY = {"pandas", "httpx", "pydantic", "ipywidgets", "fastapi"}

PUBLIC_NAMES = {
    "Client",
    "Launcher",
    "Limits",
    "Pod",
    "PodsError",
    "Settings",
    "add_alert",
    "connect",
    "costs",
    "create_disk",
    "delete_disks",
    "end_alert",
    "errors",
    "get_pod",
    "launch",
    "launch_many",
    "list_alerts",
    "list_gpus",
    "list_offers",
    "list_pods",
    "load_ipython_extension",
    "rename_disk",
    "unload_ipython_extension",
}

COSTS_NAMES = set(
    """breakdown compared dearest gpu_hour_prices last_month ledger load_frame mapping month pattern plot
    plot_budget plot_month plot_over_time plot_prices plot_shares plot_timeline read_ledger rounded running
    save_frame spot_savings to_focus waste""".split()
)


@dataclass(frozen=True)
class Import:
    """One import statement: which file, what it imports, and whether that happens when the file is loaded."""

    file: Path
    line: int
    module: str
    at_load: bool
    for_types_only: bool

    @property
    def room(self) -> str:
        """The room it reaches into; empty for the top level, and for what is not ours."""
        first, _, rest = self.module.partition(".")
        return rest.partition(".")[0] if first == NAME and rest.partition(".")[0] in ROOMS else ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def _for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.unparse(test)


def _modules(node: ast.Import | ast.ImportFrom, file: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    package = [NAME, *file.parent.parts]
    parents = package[: len(package) - node.level + 1] if node.level else []
    base = ".".join([*parents, *([node.module] if node.module else [])])
    # `from .. import api` and `from ..api import x` both reach into api.
    yield from (f"{base}.{alias.name}" for alias in node.names)


def _walk(node: ast.AST, file: Path, at_load: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for module in _modules(child, file):
                yield Import(file, child.lineno, module, at_load, for_types)
        elif isinstance(child, ast.If) and _for_types(child.test):
            for part in child.body:
                yield from _walk(ast.Module([part], []), file, False, True)
            for part in child.orelse:
                yield from _walk(ast.Module([part], []), file, at_load, for_types)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, file, at_load and not in_function, for_types)


def imports_of(source: str, file: Path) -> list[Import]:
    return list(_walk(ast.parse(source), file, True, False))


FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


# Not while tests are collected, which each process does that runs some.
@cache
def _all_imports() -> list[Import]:
    return [found for file in FILES for found in imports_of((PACKAGE / file).read_text(), file)]


def _room_of(file: Path) -> str:
    return file.parts[0] if file.parts[0] in ROOMS else ""


def _forbidden(found: Import) -> bool:
    here, there = _room_of(found.file), found.room
    if not there or there == here:
        return False
    if not here:
        # The top level offers names lazily; what it would load at once, everybody would pay for.
        return found.at_load
    if there == "sandbox" and found.file == STARTS_THE_SANDBOX:
        return False
    if there == "remote" and found.file in USES_A_POD:
        return found.at_load
    return there not in MAY_IMPORT[here]


def test_arrows_point_one_way() -> None:
    assert not [str(found) for found in _all_imports() if _forbidden(found)]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("api/client.py", "from ..pods import watch"),
        ("api/client.py", "def f():\n    from primepods_magic.frames import tables"),
        ("api/client.py", "from .. import notebook"),
        ("pods/launching/launch.py", "import primepods_magic.sandbox"),
        (
            "pods/launching/launch.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ...frames import x",
        ),
        ("frames/tables/pods.py", "from ...notebook.progress import html"),
        ("sandbox/http/app.py", "from ...api.models import Pod"),
        ("pods/methods/cells.py", "from primepods_magic.remote.command import run_command"),
        ("pods/find.py", "def f():\n    from primepods_magic.remote.command import run_command"),
        ("notebook/commands/ls.py", "from ...sandbox import start"),
        ("__init__.py", "from .notebook import magics"),
    ],
)
def test_an_arrow_that_points_the_wrong_way_is_seen(file: str, source: str) -> None:
    assert [found for found in imports_of(source, Path(file)) if _forbidden(found)]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("pods/connection/current.py", "def f():\n    from primepods_magic.sandbox import start"),
        ("notebook/commands/ls.py", "from ...frames import pods\nfrom ...api.errors import PodsError"),
        ("api/client.py", "from .._version import __version__\nfrom . import errors"),
        ("__init__.py", "def load_ipython_extension(shell):\n    from .notebook import extension"),
    ],
)
def test_an_arrow_that_points_the_right_way_may(file: str, source: str) -> None:
    assert not [str(found) for found in imports_of(source, Path(file)) if _forbidden(found)]


def test_nobody_patches_the_event_loop() -> None:
    assert not [str(found) for found in _all_imports() if found.module.startswith("nest_asyncio")]


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (r"import platformdirs|Path\.home\(\)(?! /)|expanduser\(", "api/local/folders.py"),
        (r"os\.replace\(|mkstemp\(|\.tmp\b", "api/local/atomic_files.py"),
        (r'"USD": "\$"|\$\{[^{}]+:,?\.\df\}', "api/text/money.py"),
    ],
)
def test_one_thing_is_in_one_place(words: str, place: str) -> None:
    found = {str(file) for file in FILES if re.search(words, (PACKAGE / file).read_text())}
    # The agent runs on the pod, where none of the rest is.
    assert {file for file in found if not file.startswith("remote/agent")} == {place}


def _name_module(file: Path) -> str:
    parts = [NAME, *file.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_cycles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Find modules that lie on a circle or lead into one: what remains without those that lead nowhere."""
    left = {module: set(others) for module, others in arrows.items()}
    while True:
        ends = {module for module, others in left.items() if not others & left.keys()}
        if not ends:
            break
        left = {module: others for module, others in left.items() if module not in ends}
    return [[module, *sorted(others & left.keys())] for module, others in sorted(left.items())]


def test_finds_a_cycle_and_what_leads_into_it() -> None:
    assert find_cycles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert find_cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["a", "b"], ["b", "c"], ["c", "b"]]


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports for types alone count: they are needs too."""
    modules = {_name_module(file) for file in FILES}
    arrows: dict[str, set[str]] = {module: set() for module in modules}
    for found in _all_imports():
        module = found.module if found.module in modules else found.module.rpartition(".")[0]
        here = _name_module(found.file)
        if module in modules and module != here and found.file != Path("__init__.py"):
            arrows[here].add(module)
    assert find_cycles(arrows) == []


def test_nothing_imports_the_top_level_but_its_version() -> None:
    """The top level offers names of the others, so an import of it is an arrow upward."""
    public = {NAME, *(f"{NAME}.{name}" for name in (*PUBLIC_NAMES, "__version__") if name != "costs")}
    up = [str(found) for found in _all_imports() if found.module in public and found.file.parts[0] in ROOMS]
    assert not up


def test_folders_stay_small() -> None:
    """A folder with a file for each command or route may hold more."""
    counts = Counter(file.parent for file in FILES)
    large = {str(folder): count for folder, count in counts.items() if count > 14}
    assert large.keys() <= {"notebook/commands", "sandbox/routes"}


def test_files_stay_short() -> None:
    long = {
        str(file): lines for file in FILES if (lines := len((PACKAGE / file).read_text().splitlines())) > 400
    }
    assert not long


def _loaded(code: str) -> set[str]:
    """The heavy packages that a fresh Python has loaded after `code`."""
    ask = f"{code}\nimport sys; print(' '.join(sorted({HEAVY | {'IPython'}!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_importing_loads_nothing_heavy() -> None:
    assert _loaded("import primepods_magic") == set()


def test_loading_the_extension_loads_nothing_heavy() -> None:
    shell = (
        "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()\n"
    )
    assert _loaded(f"{shell}shell.run_line_magic('load_ext', 'primepods_magic')") == {"IPython"}


def test_public_names() -> None:
    assert set(primepods_magic.__all__) == PUBLIC_NAMES
    assert sorted(primepods_magic.__all__) == list(primepods_magic.__all__)


def test_errors_can_be_imported_from_where_the_documents_say_they_are() -> None:
    imported = "import primepods_magic\nfrom primepods_magic.errors import NotFound, PodsError"
    assert _loaded(f"{imported}\nassert primepods_magic.errors.NotFound is NotFound") == set()
    namespace: dict[str, object] = {}
    exec("from primepods_magic.errors import *", namespace)
    assert {name: namespace[name] for name in errors.__all__} == {
        n: getattr(errors, n) for n in errors.__all__
    }
    assert set(errors.__all__) <= set(dir(primepods_magic.errors))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        getattr(primepods_magic.errors, "nonsense")  # noqa: B009 - which mypy would refuse


def test_public_names_of_costs() -> None:
    assert set(primepods_magic.costs.__all__) == COSTS_NAMES
    assert sorted(primepods_magic.costs.__all__) == list(primepods_magic.costs.__all__)
    assert set(primepods_magic.costs.__all__) <= set(dir(primepods_magic.costs))
    for name in primepods_magic.costs.__all__:
        assert getattr(primepods_magic.costs, name).__doc__, f"{name} has no docstring"


def test_public_names_can_be_had_and_say_what_they_are() -> None:
    for name in primepods_magic.__all__:
        thing = getattr(primepods_magic, name)
        assert isinstance(thing, str) or thing.__doc__, f"{name} has no docstring"
    assert set(primepods_magic.__all__) <= set(dir(primepods_magic))
