"""Packages here and on a pod: which were imported, which are missing there, and how these are installed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from primepods_magic.api.errors import CommandFailed, InvalidRequest, PodsError
from primepods_magic.notebook.commands.env import _install_missing
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import agent_archive
from primepods_magic.remote.agent.packages.names import is_name, is_protected, is_version
from primepods_magic.remote.command import CommandResult
from primepods_magic.remote.links import open_link
from primepods_magic.remote.packages.comparing import Comparison, compare_with_pod, read_answer
from primepods_magic.remote.packages.imported import (
    ImportedPackage,
    choose_packages,
    find_imports,
    find_packages,
)
from primepods_magic.remote.packages.installing import _raise_failure, install_missing
from tests.package.environments import Environment, interpreter, made
from tests.remote.conftest import describe_pod, pin_host
from tests.support.agents import alter_archive, find_marked, make_mark, pod_with_agent
from tests.support.openssh import OpenSshServer
from tests.support.soak import pick
from tests.support.wheels import put_package, write_wheel

VERSIONS = ("3.8", "3.10", "3.12", "3.13")
PYTHONS = {version: python for version in VERSIONS if (python := interpreter(version))}
OTHER_PYTHON = next(iter(PYTHONS.values()), sys.executable)
if os.access("/usr/bin/python3", os.X_OK):
    PYTHONS["system"] = "/usr/bin/python3"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that are installed here."""
    folder = tmp_path / "here" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def find_names(namespace: dict[str, object], *sources: str) -> list[str]:
    return [package.name for package in find_packages(find_imports(namespace, sources))]


def test_finds_what_a_namespace_and_import_statements_name(site: Path) -> None:
    import httpx
    import pandas as pd

    put_package(site, "needed-by-mine", "1")
    put_package(site, "shop-cart", "1", files=["shop/cart/__init__.py"])
    put_package(site, "shop-till", "1", files=["shop/till.py"])
    (site.parent / "mine.py").write_text("import needed_by_mine\n")
    sys.path.insert(0, str(site.parent))
    try:
        mine = importlib.import_module("mine")
    finally:
        sys.path.remove(str(site.parent))
    imports = find_imports({"mine": mine, "os": os, "n": 1})
    assert imports.files == {"mine": "mine.py"}
    assert [package.name for package in find_packages(imports)] == ["needed-by-mine"]
    namespace = {"pd": pd, "get": httpx.get, "Kind": pd.DataFrame, "Pod": Pod, "d": json.dumps}
    assert find_names(namespace) == ["httpx", "pandas"]
    assert find_names({}, "def f():\n    import httpx.nope\nfrom IPython.display import HTML") == ["httpx"]
    assert find_names({}, "from . import x", "no python", "\0", "import absent", "from yaml import load") == [
        "pyyaml"
    ]
    # Several packages share the name of a module.
    assert find_names({}, "import shop.till") == ["shop-till"]
    assert find_names({}, "from shop import cart, till") == ["shop-cart", "shop-till"]
    assert find_names({"shop": ModuleType("shop")}) == []


def test_names_and_versions_are_those_of_the_standards() -> None:
    assert all(map(is_name, ["a", "zope.interface", "A_b-C.9", "3to2"]))
    names = ["", "-r", "a b", "a;b", "a\n", "a==1", "../a", "a[b]", "é", "a-", "x" * 101, None, 3]
    assert not any(map(is_name, names))
    versions = ["1", "1!2.0", "2.1.0a0+32f93b1", "1.0.post1", "1.0-1", "2.3.1+cu121", "1.0.dev3", "v1.0RC1"]
    assert all(map(is_version, versions))
    wrong = ["", "1 ", "1\n", "1;x", "--pre", "1,2", "*", "1.*", "1+", "a1", "1+a b", "\u0661", "1" * 101, 1]
    assert not any(map(is_version, wrong))
    protected = (
        "torch Triton jax jaxlib jax-cuda12-plugin tensorflow NVIDIA_cublas.cu12 cuda-python torchvision"
    )
    assert all(map(is_protected, protected.split()))
    assert not any(map(is_protected, ["torchmetrics", "jaxtyping", "tensorflow-datasets", "einops"]))


NETWORK = "Could not find a version: NewConnectionError: Temporary failure in name resolution"
FAIL = f"echo '{NETWORK}' >&2; exit 2"


def _share_packages(environment: Environment, is_shared: bool) -> None:
    settings = environment.folder / "pyvenv.cfg"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("include-system")]
    shared = f"include-system-site-packages = {str(is_shared).lower()}"
    settings.write_text("\n".join([*lines, shared, ""]))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The Python of a pod: the pip of the Python below it, torch, and an old package."""
    environment = made(tmp_path_factory.mktemp("image") / "env", OTHER_PYTHON, with_pip=False)
    [packages] = environment.folder.glob("lib/python3*/site-packages")
    _share_packages(environment, True)
    for name in ("ipykernel", "jupyter-client"):
        put_package(packages, name, "1")
    put_package(packages, "torch", "2.3.1+cu121")
    put_package(packages, "old", "1.0")
    put_package(packages, "twin-headless", "4", files=["twin/__init__.py"])
    put_package(packages, "strange", "final")
    return environment


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pod's package index has."""
    folder = tmp_path_factory.mktemp("wheels")
    write_wheel(folder, "tiny", "1.2.3", "tiny-helper>=1", "torch")
    write_wheel(folder, "tiny", "1.3.0")
    write_wheel(folder, "tiny-helper", "1.5")
    write_wheel(folder, "torch", "2.3.1")
    write_wheel(folder, "torch", "9.0")
    write_wheel(folder, "old", "2.0")
    write_wheel(folder, "wants-torch", "1", "torch>=9")
    write_wheel(folder, "wants-newer", "1", "old>=2")
    write_wheel(folder, "wants-jax", "1", "jax")
    write_wheel(folder, "jax", "0.5")
    return folder


@pytest.fixture(scope="module")
def image_server(
    tmp_path_factory: pytest.TempPathFactory, image: Environment, wheels: Path
) -> Iterator[OpenSshServer]:
    variables = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "VIRTUAL_ENV": str(image.folder),
    }
    folder = tmp_path_factory.mktemp("pod")
    with pod_with_agent(folder, python=image.python, variables=variables) as server:
        uv = find_home(server) / ".local/bin/uv"
        uv.parent.mkdir(parents=True)
        uv.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > ~/words; cat "$6" "$8" > ~/lines\n{FAIL}\n')
        uv.chmod(0o755)
        yield server


@pytest.fixture
def image_pod(connection: Connection, image_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Pod:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(image_server.key))
    pin_host(image_server.host_key)
    return Pod(connection, describe_pod(image_server.target))


def find_home(server: OpenSshServer) -> Path:
    return server.key.parents[1] / "home"


def compare(pod: Pod, *packages: ImportedPackage) -> Comparison:
    return compare_with_pod(pod.connection, pod.details, packages)


def test_compares_with_the_python_of_the_kernels(
    image_pod: Pod, image_server: OpenSshServer, image: Environment, site: Path
) -> None:
    for name, version in (("tiny", "1.2.3+local"), ("torch", "2.3.1+cpu"), ("old", "0.9"), ("jax", "0.5")):
        put_package(site, name, version)
    put_package(site, "twin", "4", files=["twin/__init__.py"])
    put_package(site, "strange", "1.0")
    put_package(site, "from-folder", "1")
    (site / "from_folder-1.dist-info" / "direct_url.json").write_text('{"url": "file:///x"}')
    names = "from_folder jax old strange tiny torch twin".split()
    packages = find_packages(find_imports({}, [f"import {name}" for name in names]))
    comparison = compare(image_pod, *packages)
    python, *rows = comparison.rows
    assert python.package == "python"
    assert python.state == ("same" if sys.executable == OTHER_PYTHON else "differs")
    assert {row.package: (row.version_there, row.state) for row in rows} == {
        "from-folder": (None, "missing"),
        "jax": (None, "missing"),
        "tiny": (None, "missing"),
        "old": ("1.0", "differs"),
        "strange": (None, "unknown"),
        "twin": (None, "other package"),
        "torch": ("2.3.1+cu121", "same"),
    }
    order = ["missing", "differs", "unknown", "other package", "same"]
    assert [order.index(row.state) for row in rows] == [0, 0, 0, 1, 2, 3, 4]
    assert comparison.plan == {"tiny": "1.2.3"}
    assert (comparison.python, comparison.is_managed) == (image.python, False)
    assert {row.package: row.what_to_do for row in rows if row.state == "missing"} == {
        "tiny": "",
        "jax": "install the build for the pod's driver with '%pods exec'",
        "from-folder": "install it with '%pods exec': here it is from a folder or a URL",
    }
    assert [row.package for row in image_pod.compare_packages(["old"])] == ["python", "old"]
    # It is no cell, and no kernel runs.
    assert open_link(image_pod.connection, image_pod.details).ask("jobs")["jobs"] == []
    assert not find_marked(make_mark(find_home(image_server).parent), "ipykernel")


def plan(pod: Pod, name: str, version: str) -> Comparison:
    comparison = compare(pod, ImportedPackage(name, version, (), True))
    assert comparison.plan == {name: version}
    return comparison


CONFLICTS = {"wants-torch": "1", "wants-newer": "1", "wants-jax": "1"}


@pytest.mark.parametrize("name", pick(["wants-torch"], CONFLICTS))
def test_changes_nothing_that_is_there(image_pod: Pod, image: Environment, name: str) -> None:
    before = sorted(path.name for path in image.folder.glob("lib/*/site-packages/*"))
    with pytest.raises(
        CommandFailed, match=r"'train' failed with exit code 1: ResolutionImp.* have not changed"
    ):
        install_missing(image_pod.connection, image_pod.details, plan(image_pod, name, CONFLICTS[name]))
    assert sorted(path.name for path in image.folder.glob("lib/*/site-packages/*")) == before


def test_installs_what_is_missing_at_the_version_here(
    image_pod: Pod, image_server: OpenSshServer, image: Environment, site: Path
) -> None:
    put_package(site, "tiny", "1.2.3+local")
    output = bytearray()
    rows = image_pod.install_packages(["tiny"], on_output=lambda _, data: output.extend(data))
    assert [(row.version_there, row.state) for row in rows[1:]] == [("1.2.3", "same")]
    assert b"Successfully installed tiny-1.2.3 tiny-helper-1.5" in output
    [file] = image.folder.glob("lib/*/site-packages/tiny/__init__.py")
    assert file.stat().st_mode & 0o444 == 0o444
    assert not list((find_home(image_server) / ".primepods").glob("install-*"))
    assert list(image.folder.glob("lib/*/site-packages/torch-2.3.1+cu121.dist-info"))


def test_refuses_what_is_not_installed_here(image_pod: Pod) -> None:
    for name in ("nope", "-r x", "", 3):
        with pytest.raises(InvalidRequest, match=r"is installed on this computer. Nothing was compared"):
            choose_packages([name])  # type: ignore[list-item]


def test_installs_with_uv_unless_packages_are_shared_and_only_after_a_yes(
    image_pod: Pod, image_server: OpenSshServer, image: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    magics: Any = SimpleNamespace(connection=image_pod.connection, shell=None)
    words = find_home(image_server) / "words"
    _share_packages(image, False)
    try:
        comparison = plan(image_pod, "fresh", "1.0")
        with pytest.raises(
            InvalidRequest, match=r"Installing 1 package on 'train' was not confirmed. Nothing"
        ):
            _install_missing(magics, image_pod.details, comparison, yes=False)
        # The tests before this one have used pip.
        assert not words.exists()
        with pytest.raises(CommandFailed, match=r"code 2: the pod cannot reach the package index \(Could"):
            _install_missing(magics, image_pod.details, comparison, yes=True)
    finally:
        _share_packages(image, True)
    shown = capsys.readouterr()
    assert (
        "To install on 'train', from the package index that is set there (PyPI by default), into "
        f"{image.python} of this computer: fresh==1.0"
    ) in shown.out
    assert NETWORK in shown.err
    assert words.read_text().split()[:4] == ["pip", "install", "--python", image.python]
    assert words.read_text().split()[4::2] == ["--requirement", "--constraint"]
    lines = (find_home(image_server) / "lines").read_text().splitlines()
    assert {"fresh==1.0", "torch==2.3.1+cu121", "old==1.0", "jax<0"} <= set(lines)


@pytest.fixture
def answering(
    connection: Connection,
    image_server: OpenSshServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[object], Pod]:
    """A pod that sends any answer about its packages."""
    altered = alter_archive(
        "versions.py",
        "    python = find_environment()\n",
        '    return print(open("/proc/self/cwd/../../answer").read())\n',
    )
    monkeypatch.setattr(agent_archive, "build_archive", lambda: altered)
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(image_server.key))
    pin_host(image_server.host_key)

    def answer(content: object) -> Pod:
        (find_home(image_server) / "answer").write_text(json.dumps(content))
        return Pod(connection, describe_pod(image_server.target))

    return answer


GOOD = {"python": "/bin/false", "version": "3.11.2", "packages": {}, "modules": []}
HOSTILE: list[object] = [
    None,
    [],
    {},
    {**GOOD, "python": "python3; reboot"},
    {**GOOD, "python": "/bin/\x1b[31mpython"},
    {**GOOD, "python": "/" + "x" * 5000},
    {**GOOD, "version": "3.11.2; reboot"},
    {**GOOD, "version": 3.11},
    {**GOOD, "packages": [["tiny", "1"]]},
    {**GOOD, "modules": "tiny"},
]


def test_trusts_no_answer(answering: Callable[[object], Pod]) -> None:
    tiny = ImportedPackage("tiny", "1.0", ("tiny",), True)
    for content in HOSTILE:
        with pytest.raises(PodsError, match=r"is not a list of packages. Nothing was installed"):
            read_answer("train", content, [tiny])
    versions: list[object] = ["<b>1", "1\n2", "\x1b[31m1", "1" * 200, 7, None, ["1"], {"a": 1}, True]
    for version in versions:
        content = {**GOOD, "packages": {"tiny": version, "x" * 10**5: "1"}}
        rows = read_answer("train", content, [tiny]).rows
        assert [(row.package, row.version_there, row.state) for row in rows[1:]] == [
            ("tiny", None, "unknown")
        ]
    with pytest.raises(PodsError, match=r"'train': No. Python. It is still billed"):
        compare(answering({"error": "No\x1b Python"}), tiny)
    # A Python that cannot be run is an error of the command, and only a word of it.
    pod = answering({**GOOD, "python": "/no $(touch x) `y` 'z'"})
    with pytest.raises(CommandFailed, match=r"exit code 127: .*no \$\(touch x\) `y` 'z'.* not found"):
        install_missing(pod.connection, pod.details, compare(pod, tiny))
    evil = Comparison((), {"tiny": "1", "--index-url": "http://x"}, "/bin/false", False, True)
    with pytest.raises(InvalidRequest, match=r"cannot be installed. Nothing was installed"):
        install_missing(pod.connection, pod.details, evil)


def test_lines_without_text_that_an_installer_prints_take_no_time() -> None:
    result = CommandResult(3, "", "", 1.0)
    began = time.process_time()
    with pytest.raises(CommandFailed, match=r"exit code 3: it fails\. Packages"):
        _raise_failure(describe_pod("root@192.0.2.1"), result, "\n" * 64_000 + "it fails")
    assert time.process_time() - began < 1


def test_a_python_of_the_operating_system_is_refused_with_the_way_out(connection: Connection) -> None:
    pod = describe_pod("root@192.0.2.1")
    tiny = ImportedPackage("tiny", "1.0", ("tiny",), True)
    facts = {**GOOD, "python": "/usr/bin/python3", "is_managed": True}
    with pytest.raises(
        InvalidRequest,
        match=r"'train' manages /usr/bin/python3 and forbids .* \(PEP 668\). Nothing was installed. .*"
        r"'%pods exec train -- /usr/bin/python3 -m pip install --break-system-packages tiny==1.0'",
    ):
        install_missing(connection, pod, read_answer("train", facts, [tiny]))
    with pytest.raises(InvalidRequest, match=r"Run a '%%pod train' cell first: it makes an environment"):
        install_missing(connection, pod, read_answer("train", {**facts, "has_kernel": False}, [tiny]))


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_every_python_says_what_it_has(tmp_path: Path, python: str) -> None:
    (tmp_path / "agent.pyz").write_bytes(agent_archive.build_archive().data)
    put_package(tmp_path / "path", "Zope.Tiny_x", "2.0", files=["zope/tiny.py", "tiny_x.py"])
    wanted = {"zope-tiny-x": ["zope"], "absent": ["zope"], "other": ["tiny_x"], "none": []}
    done = subprocess.run(
        [python, "agent.pyz", "versions"],
        cwd=tmp_path,
        env={"PYTHONPATH": "path"},
        input=json.dumps(wanted),
        check=True,
        capture_output=True,
        text=True,
    )
    facts = json.loads(done.stdout)
    is_system = python == "/usr/bin/python3" and any(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED"))
    assert facts["is_managed"] is is_system
    assert facts["packages"] == {"zope-tiny-x": "2.0"}
    assert facts["modules"] == ["other"]
