"""The same values and dtypes on both sides, whatever Python, NumPy and pandas they have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.remote.agent.values import codec
from primepods_magic.remote.agent_archive import build_archive
from tests.package.environments import Environment, interpreter, made, network_variables

from . import value_table

PACKAGES = ("numpy", "pandas", "torch", "jax")
# Where a combination has no wheels, it is left out. Python 3.8 has older ones.
MATRIX = [("3.8", "1.24", "2.0"), *product(("3.8", "3.10", "3.12", "3.13"), ("1.26", "2"), ("2.2", "3"))]


def exchange(python: str, folder: Path, packages: list[str]) -> dict[str, Any]:
    """Send the table to another Python and fetch its own; what is wrong on either side, by value."""
    (folder / "agent.pyz").write_bytes(build_archive().data)
    own = value_table.make_values(packages)
    encoded = [codec.encode_value(value, name) for name, value in own.items()]
    (folder / "there").write_bytes(codec.pack_encoded(encoded, packages=packages))
    words = [value_table.__file__, *(str(folder / name) for name in ("agent.pyz", "there", "here"))]
    done = subprocess.run([python, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    description, buffers = codec.unpack_values((folder / "here").read_bytes())
    result: dict[str, Any] = description["result"]
    fetched = set()
    for name, entry, own_buffers in value_table.list_entries(description["values"], buffers):
        value = codec.decode_values({"values": [entry]}, own_buffers)[name]
        if not value_table.compare(value, own[name]):
            said = json.dumps(value_table.describe(value))
            result["wrong"][f"{name}, fetched"] = f"{said} instead of {value_table.describe(own[name])}"
        fetched.add(name)
    assert fetched == own.keys()
    return {**result, "count": len(own)}


def test_every_value_is_the_same_on_both_sides(tmp_path: Path) -> None:
    result = exchange(sys.executable, tmp_path, ["zones", *filter(find_spec, PACKAGES)])
    assert result["wrong"] == {}
    assert result["count"] >= 60


def test_every_python_has_the_same_plain_values(tmp_path: Path) -> None:
    found = filter(None, map(interpreter, ("3.8", "3.13")))
    for python in found:
        assert exchange(python, tmp_path, [])["wrong"] == {}


def test_a_dataclass_is_a_dict_there() -> None:
    names: dict[str, Any] = {}
    exec(value_table.PREPARE, names)
    for code, expected in value_table.AS_DICTS.values():
        encoded = codec.encode_value(eval(code, names), "value")
        data = codec.pack_encoded([encoded])
        assert codec.decode_values(*codec.unpack_values(data)) == {"value": eval(expected)}
        assert encoded.notes["value"] == "is a dict there, not a Point"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Kept for another look, if there is a place for it.
    return Path(os.environ.get("PRIMEPODS_VALUE_ENVIRONMENTS") or tmp_path_factory.mktemp("environments"))


def _make_environment(folder: Path, python: str, numpy: str, pandas: str) -> Environment:
    """An environment with these versions; skips where one of them is not for this Python."""
    path = interpreter(python) or pytest.skip(f"there is no Python {python}")
    name = f"python{python}-numpy{numpy}-pandas{pandas}"
    if (folder / name / "ready").exists():
        return Environment(folder / name)
    environment = made(folder / name, path)
    packages = (f"numpy=={numpy}.*", f"pandas=={pandas}.*")
    command = [environment.python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages]
    done = subprocess.run(command, capture_output=True, text=True, env=network_variables())
    if done.returncode:
        pytest.skip(f"not for this Python: {done.stderr.strip().splitlines()[-1]}")
    (folder / name / "ready").touch()
    return environment


@pytest.mark.soak
@pytest.mark.parametrize(("python", "numpy", "pandas"), MATRIX)
def test_every_version_has_the_same_values(
    tmp_path: Path, environments: Path, python: str, numpy: str, pandas: str
) -> None:
    environment = _make_environment(environments, python, numpy, pandas)
    result = exchange(environment.python, tmp_path, ["zones", "numpy", "pandas"])
    print(f"{result['facts']}: {result['count']} values each way, wrong: {result['wrong']}")
    assert result["wrong"] == {}
