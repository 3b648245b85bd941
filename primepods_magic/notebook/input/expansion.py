"""A magic's line as its command reads it: cut into words first, then each word filled in.

A value is one argument, or part of one, whatever is in it; the values of a list that stands alone as a word
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
    """One argument.

    Parameters
    ----------
    typed : str
        Its beginning, up to the first value, as it was typed; a flag can stand there.
    filled : str
        The rest, filled in. It is never read as a flag.
    shown : str
        What stands for the rest in messages, such as ``$name``.
    is_filled : bool
        There is a rest, which may be empty.
    is_secret : bool
        The rest must not be shown.
    """

    typed: str
    filled: str = field(default="", repr=False)
    shown: str = ""
    is_filled: bool = False
    is_secret: bool = False

    @property
    def text(self) -> str:
        """The argument as the command gets it."""
        return self.typed + self.filled


@dataclass(frozen=True)
class Several:
    """The arguments that a list stands for, which may be none."""

    words: tuple[Word, ...]
    shown: str


@dataclass(frozen=True)
class ExpandedLine:
    """The arguments of a magic.

    Parameters
    ----------
    words : sequence of Word or Several
        In their order.
    is_silenced : bool
        The line ends with ``;``.
    secrets : dict of str to str
        What to show in the place of each secret that was filled in.
    """

    words: Sequence[Word | Several]
    is_silenced: bool = False
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def expand_variables(line: str, names: Mapping[str, object], *, keeps_braced: bool = False) -> ExpandedLine:
    """Cut a line into words, then put the values of ``$name`` and ``{expr}`` into them.

    Parameters
    ----------
    line : str
        What follows the magic's name.
    names : mapping
        The variables.
    keeps_braced : bool
        ``${NAME}`` is left for a spec that fills it in later; a ``${`` of a value is escaped for it.

    Raises
    ------
    InvalidRequest
        A name is unknown, an expression cannot be evaluated, or a list is only part of a word. IPython's own
        way, which is to leave all of the line as it is, would ask for a pod called ``{name}``.

    Examples
    --------
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
        # The environment of a pod is where secrets are, whatever they are called.
        sounds = before == "--env" or typed.startswith("--env=")
        filled = [piece if not isinstance(piece, Field) else evaluate_field(piece, names) for piece in pieces]
        if len(filled) == 1 and isinstance(filled[0], tuple):
            several = [_join_word([value], sounds, keeps_braced, secrets) for value in filled[0]]
            words.append(Several(tuple(several), typed))
        else:
            words.append(_join_word(_only_single(filled, pieces), sounds, keeps_braced, secrets))
        before = typed
    return ExpandedLine(tuple(words), template.is_silenced, secrets)


def split_line(line: ExpandedLine) -> list[str]:
    """The arguments of a line as texts.

    >>> split_line(expand_variables("show 'my pod' ;  # the one", {}))
    ['show', 'my pod']
    """
    return [
        word.text for item in line.words for word in (item.words if isinstance(item, Several) else [item])
    ]


def quote_word(text: str) -> str | None:
    """What to type so that a command gets a text as one argument; ``None`` if no one should type it.

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
            _refuse(
                f"'{piece.typed}' is a list, which stands for several arguments: write it as a word of its "
                "own, without quotation marks. Nothing was done"
            )
        if isinstance(value, (Value, Reference, str)):
            yield value


def _join_word(
    pieces: Iterator[Value | Reference | str] | list[Value],
    sounds: bool,
    keeps_braced: bool,
    secrets: dict[str, str],
) -> Word:
    """Join the pieces of a word, and take note of secrets in it."""
    parts = list(pieces)
    if not any(isinstance(part, Value) for part in parts):
        return Word(_join_text(parts, keeps_braced))
    is_secret = False
    for place, part in enumerate(parts):
        if not isinstance(part, Value):
            continue
        is_called_so = part.is_secret or _is_named_secret(parts[:place])
        is_secret |= is_called_so or sounds
        if is_called_so or (sounds and not is_ordinary(part.text)):
            secrets.update((form, part.typed) for form in forms_of_secret(part.text))
    beginning, rest = "", parts
    if isinstance(parts[0], str) and parts[0].startswith("-"):
        # What follows the '=' of a flag is its value.
        flag, equals, value = parts[0].partition("=")
        beginning, rest = flag + equals, [value, *parts[1:]]
    shown = "".join(part if isinstance(part, str) else part.typed for part in rest)
    return Word(beginning, _join_text(rest, keeps_braced), shown, is_filled=True, is_secret=is_secret)


def _is_named_secret(before: Sequence[Value | Reference | str]) -> bool:
    """``PASSWORD=$value`` is a secret, whatever the variable is called."""
    return any(isinstance(part, str) and sounds_secret(part) for part in before)


def _join_text(parts: Sequence[Value | Reference | str], keeps_braced: bool) -> str:
    """The text of a word; for a spec, in which only a `Reference` is filled in."""
    runs: list[str] = [""]
    for part in parts:
        if not isinstance(part, Reference):
            runs[-1] += part.text if isinstance(part, Value) else part
            continue
        if runs[-1].endswith("$"):
            _refuse(f"a '$' right before '{part.typed}' cannot be written in a line. Nothing was done")
        runs += [part.typed, ""]
    if not keeps_braced:
        return "".join(runs)
    return "".join(run if place % 2 else run.replace("${", "$${") for place, run in enumerate(runs))


def _refuse(message: str) -> NoReturn:
    from primepods_magic.api.errors import InvalidRequest

    raise InvalidRequest(message)
