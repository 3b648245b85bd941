"""REFERENCE.md is what the code says, and the code says it of everything."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import primepods_magic
from primepods_magic.api.local.env_vars import VARIABLES
from primepods_magic.frames.tables.catalog import COLUMNS, TABLES, meaning
from tests.documents import reference
from tests.documents.frames import FRAMES

PACKAGE = Path(primepods_magic.__file__).parent
SOURCES = [path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))]
# Where the variables are listed, they are not looked at.
READERS = [source for source in SOURCES if "VARIABLES: Mapping" not in source]
_OURS = re.compile(r"(?:PRIME|PRIMEPODS|SSL)_[A-Z_]+|TERM")


def test_the_reference_is_what_the_code_says() -> None:
    written = reference.PATH.read_text(encoding="utf-8")
    assert written == reference.reference(), "`make documents` writes it anew"


def test_every_column_says_what_it_means_and_nothing_else_does() -> None:
    columns = {(frame.kind, str(name)) for frame in FRAMES for name in frame.build().columns}
    assert [(kind, name) for kind, name in columns if not meaning(name, kind)] == []
    assert set(COLUMNS) - {name for _, name in columns} == set()


def test_every_kind_of_answer_has_its_columns_listed() -> None:
    marked = re.compile(r'mark_for_display\([^"]*?kind="([\w-]+)"')
    shown = {kind for source in SOURCES for kind in marked.findall(source)}
    assert {"pods", "checks"} <= shown
    assert shown | set(TABLES) <= {frame.kind for frame in FRAMES}


def test_every_variable_that_is_read_is_listed_and_no_other() -> None:
    texts = {
        node.value
        for source in READERS
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {text for text in texts if _OURS.fullmatch(text)} == set(VARIABLES)


def test_links_within_the_reference_lead_somewhere() -> None:
    page = reference.PATH.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors
