"""Expansion of a magic's line: cut it into words first, then fill in the value of each word.

A value is one argument, or part of one, even with spaces in it. The values of a list that is a whole word
are one argument each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from .tokenizer import Field, Piece, Reference, cut_line
from .values import Value, evaluate_field, forms_of_secret, is_ordinary, sounds_secret

__all__ = ["ExpandedLine", "Several", "Word", "expand_variables", "quote_word", "split_line"]

_PLAIN = re.compile(r"[^\W_][\w./@:+~=,-]*|[/~._][\w./@:+~=,-]*")
_MAX_TYPED = 200
_QUOTABLE = re.compile(r"[\w./@:+~=,()&-]+(?: [\w./@:+~=,()&-]+)*")
_INVISIBLE = re.compile("[\u115f\u1160\u17b4\u17b5\u3164\uffa0]")


@dataclass(frozen=True)
class Word:
    """One argument: ``typed``, where a flag may be, then ``filled``, which is never read as a flag.

    ``shown`` stands for ``filled`` in messages. A filled part may be empty; a secret one must not be shown.
    """

    typed: str
    filled: str = field(default="", repr=False)
    shown: str = ""
    is_filled: bool = False
    is_secret: bool = False

    @property
    def text(self) -> str:
        """The argument as the command receives it."""
        return self.typed + self.filled


@dataclass(frozen=True)
class Several:
    """The arguments that a list expands to; it may be empty."""

    words: tuple[Word, ...]
    shown: str


@dataclass(frozen=True)
class ExpandedLine:
    """The arguments of a magic, and the words to show in place of each filled-in secret."""

    words: Sequence[Word | Several]
    is_silenced: bool = False
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def expand_variables(line: str, names: Mapping[str, object], *, keeps_braced: bool = False) -> ExpandedLine:
    """Cut a line into words, then fill in the values of ``$name`` and ``{expr}``.

    With ``keeps_braced``, ``${NAME}`` stays for a spec, and a ``${`` in a value is escaped. An unknown name,
    a failing expression and a list within a word raise InvalidRequest; IPython would leave such a line as it
    is, and so ask for a pod named ``{name}``.

    >>> split_line(expand_variables("rm {name} --note=$name", {"name": "my pod -y"}))
    ['rm', 'my pod -y', '--note=my pod -y']
    >>> split_line(expand_variables("rm $ids", {"ids": ["a", "b"]}))
    ['rm', 'a', 'b']
    """
    template = cut_line(line, keeps_braced=keeps_braced)
    words: list[Word | Several] = []
    secrets: dict[str, str] = {}
    before = ""
    for pieces in template.words:
        typed = "".join(piece if isinstance(piece, str) else piece.typed for piece in pieces)
        # The environment of a pod may hold secrets under any name.
        is_env = before == "--env" or typed.startswith("--env=")
        filled = [piece if not isinstance(piece, Field) else evaluate_field(piece, names) for piece in pieces]
        if len(filled) == 1 and isinstance(filled[0], tuple):
            several = [_join_word([value], is_env, keeps_braced, secrets) for value in filled[0]]
            words.append(Several(tuple(several), typed))
        else:
            words.append(_join_word(_only_single(filled, pieces), is_env, keeps_braced, secrets))
        before = typed
    return ExpandedLine(tuple(words), template.is_silenced, secrets)


def split_line(line: ExpandedLine) -> list[str]:
    """Return the arguments of a line as strings.

    >>> split_line(expand_variables("show 'my pod' ;  # the one", {}))
    ['show', 'my pod']
    """
    return [
        word.text for item in line.words for word in (item.words if isinstance(item, Several) else [item])
    ]


def quote_word(text: str) -> str | None:
    """Quote text so that a command receives it as one argument; ``None`` if it is not safe to type.

    >>> quote_word("train"), quote_word("my pod"), quote_word("{x}"), quote_word("-y")
    ('train', "'my pod'", None, None)
    """
    if len(text) > _MAX_TYPED or not text.isprintable() or _INVISIBLE.search(text):
        return None
    if _PLAIN.fullmatch(text):
        return text
    return f"'{text}'" if _QUOTABLE.fullmatch(text) and not text.startswith("-") else None


def _only_single(filled: Sequence[object], pieces: Sequence[Piece]) -> Iterator[Value | Reference | str]:
    for value, piece in zip(filled, pieces, strict=True):
        if isinstance(value, tuple) and isinstance(piece, Field):
            _refuse_line(
                f"'{piece.typed}' is a list, which expands to several arguments. Write it as a separate word "
                "without quotation marks. Nothing was done"
            )
        if isinstance(value, (Value, Reference, str)):
            yield value


def _join_word(
    pieces: Iterator[Value | Reference | str] | list[Value],
    is_env: bool,
    keeps_braced: bool,
    secrets: dict[str, str],
) -> Word:
    """Join the pieces of a word, and record the secrets in it."""
    parts = list(pieces)
    if not any(isinstance(part, Value) for part in parts):
        return Word(_join_text(parts, keeps_braced))
    is_secret = False
    for index, part in enumerate(parts):
        if not isinstance(part, Value):
            continue
        is_marked = part.is_secret or _is_named_secret(parts[:index])
        is_secret |= is_marked or is_env
        if is_marked or (is_env and not is_ordinary(part.text)):
            secrets.update((form, part.typed) for form in forms_of_secret(part.text))
    beginning, rest = "", parts
    if isinstance(parts[0], str) and parts[0].startswith("-"):
        # The text after the '=' of a flag is its value.
        flag, equals, value = parts[0].partition("=")
        beginning, rest = flag + equals, [value, *parts[1:]]
    shown = "".join(part if isinstance(part, str) else part.typed for part in rest)
    return Word(beginning, _join_text(rest, keeps_braced), shown, is_filled=True, is_secret=is_secret)


def _is_named_secret(before: Sequence[Value | Reference | str]) -> bool:
    """Return whether the text before a value names a secret, as in ``PASSWORD=$value``."""
    return any(isinstance(part, str) and sounds_secret(part) for part in before)


def _join_text(parts: Sequence[Value | Reference | str], keeps_braced: bool) -> str:
    """Return the text of a word; for a spec, escape every ``${`` that is not a `Reference`."""
    runs: list[str] = [""]
    for part in parts:
        if not isinstance(part, Reference):
            runs[-1] += part.text if isinstance(part, Value) else part
            continue
        if runs[-1].endswith("$"):
            _refuse_line(f"A '$' directly before '{part.typed}' is not allowed on a line. Nothing was done")
        runs += [part.typed, ""]
    if not keeps_braced:
        return "".join(runs)
    return "".join(run if index % 2 else run.replace("${", "$${") for index, run in enumerate(runs))


def _refuse_line(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)
