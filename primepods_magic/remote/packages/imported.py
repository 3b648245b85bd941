"""Packages of this computer that a notebook or a script has imported."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from inspect import getmodulename
from types import BuiltinFunctionType, FunctionType, ModuleType

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.remote.agent.packages.names import is_name, is_version, normalize_name

__all__ = ["ImportedPackage", "Imports", "choose_packages", "find_imports", "find_packages"]

_STANDARD = sys.stdlib_module_names | {"__main__", "__mp_main__"}
# A kernel on a pod has its own IPython.
_LEFT_OUT = ("primepods-magic", "ipython", "ipykernel")
_INSTALLED_FOLDERS = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class ImportedPackage:
    """A package that is installed on this computer.

    Attributes
    ----------
    name, version : str
    modules : tuple of str
        The top-level modules that were imported of it.
    is_from_index : bool
        False if it was installed from a folder, a repository or a URL: an index may have another package of
        this name, or none.
    """

    name: str
    version: str
    modules: tuple[str, ...]
    is_from_index: bool


@dataclass
class Imports:
    """Modules that were imported, by their full names, and files of a project, by their modules."""

    modules: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)


def find_imports(namespace: Mapping[str, object], sources: Iterable[str] = ()) -> Imports:
    """Find the modules of a namespace, of its functions and classes, and of import statements in sources.

    Modules that are files of a project count with what they import.
    """
    imports = Imports()
    modules: set[str] = set()
    waiting: list[Mapping[str, object]] = [namespace]
    while waiting:
        for module_name in _list_modules(waiting.pop()):
            module = sys.modules.get(module_name)
            if module_name in modules or module_name.partition(".")[0] in _STANDARD:
                continue
            modules.add(module_name)
            if module is not None and _is_project_file(module):
                waiting.append(dict(vars(module)))
    for source in sources:
        modules.update(_list_imported(source))
    for module_name in modules:
        top = module_name.partition(".")[0]
        if top == "primepods_magic":
            continue
        module = sys.modules.get(top)
        if module is not None and _is_project_file(module):
            imports.files[top] = _name_file(module)
        imports.modules.add(module_name)
    return imports


def _list_modules(namespace: Mapping[str, object]) -> Iterator[str]:
    for value in list(namespace.values()):
        name: object = None
        if isinstance(value, ModuleType):
            name = value.__name__
        elif isinstance(value, (type, FunctionType, BuiltinFunctionType)):
            name = getattr(value, "__module__", None)
        if isinstance(name, str) and name.partition(".")[0] != "primepods_magic":
            yield name


def _list_imported(source: str) -> Iterator[str]:
    """Return the modules that the import statements of a cell name."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_project_file(module: ModuleType) -> bool:
    """Return whether a module is a file that no installer put there."""
    top = module.__name__.partition(".")[0]
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or top in _STANDARD:
        return False
    return not _INSTALLED_FOLDERS & set(file.replace("\\", "/").split("/"))


def _name_file(module: ModuleType) -> str:
    """Return the name of the file or folder of a top-level module."""
    file = str(module.__file__)
    folder, name = os.path.split(file)
    return f"{os.path.basename(folder)}/" if name.startswith("__init__.") else name


def find_packages(imports: Imports) -> list[ImportedPackage]:
    """Find the packages of modules, sorted by name; leave out modules without one, such as your own files."""
    tops = {name.partition(".")[0] for name in imports.modules} - _STANDARD
    owners = _find_owners(tops)
    found: dict[str, tuple[_Owner, set[str]]] = {}
    for name in imports.modules:
        top = name.partition(".")[0]
        for owner in _choose_owners(owners.get(top, []), name):
            found.setdefault(owner.name, (owner, set()))[1].add(top)
    return [
        ImportedPackage(name, owner.distribution.version, tuple(sorted(modules)), owner.is_from_index())
        for name, (owner, modules) in sorted(found.items())
        if name not in _LEFT_OUT
    ]


def choose_packages(names: Iterable[str] | None) -> list[ImportedPackage]:
    """Return the named packages, or those that the main module has imported.

    Raises InvalidRequest if one is not installed here.
    """
    if names is None:
        return find_packages(find_imports(dict(vars(sys.modules["__main__"]))))
    wanted = [names] if isinstance(names, str) else list(names)
    chosen = {}
    for name in wanted:
        try:
            owner = _Owner(normalize_name(name), distribution(name), "") if is_name(name) else None
        except PackageNotFoundError:
            owner = None
        if owner is None or not is_version(owner.distribution.version):
            raise InvalidRequest(
                f"No package {sanitize(shorten(str(name), 60))!r} is installed on this computer. Nothing was "
                "compared or installed"
            )
        chosen[owner.name] = owner
    return [
        ImportedPackage(name, owner.distribution.version, (), owner.is_from_index())
        for name, owner in sorted(chosen.items())
    ]


@dataclass(frozen=True)
class _Owner:
    """A distribution, and the list of its files."""

    name: str
    distribution: Distribution
    record: str

    def is_from_index(self) -> bool:
        """Return whether it was installed from an index (PEP 610), as far as that was recorded."""
        return self.distribution.read_text("direct_url.json") is None

    def count_depth(self, parts: list[str]) -> int:
        """Return how many leading parts of a module's name are in its files."""
        for depth in range(len(parts), 0, -1):
            path = re.escape("/".join(parts[:depth]))
            if re.search(rf"^\"?{path}(?:/|\.)", self.record, re.MULTILINE):
                return depth
        return 0


def _find_owners(tops: set[str]) -> dict[str, list[_Owner]]:
    """Return the distributions that have top-level modules of these names.

    Before Python 3.11, `packages_distributions` does not know those without a ``top_level.txt``.
    """
    owners: dict[str, list[_Owner]] = {}
    names = set()
    for each in distributions():
        name = each.metadata["Name"]
        if not is_name(name) or normalize_name(name) in names or not is_version(each.version):
            continue
        names.add(normalize_name(name))
        # An editable installation has a list of modules, and a record without them.
        record = each.read_text("RECORD") or ""
        listed = (each.read_text("top_level.txt") or "").split()
        for top in tops & {*listed, *_list_tops(record)}:
            owners.setdefault(top, []).append(_Owner(normalize_name(name), each, record))
    return owners


def _list_tops(record: str) -> Iterator[str]:
    for first, rest in set(re.findall(r'^"?([^/,"]+)(/?)', record, re.MULTILINE)):
        name = first if rest else getmodulename(first)
        if name and name.isidentifier():
            yield name


def _choose_owners(owners: list[_Owner], module: str) -> list[_Owner]:
    """Return the owners of a module among several that share its top-level name, as in ``google.cloud``."""
    if len(owners) < 2:
        return owners
    parts = module.split(".")
    depths = [owner.count_depth(parts) for owner in owners]
    deepest = max(depths)
    has_init = any(re.search(rf"^{re.escape(parts[0])}/__init__\.", owner.record, re.M) for owner in owners)
    if deepest < 2 and not has_init:
        return []
    return [owner for owner, depth in zip(owners, depths, strict=True) if depth == deepest]
