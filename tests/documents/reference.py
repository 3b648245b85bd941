"""REFERENCE.md: every command, setting, variable, error and column, as the code describes them."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from traitlets import Bool, Enum, Float, TraitType, Unicode

import primepods_magic
from primepods_magic import costs
from primepods_magic.api import errors
from primepods_magic.api.errors import PodsError
from primepods_magic.api.local import env_vars as environment
from primepods_magic.frames.tables.catalog import meaning
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.magics import PodsMagics, parser_of
from primepods_magic.pods.pod import Pod
from primepods_magic.sandbox.__main__ import command_line
from tests.documents.frames import FRAMES
from tests.documents.markdown import code, first_sentences, one_line, prose, section, table

PATH = Path(__file__).parents[2] / "REFERENCE.md"

_ORDER = ("overview", *COMMANDS, "create", "pod")
_CALLED = {"overview": "%pods", "create": "%%pod_create", "pod": "%%pod"}


def reference() -> str:
    """The whole page."""
    parts = [
        "# Reference",
        "Written by `make documents` from the code itself; a test compares the two.",
        "[Commands](#commands) · [Settings](#settings) · [Environment variables](#environment-variables) · "
        "[Errors](#errors) · [Columns](#columns) · [Python](#python) · [The sandbox](#the-sandbox)",
        *_commands(),
        *_settings(),
        *_environment(),
        *_errors(),
        *_columns(),
        *_python(),
        *_sandbox(),
    ]
    return "\n\n".join(parts) + "\n"


def _commands() -> Iterator[str]:
    yield "## Commands"
    yield (
        "`POD` is a name, an id, or the beginning of an id; commands that terminate a pod require its full "
        "name or id. Every command takes `-h`, which shows its help, and `-o NAME` (`--out NAME`), which "
        "stores the result as `NAME` instead of showing it. `$name` and `{expr}` are expanded; a final `;` "
        "hides the output; `# …` is a comment."
    )
    for name in _ORDER:
        command, parser = parser_of(name)
        yield f"### `{_CALLED.get(name, f'%pods {name}')}`"
        yield prose(command.__doc__)
        yield from _arguments(parser)
        answers = [frame for frame in FRAMES if name in frame.commands]
        if answers:
            links = ", ".join(f"[{frame.title}](#{_anchor(frame.title)})" for frame in answers)
            yield f"Columns: {links}."


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table of what a command takes, and one for each group with a title of its own."""
    usual, groups = parser._action_groups[:2], parser._action_groups[2:]
    yield from _meanings(parser, [action for group in usual for action in group._group_actions])
    for group in groups:
        yield f"{str(group.title).capitalize()}:"
        if group.description:
            yield f"```\n{group.description}\n```"
        yield from _meanings(parser, group._group_actions)


def _meanings(parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> Iterator[str]:
    shown = [action for action in actions if not {"--help", "--out"} & {*action.option_strings}]
    if shown:
        yield table(
            ("argument", "meaning"), [(code(_label(action)), _help(parser, action)) for action in shown]
        )


def _label(action: argparse.Action) -> str:
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else ""
    value = str(action.metavar or choices or action.dest.upper())
    if not action.option_strings:
        return {"?": f"[{value}]", "*": f"[{value} …]", "+": f"{value} …"}.get(str(action.nargs), value)
    return ", ".join(action.option_strings) + (f" {value}" if action.nargs != 0 else "")


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return one_line(parser._get_formatter()._expand_help(action))


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _settings() -> Iterator[str]:
    yield "## Settings"
    yield (
        "`%config PodsMagics` lists them, `%config PodsMagics.NAME = VALUE` changes one in this notebook, "
        "and `c.PodsMagics.NAME = VALUE` in `ipython_config.py` in every notebook."
    )
    traits = PodsMagics.class_own_traits(config=True)
    rows = [
        (
            code(name),
            _values(trait),
            code(repr(trait.default_value)),
            one_line(trait.help),
        )
        for name, trait in traits.items()
    ]
    yield table(("setting", "value", "default", "meaning"), rows)


def _values(trait: TraitType[Any, Any]) -> str:
    if isinstance(trait, Enum):
        return " or ".join(code(repr(value)) for value in trait.values or ())
    words = {Float: "number", Unicode: "text", Bool: "`True` or `False`"}
    said = next(word for kind, word in words.items() if isinstance(trait, kind))
    return f"{said} or `None`" if trait.allow_none else said


def _environment() -> Iterator[str]:
    yield "## Environment variables"
    yield table(("variable", "meaning"), [(code(name), said) for name, said in environment.VARIABLES.items()])
    yield one_line(_docstring_below(environment, "VARIABLES").partition(". ")[2])


def _docstring_below(module: Any, name: str) -> str:
    """What is said below a value of a module."""
    source = inspect.getsource(module)
    return source.partition(f"\n{name}")[2].partition('\n"""')[2].partition('"""')[0]


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield prose(errors.__doc__ or "")
    yield (
        "They are in `primepods_magic.errors`, and `PodsError` is the root. Each has "
        + ", ".join(f"`{name}`" for name in ("status_code", "request_id", "detail", "retry_after_s"))
        + ", which are `None` if they do not apply."
    )
    rows = []
    for name in sorted(errors.__all__):
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, PodsError):
            carried = section(kind.__doc__ or "", "Attributes")
            words = [first_sentences(kind), *(f"`{attribute}`: {what}" for attribute, what in carried)]
            rows.append((code(name), code(kind.__base__.__name__), " ".join(words)))  # type: ignore[union-attr]
    yield table(("error", "is a", "meaning"), rows)


def _columns() -> Iterator[str]:
    yield "## Columns"
    yield (
        "Every table is a plain `pandas.DataFrame` with these columns, in this order and with these dtypes, "
        "even if it is empty. A column name means the same in every table unless noted, and includes its "
        "unit, if any. Times are in UTC unless noted. Undocumented fields from the service follow as "
        "`object` columns, if they hold a single value and their names do not sound like secrets. The first "
        "200 of them become columns, and `fields_left_out` counts the others."
    )
    for frame in FRAMES:
        yield f"### {frame.title}"
        yield frame.words
        built: pd.DataFrame = frame.build()
        rows = [
            (code(name), str(dtype), meaning(name, frame.kind) or "")
            for name, dtype in built.dtypes.items()
            if isinstance(name, str)
        ]
        yield table(("column", "dtype", "meaning"), rows)


def _python() -> Iterator[str]:
    yield "## Python"
    yield "Import these with `from primepods_magic import …`; `help(…)` explains each."
    names = [name for name in primepods_magic.__all__ if not name.endswith("_extension")]
    yield table(("name", "meaning"), [_named(name, getattr(primepods_magic, name)) for name in names])
    yield "A `Pod` has:"
    kinds = Pod.__mro__[:-1]
    members = [(name, each) for kind in kinds for name, each in vars(kind).items() if name[0] != "_"]
    yield table(("attribute or method", "meaning"), [_named(name, member) for name, member in members])
    yield "`primepods_magic.costs`:"
    yield table(("name", "meaning"), [_named(name, getattr(costs, name)) for name in costs.__all__])


def _named(name: str, thing: Any) -> tuple[str, str]:
    # Pods come from launches, and errors from failures: users construct neither.
    is_made = callable(thing) and thing not in (Pod, PodsError)
    return code(f"{name}{_signature(thing)}" if is_made else name), first_sentences(thing)


def _signature(thing: Any) -> str:
    """The parameters without their types."""
    signature = inspect.signature(thing)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _sandbox() -> Iterator[str]:
    yield "## The sandbox"
    parser = command_line()
    yield f"`{parser.prog}`. {one_line(parser.description or '')}"
    yield from _arguments(parser)
