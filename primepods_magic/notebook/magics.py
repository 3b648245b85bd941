"""``%pods`` and ``%%pod_create``: read the line, call the command, hand over its answer."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Callable, Mapping
from functools import partial, wraps
from importlib import import_module
from math import isfinite
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import Bool, Enum, Float, TraitError, Unicode, observe, validate

from primepods_magic.api.validation.suggest import suggest
from primepods_magic.notebook.input.arguments import ArgumentParser, HelpWanted, add_out
from primepods_magic.notebook.input.expansion import ExpandedLine, Several, Word, expand_variables
from primepods_magic.notebook.input.values import hide_secrets
from primepods_magic.notebook.progress.live import ProgressDisplays
from primepods_magic.notebook.shell.interrupts import interrupts_held
from primepods_magic.notebook.shell.output import say

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["COMMANDS", "PodsMagics", "parser_of"]

COMMANDS = {
    "ls": "your pods",
    "show": "everything about one pod",
    "status": "the state of pods, by one status request for many",
    "avail": "what is on offer, cheapest first",
    "launcher": "find, configure, launch and look after pods by mouse or keyboard",
    "watch": "live progress bars",
    "wait": "wait until pods are ready",
    "logs": "the logs of a pod",
    "ssh": "how to get into a pod, by ssh, scp, rsync and VS Code",
    "rm": "end pods, verify that they are gone, and say what they cost",
    "history": "what was rented, and what it cost",
    "costs": "where the money went: by whom, on what, when",
    "cache": "what is kept of the history on this computer",
    "wallet": "what there is to spend, and what was billed last",
    "disks": "disks, which bill by themselves",
    "keys": "SSH keys that can log in to your pods",
    "teams": "your teams, and who is in them",
    "connect": "where requests go",
    "doctor": "what is wrong with the set-up",
}
"""Each is a module under ``commands``: ``add_arguments(parser)`` and ``run(magics, args)``, which imports
what it needs, so that completion can ask for the arguments of all of them at once."""

_OTHER_WORDS = {
    "create new launch rent run up start": "%pod_create",
    "list ps all": "%pods ls",
    "get info describe inspect": "%pods show",
    "availability offers gpus search find": "%pods avail",
    "terminate delete remove kill end destroy": "%pods rm",
    "log": "%pods logs",
    "balance billing credits": "%pods wallet",
    "cost spend spending usage bill": "%pods costs",
    "progress follow top": "%pods watch",
    "gui widget ui app launch-ui": "%pods launcher",
    "key": "%pods keys",
    "team members": "%pods teams",
    "disk": "%pods disks",
    "login auth whoami config": "%pods connect",
    "help": "%pods -h",
}
"""What people try who know another command line."""

_STOPPING = frozenset(
    "stop pause suspend hibernate halt shutdown poweroff down resume restart reboot".split()
)
"""What other services do with a machine and keep its disk."""


def _without_values(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a magic so that no frame of its errors holds a value: verbose tracebacks would show the variables
    of the notebook, and secrets that are typed in the cell.

    An error that the user is to see, or Ctrl-C, leaves the frames behind that it came through. Of any other,
    the lines stay.
    """

    @wraps(magic)
    def call(self: PodsMagics, *args: Any, **named: Any) -> Any:
        from primepods_magic.api.errors import PodsError

        failure: BaseException
        handled = sys.exc_info()[1]
        try:
            return magic(self, *args, **named)
        except (PodsError, KeyboardInterrupt) as error:
            error.__cause__ = error.__context__ = None
            failure = error.with_traceback(None)
        except BaseException as error:  # noqa: BLE001 - it is raised below
            _clear_frames(error, handled)
            failure = error
        args, named = (), {}
        raise failure

    return call


def _clear_frames(error: BaseException, handled: BaseException | None) -> None:
    """Clear the variables of all frames that an error, and those that it came from, went through; one that
    the user's code was handling already is the user's."""
    seen = {id(handled)}
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            clear_frames(each.__traceback__)
            waiting += [each.__cause__, each.__context__]


@magics_class
class PodsMagics(Magics):
    """The magics of primepods_magic. ``%config PodsMagics`` lists these settings; ``%config
    PodsMagics.max_price_usd_hr = 4`` changes one here, and ``c.PodsMagics.max_price_usd_hr = 4`` in
    ``ipython_config.py`` for every notebook.

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
        help="Ceiling for all my live pods and those to be launched together, in USD per hour. Disks that "
        "bill by themselves are not counted.",
    ).tag(config=True)
    consent = Enum(
        ["ask", "given"],
        "ask",
        help="Before money moves: 'ask', or 'given' for every launch under max_price_usd_hr, which has to be "
        "set for that. Prepaid hours and ending a pod are asked for all the same.",
    ).tag(config=True)
    settle_s = Float(
        60.0, min=0, help="How many seconds to look for the pod of a create that got no clear answer."
    ).tag(config=True)
    poll_interval_s = Float(
        None,
        allow_none=True,
        min=0.2,
        help="Seconds between two looks at pods that are watched; 5 at the live service and 0.5 at a sandbox "
        "unless set.",
    ).tag(config=True)
    default_image = Unicode("", help="Image of launches that name neither an image nor a template.").tag(
        config=True
    )
    default_region = Unicode(
        "", help="Region of launches that name no region, country, data center or offer."
    ).tag(config=True)
    default_team = Unicode(
        "", help="Id of the team that is billed for launches that name none; beats PRIME_TEAM_ID."
    ).tag(config=True)
    display = Enum(
        ["auto", "text"],
        "auto",
        help="Progress in the form that fits ('auto': widgets, a terminal's bars or lines), or as lines of "
        "text only.",
    ).tag(config=True)
    greet = Bool(
        True, help="On loading, say how many pods were running when last seen, and what they cost."
    ).tag(config=True)

    def __init__(self, shell: Any) -> None:
        self.live = ProgressDisplays(shell)
        super().__init__(shell)
        self.live.as_text = self.display == "text"

    @validate("max_price_usd_hr", "max_burn_usd_hr", "settle_s", "poll_interval_s")
    def _reject_non_finite(self, proposal: Any) -> Any:
        # NaN is above and below nothing, so that it would be no limit at all.
        if proposal["value"] is not None and not isfinite(proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} is a finite number, not {proposal['value']}")
        return proposal["value"]

    @observe("display")
    def _display_changed(self, change: Any) -> None:
        self.live.as_text = change["new"] == "text"

    @property
    def connection(self) -> Connection:
        """Where requests go. A person without a key gets the sandbox; a pipeline does not."""
        from primepods_magic.notebook.shell.kernel import has_front_end
        from primepods_magic.pods.connection.current import current

        connection = current(sandbox_without_key=has_front_end(self.shell))
        connection.poll_interval_s = self.poll_interval_s
        return connection

    @no_var_expand
    @needs_local_scope
    @line_magic
    @_without_values
    def pods(self, line: str = "", local_ns: Mapping[str, Any] | None = None) -> Any:
        # Its documentation is written below, from the list of commands.
        answer, ends = self._run(line, local_ns, self._run_command)
        return None if ends and self._is_last("pods", line) else answer

    def _run_command(self, line: ExpandedLine) -> Any:
        words = list(line.words)
        first = words[0] if words else Word("")
        if isinstance(first, Several):
            raise _invalid(f"'{first.shown}' is a list, not a command; '%pods -h' lists the commands")
        if not first.is_filled and first.typed in ("-h", "--help"):
            say(_overview())
            return None
        is_overview = not words or (first.typed.startswith("-") and not first.is_filled)
        name = "overview" if is_overview else first.text
        if name not in COMMANDS and name != "overview":
            raise _invalid(_no_command(name))
        return self._call(name, ExpandedLine(words[0 if is_overview else 1 :], secrets=line.secrets))

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @_without_values
    def pod_create(
        self, line: str = "", cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Any:
        """Rent a pod. The body is a few lines of YAML, or the API's own JSON body; as a line, flags say the
        same.

            %%pod_create
            name: train
            gpu: H100_80GB

            %pod_create --gpu H100_80GB --count 8 --name big --max-price 20 --dry-run

        Running the cell again answers with the pod that is there; it never buys a second one.
        '%pod_create -h' lists the fields and the flags.
        """
        create = partial(self._call, "create", cell=cell)
        answer, ends = self._run(line, local_ns, create, keeps_braced=True)
        return None if ends and (cell or self._is_last("pod_create", line)) else answer

    def _run(
        self,
        line: str,
        local_ns: Mapping[str, Any] | None,
        call: Callable[..., Any],
        keeps_braced: bool = False,
    ) -> tuple[Any, bool]:
        """Fill a line in and call its command; return the answer, and whether the line asks to show nothing.
        No error has a secret that was filled in."""
        from primepods_magic.api.errors import PodsError

        names = {**self.shell.user_ns, **(local_ns or {})}
        typed = expand_variables(line, names, keeps_braced=keeps_braced)
        extra = {"names": names, "secrets": typed.secrets} if keeps_braced else {}
        try:
            return call(typed, **extra), typed.is_silenced
        except PodsError as error:
            hide_secrets(error, typed.secrets)
            raise

    def _call(self, name: str, line: ExpandedLine, **extra: Any) -> Any:
        command, parser = parser_of(name)
        try:
            args = parser.parse(line.words)
        except HelpWanted as wanted:
            say(wanted, end="")
            return None
        if args.out is not None and (not args.out.isidentifier() or keyword.iskeyword(args.out)):
            parser.error(f"{args.out!r} is not a name for a variable (-o NAME)")
        with interrupts_held():
            for module in _LOADED_TO_RUN:
                import_module(module)
        answer = command.run(self, args, **extra)
        self.store(answer, args.out)
        return None if args.out else answer

    def _is_last(self, magic: str, line: str) -> bool:
        """The cell ends with this very ``%pods …;``, whose answer is not to be shown; ``df = %pods …;`` is
        another line, and keeps it."""
        cells = self.shell.history_manager.input_hist_raw
        last_line = cells[-1].strip().rpartition("\n")[2] if cells else ""
        return last_line.lstrip("%").split() == [magic, *line.split()]

    def store(self, answer: Any, out: str | None) -> None:
        """Keep an answer under the name that ``-o`` gave, where it gave one."""
        if out:
            self.shell.push({out: answer})


_LOADED_TO_RUN = ("primepods_magic.frames.rendering", "primepods_magic.pods.launching.launch")


def parser_of(name: str) -> tuple[Any, ArgumentParser]:
    """The module of a command, and the parser of its words; loads nothing heavy."""
    with interrupts_held():
        command = import_module(f".commands.{name}", __package__)
    prog = {"create": "%%pod_create", "overview": "%pods"}.get(name, f"%pods {name}")
    parser = ArgumentParser(prog, description=command.__doc__)
    command.add_arguments(parser)
    add_out(parser)
    return command, parser


def _invalid(message: str) -> Exception:
    from primepods_magic.api.errors import InvalidRequest

    return InvalidRequest(message)


def _no_command(name: str) -> str:
    """What to say of a command that there is not, and which one is meant."""
    from primepods_magic.api.text.sanitize import sanitize

    if name in _STOPPING:
        return (
            f"there is no '%pods {name}': a pod cannot be stopped here and started again. It is billed until "
            "'%pods rm' terminates it, and then its disk and all that is on it are lost. Nothing was done"
        )
    ours = next((right for words, right in _OTHER_WORDS.items() if name in words.split()), None)
    hint = f" (that is '{ours}' here)" if ours else suggest(name, COMMANDS)
    return f"there is no '%pods {sanitize(name)}'{hint}; '%pods -h' lists the commands"


def _overview() -> str:
    rows = "".join(f"\n  %pods {name:<10}{what}" for name, what in {"": "at a glance", **COMMANDS}.items())
    return (
        f"Rent, watch and end GPU pods.\n{rows}\n  %%pod_create    rent a pod, or several\n\n"
        "'%pods COMMAND -h' explains one, with examples. Every listing is a DataFrame: df = %pods ls\n"
        "POD is a name, an id, or the beginning of an id. A last ';' shows nothing; '# …' is a comment.\n"
        "$name and {expr} are filled in. Each value is one argument, whatever is in it; a list or a column\n"
        "of a frame is one argument for each of its values: '%pods rm {mine.id}'. $$name, {{ and }} are\n"
        "text, and so are braces in quotation marks that hold no expression with a name: 'name~^[a-z]{3}'.\n"
        "'%config PodsMagics' lists the settings.\n\n"
        "  %pods avail --gpu H100_80GB\n"
        "  %pod_create --gpu H100_80GB --name train --wait\n"
        "  %pods ssh train\n"
        "  %pods rm train"
    )


PodsMagics.pods.__doc__ = _overview()
