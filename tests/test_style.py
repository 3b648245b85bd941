"""How the code reads: names of private functions, first words of docstrings, and words to avoid."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import primepods_magic

PACKAGE = Path(primepods_magic.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))

_QUESTIONS = {"What", "Which", "Where", "Who", "Whose", "How", "When", "Whether"}
_AVOIDED = re.compile(
    r"\b(nobody|whoever|somebody|is told|came of|anew|so many|of ours|answers with)\b", re.IGNORECASE
)


@cache
def _read_trees() -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}


def _list_nodes() -> Iterator[ast.AST]:
    for tree in _read_trees().values():
        yield from ast.walk(tree)


def test_names_private_functions_by_what_they_do() -> None:
    functions = (node for node in _list_nodes() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    private = [node.name for node in functions if re.match(r"_[^_]", node.name)]
    one_word = [name for name in private if "_" not in name.strip("_")]
    assert len(one_word) <= 0.1 * len(private), sorted(one_word)


def test_opens_docstrings_with_a_verb_or_a_noun() -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = [
        text for node in _list_nodes() if isinstance(node, documented) and (text := ast.get_docstring(node))
    ]
    questions = [text for text in docstrings if re.split(r"\W", text, maxsplit=1)[0] in _QUESTIONS]
    assert len(questions) <= 0.01 * len(docstrings), questions


def test_avoids_words_that_read_as_translated() -> None:
    pages = [*FILES, ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.ipynb"))]
    lines = [
        f"{page.relative_to(ROOT)}: {line.strip()}"
        for page in pages
        for line in page.read_text(encoding="utf-8").splitlines()
        if _AVOIDED.search(line)
    ]
    assert len(lines) <= 10, lines
