"""The commands of ``%pods`` in a shell: `primepods COMMAND`, for scripts, pipes and schedulers."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .script_shell import ScriptMagics

__all__ = ["main"]

FORMATS = ("table", "json", "csv")
_SHOWS_OUTPUT = ("exec", "logs", "attach")
"""Commands whose own output is the result."""
_IN_NOTEBOOKS = {
    "launcher": "'primepods avail' lists offers, and 'primepods create' rents",
    "watch": "'primepods wait NAME' waits, and shows the progress",
    "kernel": "Run '%pods kernel' in a notebook",
    "env": "Run '%pods env' in a notebook, whose imports it compares",
}
_CLOSED_PIPE, _INTERRUPTED = 141, 130
_WORDS = (
    (
        re.compile("run '%pods connect --sandbox'"),
        "start 'python -m primepods_magic.sandbox' and set PRIMEPODS_SANDBOX_URL to its address",
    ),
    (re.compile(r"%{1,2}pod_create\b"), "primepods create"),
    (re.compile(r"%pods\b"), "primepods"),
    (re.compile(r" \(in Python: [^)]*\)"), ""),
    (re.compile(r" as %%pod_create,"), ""),
)
_HELP = """Rent, watch and terminate GPU pods from a shell.

  primepods [-o table|json|csv] COMMAND ...
  primepods create --gpu H100_80GB --name train --max-price 3 -y
  primepods create -f train.yaml -y
  primepods ls -o json | jq '.[].name'
  primepods exec train -- nvidia-smi

The commands and their flags are those of %pods in a notebook; 'primepods COMMAND -h' explains each. Results
go to stdout, everything else to stderr. In JSON, times are ISO 8601 in UTC and lengths of time are seconds;
what is missing is null. Without a terminal nothing is asked: what needs consent is refused without -y.
The key is PRIME_API_KEY or that of 'prime login', and settings of IPython's profile apply.

Exit codes: 0 done, 1 failed, 2 wrong usage or not confirmed, 3 no key or no right, 4 not found, 5 refused by
a limit or sold out, 6 it is not known whether something is billed, 7 try again later, 130 Ctrl-C. 'exec'
returns the code of the command.

Commands:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the name of the program; by default those of this process.

    Returns
    -------
    int
        0 if it succeeded; the help lists the others.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run_words(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has what it wanted. Python flushes again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    return code


def _run_words(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        from .command_list import COMMANDS

        names = [name for name in COMMANDS if name not in _IN_NOTEBOOKS]
        rows = [
            f"  {'create':<10}rent one or more pods",
            *(f"  {name:<10}{COMMANDS[name]}" for name in names),
        ]
        print(_HELP + "\n".join(rows))
        return 0
    try:
        form, words = _take_format(words)
        return _run_command(words, form)
    except _WrongUsage as error:
        _tell(f"{error}. Nothing was done")
        return 2


class _WrongUsage(Exception):
    """A word of the command line that has no sense."""


def _take_format(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the format that ``-o`` names, and the words without it; those after ``--`` are a command's."""
    end = words.index("--") if "--" in words else len(words)
    rest, form = list(words[:end]), FORMATS[0]
    for index, word in enumerate(rest):
        if word in ("-o", "--output"):
            form = (rest[index + 1 : index + 2] or [""])[0]
            del rest[index : index + 2]
            break
        if word.startswith("--output="):
            form = word.partition("=")[2]
            del rest[index]
            break
    if form not in FORMATS:
        raise _WrongUsage(f"-o takes {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return form, [*rest, *words[end:]]


def _run_command(words: list[str], form: str) -> int:
    from primepods_magic.api.errors import PodsError, WaitInterrupted
    from primepods_magic.api.text.python_words import speak_magics

    from .script_shell import open_magics

    name = words[0] if words else ""
    if name in _IN_NOTEBOOKS:
        raise _WrongUsage(f"'{name}' needs a notebook. {_IN_NOTEBOOKS[name]}")
    speak_magics()
    is_shown = name in _SHOWS_OUTPUT or bool({"-h", "--help"} & set(words))
    try:
        with _tell_on_stderr(is_shown=is_shown), open_magics() as magics:
            result = _call_command(magics, words)
            text = magics.shell.render(result, form)
    except PodsError as error:
        _tell(str(error))
        return _INTERRUPTED if isinstance(error, WaitInterrupted) else _find_code(error)
    except KeyboardInterrupt:
        _tell("Interrupted. Pods that exist stay, and are billed: '%pods ls' shows them")
        return _INTERRUPTED
    if text:
        print(text, end="" if text.endswith("\n") else "\n")
    return 0


def _call_command(magics: ScriptMagics, words: list[str]) -> Any:
    from .input.command_words import CREATE_WORDS
    from .input.expansion import ExpandedLine, Word

    name, rest = words[0], words[1:]
    if name == "exec":
        end = rest.index("--") if "--" in rest else len(rest)
        command = rest[end + 1 :]
        # One word is a shell line, as with ssh; several are a program and its arguments.
        text = command[0] if len(command) == 1 else shlex.join(command)
        line = ExpandedLine([Word(word) for word in rest[:end]])
        return magics.call("exec", line, command=text if command else None)
    if name in CREATE_WORDS:
        body, rest = _read_body(rest)
        line = ExpandedLine([Word(word) for word in rest])
        return magics.call("create", line, cell=body, names=dict(os.environ), secrets={})
    return magics.call_line(ExpandedLine([Word(word) for word in words]))


def _read_body(words: list[str]) -> tuple[str | None, list[str]]:
    """Return the body of a create that ``-f FILE`` names, ``-`` for stdin, and the other words."""
    if "-f" not in words:
        return None, words
    index = words.index("-f")
    if index + 1 == len(words):
        raise _WrongUsage("-f takes a file, or - for stdin")
    path, rest = words[index + 1], [*words[:index], *words[index + 2 :]]
    if path == "-":
        return sys.stdin.read(), rest
    from primepods_magic.api.local.atomic_files import describe_error, read_plain_file
    from primepods_magic.api.local.folders import expand_path

    try:
        return read_plain_file(expand_path(path)).decode(), rest
    except OSError as error:
        raise _WrongUsage(f"'{path}' cannot be read: {describe_error(error)}") from None
    except UnicodeDecodeError:
        raise _WrongUsage(f"'{path}' is not text") from None


def _find_code(error: Exception) -> int:
    """Return the exit code of an error, by what a script can do about it."""
    from primepods_magic.api import errors

    if isinstance(error, errors.CommandFailed) and 0 < error.exit_code < 256:
        return error.exit_code
    if getattr(error, "may_be_billed", False):
        return 6
    kinds: tuple[tuple[int, tuple[type[Exception], ...]], ...] = (
        (2, (errors.InvalidRequest, errors.LaunchRefused)),
        (3, (errors.NotConfigured, errors.AuthenticationError, errors.PermissionDenied)),
        (4, (errors.NotFound,)),
        (5, (errors.BudgetExceeded, errors.NameInUse, errors.OutOfStock, errors.PaymentRequired)),
        (7, (errors.RateLimited, errors.ServiceUnavailable, errors.WaitTimedOut)),
    )
    return next((code for code, classes in kinds if isinstance(error, classes)), 1)


def _use_script_words(text: str) -> str:
    """Return a message in the words of a shell.

    >>> _use_script_words("Run '%pods ls', or pass -y (in Python: yes=True)")
    "Run 'primepods ls', or pass -y"
    """
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text


def _tell(text: str) -> None:
    from primepods_magic.api.text.sanitize import clean_message
    from primepods_magic.api.text.stream_output import printable

    with contextlib.suppress(OSError):
        print(printable(_use_script_words(clean_message(text)), sys.stderr), file=sys.stderr, flush=True)


class _ScriptStream(io.TextIOBase):
    """A stream that writes messages in the words of a shell to another one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_use_script_words(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def flush(self) -> None:
        self._stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self._stream.encoding)


@contextlib.contextmanager
def _tell_on_stderr(*, is_shown: bool) -> Iterator[None]:
    """Write messages to stderr: stdout has nothing but the result, or the output of the command itself."""
    with contextlib.redirect_stdout(_ScriptStream(sys.stdout if is_shown else sys.stderr)):
        yield
