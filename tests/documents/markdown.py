"""Pieces of Markdown, from what the code says of itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from textwrap import dedent


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell does not end it."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


def prose(text: str) -> str:
    """Paragraphs of a docstring; lines that stand two spaces in, such as examples, are kept as they are."""
    blocks = re.split(r"\n\s*\n", dedent(text).strip("\n"))
    written: list[str] = []
    for block in blocks:
        lines = block.splitlines()
        if all(line.startswith("  ") for line in lines):
            inside = dedent(block)
            if written and written[-1].startswith("```"):
                written[-1] = f"{written[-1].removesuffix('```')}\n{inside}\n```"
            else:
                written.append(f"```\n{inside}\n```")
        else:
            written.append(one_line(" ".join(lines)))
    return "\n\n".join(written)


def one_line(text: str) -> str:
    """Text of a docstring in one line, its code marked as Markdown does."""
    line = re.sub(r"\s+", " ", text).strip().replace("``", "`")
    # What is between two dollar signs would be set as mathematics.
    return re.sub(r"(?<!`)\S*\$\{\w+\}'?(?!`)", lambda found: f"`{found[0]}`", line)


def first_sentences(thing: object) -> str:
    """The first paragraph of a docstring."""
    return one_line((inspect.getdoc(thing) or "").partition("\n\n")[0])


def section(docstring: str, heading: str) -> list[tuple[str, str]]:
    """What a numpy docstring says under a heading: names, and what is said of each."""
    found = re.search(rf"^{heading}\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", inspect.cleandoc(docstring), re.M | re.S)
    if not found:
        return []
    entries = re.findall(r"^(\w[\w, ]*?)(?: :[^\n]*)?\n((?:    [^\n]*\n?|\n)+)", found[1] + "\n", re.M)
    return [(name, one_line(words)) for name, words in entries]
