"""What is in the wheel and the sdist, what they say of themselves, and that an installed wheel works."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from trove_classifiers import classifiers, deprecated_classifiers

import primepods_magic

from . import environments
from .building import (
    NAME,
    ROOT,
    Built,
    description_of,
    files_of_checkout,
    files_of_sdist,
    files_of_wheel,
    metadata_of,
)

VERSION = primepods_magic.__version__

# All that is in the package and is not Python.
DATA = {
    f"{NAME}/notebook/launcher/view/launcher.css",
    f"{NAME}/py.typed",
    f"{NAME}/sandbox/docs/page.css",
}

# What is imported and comes with what is required, for its own users to import.
COMES_WITH = {"numpy": "pandas", "pydantic-core": "pydantic", "starlette": "fastapi", "traitlets": "ipython"}
COMES_WITH |= {"cryptography": "asyncssh", "pillow": "matplotlib", "comm": "ipywidgets"}
COMES_WITH |= {"jupyter-core": "ipykernel", "pyzmq": "ipykernel"}

# What building and testing take, beside the package; the backend adds the last two.
BESIDE = (
    "notebooks tests benchmarks README.md REFERENCE.md CHANGELOG.md CONTRIBUTING.md LICENSE Makefile "
    "pyproject.toml "
    ".pre-commit-config.yaml .gitignore"
).split()


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    return metadata_of(built.wheel)


def test_the_wheel_is_the_package_and_nothing_else(built: Built) -> None:
    info = {
        f"{NAME}-{VERSION}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")
    }
    info.add(f"{NAME}-{VERSION}.dist-info/licenses/LICENSE")
    assert files_of_wheel(built.wheel) == files_of_checkout(NAME) | info


def test_nothing_but_python_and_these_files_is_in_the_package() -> None:
    assert {file for file in files_of_checkout(NAME) if not file.endswith(".py")} == DATA


def test_the_sdist_is_what_building_and_testing_take_and_nothing_else(built: Built) -> None:
    assert files_of_sdist(built.sdist) == files_of_checkout(NAME, *BESIDE) | {"PKG-INFO"}


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(built: Built) -> None:
    assert files_of_wheel(built.wheel_of_the_sdist) == files_of_wheel(built.wheel)
    assert built.wheel_of_the_sdist.read_bytes() == built.wheel.read_bytes()


def test_the_version_is_the_packages_and_the_changelog_tells_of_it(metadata: Message) -> None:
    assert metadata["Version"] == VERSION
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## (\S+)", changelog, re.M)[0]
    assert newest == VERSION, f"CHANGELOG.md begins with {newest}"


def test_what_an_index_would_show_of_it(metadata: Message) -> None:
    assert metadata["Name"] == NAME
    assert re.fullmatch(r"[A-Z].{40,100}\.", metadata["Summary"])
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("MIT", ["LICENSE"])
    assert {"jupyter", "ipython", "gpu"} <= set(metadata["Keywords"].split(","))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert description_of(metadata).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_classifiers_are_known_ones_and_tell_the_pythons_it_is_tested_on(metadata: Message) -> None:
    told = metadata.get_all("Classifier", [])
    assert set(told) <= classifiers
    assert not set(told) & set(deprecated_classifiers)
    assert {"Framework :: Jupyter", "Framework :: IPython", "Typing :: Typed"} <= set(told)
    minors = [int(python.partition(".")[2]) for python in environments.PYTHONS]
    assert minors == list(range(minors[0], minors[-1] + 1))
    allowed = SpecifierSet(metadata["Requires-Python"])
    assert next(minor for minor in range(100) if f"3.{minor}" in allowed) == minors[0]


def test_addresses_are_of_the_service_and_not_made_up(metadata: Message) -> None:
    addresses = [entry.partition(", ")[2] for entry in metadata.get_all("Project-URL", [])]
    assert addresses
    for address in addresses:
        parts = urlsplit(address)
        assert parts.scheme == "https"
        assert f".{parts.hostname}".endswith(".primeintellect.ai")
    assert addresses[0] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_each_requirement_says_its_oldest_version_and_forbids_no_newer_one(metadata: Message) -> None:
    ours = environments.requirements_of(metadata)
    with_extras = environments.requirements_of(metadata, *environments.EXTRAS)
    assert 10 <= len(environments.lowest(ours)) == len(ours)
    assert set(environments.lowest(with_extras)) - set(environments.lowest(ours)) == {
        "matplotlib",
        "pyarrow",
        "openpyxl",
        "asyncssh",
        "ipykernel",
    }


def test_all_that_is_imported_is_required_and_all_that_is_required_is_imported(metadata: Message) -> None:
    required = set(environments.lowest(environments.requirements_of(metadata, *environments.EXTRAS)))
    packages = packages_distributions()
    imported = {canonicalize_name(packages[module][0]) for module in modules_imported()}
    assert {COMES_WITH.get(name, name) for name in imported} <= required
    assert required - imported == {"openpyxl", "pyarrow"}, "pandas alone imports those"


def modules_imported() -> set[str]:
    """The top-level modules of others that the package imports, now or when they are needed."""
    found = set()
    package = Path(primepods_magic.__file__).parent
    # The agent runs on the pod, with what is there.
    for file in set(package.rglob("*.py")) - set((package / "remote" / "agent").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return {name.partition(".")[0] for name in found} - {NAME} - sys.stdlib_module_names


@pytest.mark.parametrize("requirement", ["pandas", "pandas>2", "pandas==2.2", "pandas>=2.2,<4"])
def test_a_requirement_without_an_oldest_version_or_with_a_newest_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="oldest"):
        environments.lowest([requirement])


def test_the_wheel_works_once_it_is_installed(built: Built, tmp_path: Path) -> None:
    environment = environments.made(tmp_path / "environment", sys.executable, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", environment.python]
    # A link to what the tests have spares installing that again; their own link to the checkout is not read.
    done = subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", str(built.wheel)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (packages,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib"))
    said = environment.smoke(tmp_path)
    assert said.startswith(f"{NAME} {VERSION} on Python {sys.version_info[0]}.{sys.version_info[1]}."), said
    assert said.count("\n") == 1
    command = tmp_path / "environment" / "bin" / "primepods"
    done = subprocess.run([command, "--version"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{NAME} {VERSION}\n", "")
