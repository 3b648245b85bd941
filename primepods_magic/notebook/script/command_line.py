"""The command line ``primepods``: options, the command, its result on stdout, its exit code.

The modules that only a command needs are loaded once there is one, so that the help is fast.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.python_words import speak_shell, use_shell_words
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.shell.output import results_apart, write_result

if TYPE_CHECKING:
    from primepods_magic.api.errors import PodsError

    from .magics import ScriptMagics

__all__ = ["format_help", "run"]

_CLOSED_PIPE = 141
_COLORS = re.compile(r"\x1b\[[\d;]*m")
# Commands that change nothing: Ctrl-C leaves nothing half done.
_READING = frozenset(
    """ls show status avail watch wait logs ssh jobs attach cells history costs wallet disks teams doctor
    audit""".split()
)


def format_help() -> str:
    """Return the help of ``primepods``."""
    commands = {"create": "rent one or more pods", **COMMANDS, "env": "compare packages with those on a pod"}
    rows = "".join(f"\n  {name:<11}{summary}" for name, summary in commands.items() if name != "launcher")
    return f"""Rent, watch and terminate GPU pods.

usage: primepods [--sandbox | --live | --context NAME] [COMMAND] [...]

Without a command, show pods, spending and balance at a glance.
{rows}

'primepods COMMAND -h' explains a command. POD is a name, an id, or the beginning of an id.

  --sandbox       use the sandbox on this computer, which simulates pods and bills nothing
  --live          use the live service, and refuse a sandbox
  --context NAME  use a context that 'prime config save' saved
  --version       show the version
  -o FORMAT       after a command: json (records; times in UTC, missing values null), csv or table

Results go to stdout, and messages, progress and questions to stderr. Only a terminal is asked; without one,
'-y' confirms in advance. Limits such as c.PodsMagics.max_price_usd_hr in ipython_config.py hold here, too.

Exit codes:
  0    done
  1    another error, such as a service that cannot be reached
  2    wrong usage: nothing was sent, or the service rejected it as not valid
  3    no API key, or one that is not valid or lacks a permission
  4    not found
  5    refused: not confirmed, or above a limit
  6    something may be billed: a create or a termination with an unknown outcome
  7    no offer fits now, or a wait timed out
  130  Ctrl-C
  141  stdout was closed
'primepods exec' ends with the exit code of the command on the pod.
"""


def run(words: Sequence[str]) -> int:
    """Run a command and return its exit code; its result goes to stdout, everything else to stderr."""
    words = list(words)
    speak_shell()
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    stdout = sys.stdout
    with results_apart(), _noted_interrupts() as interrupts:
        try:
            return _run_words(words, stdout, interrupts)
        except BrokenPipeError:
            # Python would complain about it when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
            return _CLOSED_PIPE
        except KeyboardInterrupt:
            is_reading = not words or words[0] in _READING
            done = (
                "What was requested before may have been done. '%pods ls' shows your pods, which are billed"
            )
            _write_error(f"Interrupted. {'Nothing was changed' if is_reading else done}")
            return 130
        except OSError as error:
            _write_error(f"The result cannot be written: {error.strerror or type(error).__name__}")
            return 1


def _run_words(words: list[str], stdout: Any, interrupts: list[int]) -> int:
    from primepods_magic.api.errors import InvalidRequest, PodsError

    try:
        chosen = _take_options(words)
        if words[:1] in (["-h"], ["--help"], ["help"]):
            write_result(format_help())
            return 0
        if words[:1] == ["--version"]:
            from primepods_magic._version import __version__

            write_result(f"primepods_magic {__version__}\n")
            return 0
    except InvalidRequest as error:
        _show_error(error)
        return 2
    magics = None
    try:
        magics = _open_magics()
        if chosen:
            _choose_service(chosen)
        from .results import has_unknown_end

        result = _call_command(magics, words)
        _write_result(magics, result, stdout)
        return 6 if has_unknown_end(result if magics.stored is None else magics.stored) else 0
    except PodsError as error:
        from .exit_codes import find_exit_code

        _show_error(error)
        if magics is not None:
            _write_result(magics, None, stdout)
        is_declined = magics is not None and magics.shell.was_declined
        return find_exit_code(error, is_interrupted=bool(interrupts), is_declined=is_declined)
    finally:
        _close(magics)


def _take_options(words: list[str]) -> dict[str, Any]:
    """Take the options in front of the command, which choose the service."""
    from primepods_magic.api.errors import InvalidRequest

    chosen: dict[str, Any] = {}
    while words:
        flag, equals, value = words[0].partition("=")
        if words[0] in ("--sandbox", "--live"):
            chosen[words.pop(0)[2:]] = True
        elif flag == "--context":
            del words[0]
            if not equals and not words:
                raise InvalidRequest("'--context' needs the name of a context. Nothing was done")
            chosen["context"] = value if equals else words.pop(0)
        else:
            break
    return chosen


def _open_magics() -> ScriptMagics:
    from traitlets import TraitError

    from primepods_magic.api.errors import NotConfigured

    from .magics import ScriptMagics, read_settings

    try:
        return ScriptMagics(read_settings())
    except TraitError as error:
        raise NotConfigured(f"A setting of PodsMagics in ipython_config.py is not valid: {error}") from None


def _choose_service(chosen: dict[str, Any]) -> None:
    from primepods_magic.pods.connection.current import connect

    connect(**chosen)


def _call_command(magics: ScriptMagics, words: list[str]) -> Any:
    from primepods_magic.notebook.input.command_words import CREATE_WORDS
    from primepods_magic.notebook.input.expansion import ExpandedLine, Word

    call: Any = magics._run_command
    command = words[0] if words else ""
    if command == "exec":
        words, line = _split_exec(words[1:])
        call = partial(magics._call_command, "exec", command=line)
    elif command.casefold() in CREATE_WORDS:
        words = words[1:]
        call = partial(magics._call_command, "create", cell=None, names={}, secrets={})
    return call(ExpandedLine(tuple(map(Word, words))))


def _split_exec(words: list[str]) -> tuple[list[str], str | None]:
    """Split at ``--``: one word after it is a line for a shell, several are a command and its arguments."""
    import shlex

    if "--" not in words:
        return words, None
    index = words.index("--")
    command = words[index + 1 :]
    return words[:index], command[0] if len(command) == 1 else shlex.join(command)


def _write_result(magics: ScriptMagics, result: Any, stdout: Any) -> None:
    from .results import write_as

    if magics.stored is None:
        write_as(result, None, stdout)
    else:
        write_as(magics.stored, magics.form, stdout)


def _show_error(error: PodsError) -> None:
    from primepods_magic.api.errors import RemoteError, is_debugging

    if is_debugging():
        import traceback

        _write_error("".join(traceback.format_exception(error)).rstrip())
    elif isinstance(error, RemoteError) and error.traceback:
        _write_error(_COLORS.sub("", "\n".join(error.traceback)))
    else:
        _write_error(f"{type(error).__name__}: {error}")


def _write_error(text: str) -> None:
    from primepods_magic.notebook.shell.output import write_stream

    write_stream("stderr", f"{use_shell_words(text)}\n")


@contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """Yield a list that holds each Ctrl-C, which raises KeyboardInterrupt as ever."""
    interrupts: list[int] = []

    def note(number: int, frame: Any) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        # A shell script that runs in the background has it ignored.
        yield interrupts
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _close(magics: ScriptMagics | None) -> None:
    """Finish the displays and the connection."""
    if magics is not None and magics._displays is not None:
        magics._displays.close()
    current = sys.modules.get("primepods_magic.pods.connection.current")
    if current is not None:
        current.disconnect()
