"""``%pods`` and ``%%pod_create``: read the line, call the command, hand over its answer."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from traitlets import Float

from .arguments import ArgumentParser, HelpWanted, add_out, suggestion, words_of
from .interrupts import interrupts_held
from .live import LiveDisplays

if TYPE_CHECKING:
    from primepods_magic.pods.connection import Connection

__all__ = ["COMMANDS", "PodsMagics"]

COMMANDS = {
    "ls": "your pods",
    "show": "everything about one pod",
    "status": "the state of pods, by one request for many",
    "avail": "what can be rented, cheapest first",
    "watch": "live progress bars",
    "wait": "wait until pods are ready",
    "logs": "the logs of a pod",
    "rm": "end pods, verify that they are gone, and say what they cost",
    "history": "what has ended, and what it cost",
    "connect": "where requests go",
    "doctor": "what is wrong with the set-up",
}
"""Each is a module under ``commands``: ``add_arguments(parser)`` and ``run(magics, args)``."""


@magics_class
class PodsMagics(Magics):
    """The magics of primepods_magic.

    Parameters
    ----------
    shell : InteractiveShell
        Where they are used.
    """

    shell: Any
    max_price_usd_hr = Float(
        None, allow_none=True, min=0, help="Ceiling for one pod in USD per hour, its disk included."
    ).tag(config=True)
    max_burn_usd_hr = Float(
        None,
        allow_none=True,
        min=0,
        help="Ceiling for all my live pods and the one to be launched together, in USD per hour.",
    ).tag(config=True)

    settle_s = Float(
        60.0, min=0, help="Seconds in which the pod of a create without a good answer may still appear."
    ).tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.live = LiveDisplays(shell)

    @property
    def connection(self) -> Connection:
        """Where requests go. A person without a key gets the sandbox; a pipeline does not."""
        from primepods_magic.pods.connection import current

        from .views import has_front_end

        return current(sandbox_without_key=has_front_end(self.shell))

    @line_magic
    def pods(self, line: str = "") -> Any:
        """%pods COMMAND …

        Rent, watch and end GPU pods. '%pods -h' lists the commands, '%pods COMMAND -h' explains one.

            %pods avail --gpu H100_80GB
            %pods ls
            df = %pods history
        """
        words = words_of(line)
        if words and words[0] in ("-h", "--help"):
            print(_overview())
            return None
        name = words.pop(0) if words and not words[0].startswith("-") else "ls"
        if name not in COMMANDS:
            from primepods_magic.api.errors import InvalidRequest

            raise InvalidRequest(
                f"there is no '%pods {name}'{suggestion(name, COMMANDS)}; '%pods -h' lists the commands"
            )
        answer = self._call(f"%pods {name}", _load_command(name), words)
        return None if self._is_silenced(line) else answer

    @line_cell_magic
    def pod_create(self, line: str = "", cell: str | None = None) -> Any:
        """%%pod_create [--wait] [--timeout T] [--dry-run] [--new] [-y] [-o NAME]

        Rent a pod. The body is the API's own JSON body, or a few lines of YAML:

            %%pod_create
            name: train
            gpu: H100_80GB

        Running the cell again answers with the pod that is there; it never buys a second one.
        '%pod_create -h' tells more.
        """
        return self._call("%%pod_create", _load_command("create"), words_of(line), cell=cell)

    def _call(self, prog: str, command: Any, words: list[str], **extra: Any) -> Any:
        parser = ArgumentParser(prog, description=command.__doc__)
        command.add_arguments(parser)
        add_out(parser)
        try:
            args = parser.parse(words)
        except HelpWanted as wanted:
            print(wanted, end="")
            return None
        if args.out is not None and (not args.out.isidentifier() or keyword.iskeyword(args.out)):
            parser.error(f"'{args.out}' is not a name for a variable (-o NAME)")
        answer = _without_frames(lambda: command.run(self, args, **extra))
        self.store(answer, args.out)
        return None if args.out else answer

    def _is_silenced(self, line: str) -> bool:
        """The cell ends with this very ``%pods …;``, whose answer is not to be shown; ``df = %pods …;`` is
        another line, and keeps it."""
        cells = self.shell.history_manager.input_hist_raw
        last_line = cells[-1].strip().rpartition("\n")[2] if cells else ""
        return line.rstrip().endswith(";") and last_line.lstrip("%").split() == ["pods", *line.split()]

    def store(self, answer: Any, out: str | None) -> None:
        """Keep an answer under the name that ``-o`` gave, where it gave one."""
        if out:
            self.shell.push({out: answer})


def _without_frames(call: Callable[[], Any]) -> Any:
    """What a call answers; an error of ours leaves the frames behind that it came through. Nobody is shown
    them, and what is in them, such as a secret, could be."""
    from primepods_magic.api.errors import PodsError

    try:
        return call()
    except PodsError as error:
        failure = error
    failure.__cause__ = failure.__context__ = None
    raise failure.with_traceback(None)


def _load_command(name: str) -> Any:
    with interrupts_held():
        return import_module(f".commands.{name}", __package__)


def _overview() -> str:
    rows = "".join(f"\n  %pods {name:<9}{what}" for name, what in COMMANDS.items())
    return (
        f"Rent, watch and end GPU pods.\n{rows}\n  %%pod_create    rent a pod\n\n"
        "'%pods COMMAND -h' explains one. Every listing is a DataFrame: df = %pods ls"
    )
