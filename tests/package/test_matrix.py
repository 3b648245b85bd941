"""The package by itself on every Python that it is for, with the newest and with the oldest of what it needs.

Under `make package` alone, for pip fetches everything. The environments stay in ``.venv-package`` until the
next run, or `make clean`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from . import environments
from .building import ROOT, Built, build, files_of_sdist, files_of_wheel, metadata_of
from .environments import EXTRAS, PYTHONS, Environment

pytestmark = [pytest.mark.package, pytest.mark.timeout(3600)]

WITH_EXTRAS = f"[{','.join(EXTRAS)}]"
# Old versions of one library use what is deprecated in new versions of another.
ONLY_OLD = ("error", "ignore::DeprecationWarning")


def empty(name: str, version: str) -> Environment:
    """An environment with nothing in it; skips where that Python is not to be had."""
    python = environments.interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    return environments.beside_the_project(f"{name}-{version}", python)


def install(environment: Environment, *what: str | Path) -> Environment:
    """Let pip install it, and say what pip said where it cannot."""
    try:
        environment.pip("install", "--quiet", *what)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error}\n{error.stdout}{error.stderr}", pytrace=False)
    return environment


@pytest.fixture(scope="session", params=PYTHONS)
def newest(request: pytest.FixtureRequest, index: None, built: Built) -> Environment:
    """The wheel and the newest of what it needs."""
    return install(empty("newest", request.param), built.wheel)


@pytest.fixture(scope="session")
def oldest(index: None, built: Built) -> Environment:
    """The wheel, its extras, and the oldest of what they need, on the oldest Python."""
    lowest = environments.lowest(environments.requirements_of(metadata_of(built.wheel), *EXTRAS))
    exactly = [f"{name}=={version}" for name, version in lowest.items()]
    return install(empty("oldest", PYTHONS[0]), f"{built.wheel}{WITH_EXTRAS}", *exactly)


@pytest.fixture(scope="session")
def from_sdist(index: None, built: Built) -> Environment:
    """What pip makes of the sdist, and the extras, on the newest Python."""
    return install(empty("sdist", PYTHONS[-1]), f"{built.sdist}{WITH_EXTRAS}")


@pytest.fixture(scope="session")
def oldest_backend(index: None) -> Environment:
    """The oldest backend that may build the package, on the oldest Python."""
    from build import ProjectBuilder

    backend = environments.lowest(ProjectBuilder(ROOT).build_system_requires)
    exactly = [f"{name}=={version}" for name, version in backend.items()]
    return install(empty("backend", PYTHONS[0]), "build", *exactly)


def test_it_works_with_the_newest_of_everything(newest: Environment, tmp_path: Path) -> None:
    newest.pip("check")
    print(newest.smoke(tmp_path))


def test_it_works_with_the_oldest_of_everything(oldest: Environment, built: Built, tmp_path: Path) -> None:
    oldest.pip("check")
    print(oldest.smoke(tmp_path, "--extras", warnings=ONLY_OLD))
    lowest = environments.lowest(environments.requirements_of(metadata_of(built.wheel), *EXTRAS))
    installed = oldest.versions()
    assert {name: Version(installed[name]) for name in lowest} == {
        name: Version(version) for name, version in lowest.items()
    }


def test_it_works_from_the_sdist_and_with_its_extras(from_sdist: Environment, tmp_path: Path) -> None:
    from_sdist.pip("check")
    print(from_sdist.smoke(tmp_path, "--extras"))


def test_the_oldest_backend_makes_the_same_package(
    oldest_backend: Environment, built: Built, tmp_path: Path
) -> None:
    theirs = build(tmp_path, oldest_backend.python)
    assert files_of_wheel(theirs.wheel) == files_of_wheel(built.wheel)
    assert files_of_sdist(theirs.sdist) == files_of_sdist(built.sdist)
    assert told(theirs.wheel) == told(built.wheel)


def told(wheel: Path) -> list[tuple[str, str]]:
    """Its metadata, but for the version of the form that they are in."""
    return [(name, value) for name, value in metadata_of(wheel).items() if name != "Metadata-Version"]
