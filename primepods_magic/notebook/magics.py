"""The magics ``%pods`` and ``%%pod_create``: parse the line, run the command, return its result.

Loading the extension imports this module, so whatever only a command needs is imported by the first one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
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

from .command_list import COMMANDS, format_overview
from .shell.error_frames import without_values
from .shell.interrupts import load_modules

if TYPE_CHECKING:
    from argparse import Namespace

    from primepods_magic.notebook.input.arguments import ArgumentParser
    from primepods_magic.notebook.input.expansion import ExpandedLine, Several, Word
    from primepods_magic.notebook.progress.live import ProgressDisplays
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["PodsMagics", "parser_of"]


@magics_class
class PodsMagics(Magics):
    """The magics of primepods_magic.

    ``%config PodsMagics`` lists these settings. ``%config PodsMagics.max_price_usd_hr = 4`` changes one here,
    and ``c.PodsMagics.max_price_usd_hr = 4`` in ``ipython_config.py`` changes it for every notebook.

    Parameters
    ----------
    shell : InteractiveShell
        The shell they belong to.
    """

    shell: Any
    max_price_usd_hr = Float(
        None, allow_none=True, min=0, help="Limit for one pod in USD per hour, including its disk."
    ).tag(config=True)
    max_burn_usd_hr = Float(
        None,
        allow_none=True,
        min=0,
        help="Limit for all your live pods together, including those about to be launched, in USD per "
        "hour. Disks that are billed separately do not count.",
    ).tag(config=True)
    max_month_usd = Float(
        None,
        allow_none=True,
        min=0,
        help="Budget for all your pods and disks in this month (UTC), in USD: launches that would pass it "
        "are refused.",
    ).tag(config=True)
    consent = Enum(
        ["ask", "given"],
        "ask",
        help="'ask' before every launch, or 'given' to launch up to max_price_usd_hr without a question. "
        "Prepaid hours and terminating a pod always need confirmation.",
    ).tag(config=True)
    settle_s = Float(
        60.0, min=0, help="Seconds to search for the pod of a create request whose outcome is unknown."
    ).tag(config=True)
    poll_interval_s = Float(
        None,
        allow_none=True,
        min=0.2,
        help="Seconds between two polls of watched pods; by default 5 for the live service and 0.5 for a "
        "sandbox.",
    ).tag(config=True)
    default_image = Unicode("", help="Image for launches that name neither an image nor a template.").tag(
        config=True
    )
    default_region = Unicode(
        "", help="Region for launches that name no region, country, data center or offer."
    ).tag(config=True)
    default_team = Unicode(
        "", help="Id of the team billed for launches that name none; overrides PRIME_TEAM_ID."
    ).tag(config=True)
    display = Enum(
        ["auto", "widgets", "text"],
        "auto",
        help="Progress display: 'auto' picks widgets, terminal bars or lines of text; the others force one.",
    ).tag(config=True)
    timezone = Unicode(
        "local",
        help="Time zone in which times are shown: 'local' is this computer's, 'UTC', or a name such as "
        "'Europe/Paris'. DataFrames keep UTC.",
    ).tag(config=True)
    greet = Bool(
        True, help="On loading, print how many pods were running when last seen, and what they cost."
    ).tag(config=True)

    cell_costs = Bool(True, help="Below each %%pod cell, show what it cost and how busy the GPUs were.").tag(
        config=True
    )

    kernels = Enum(
        ["off", "auto"],
        "off",
        help="'auto' puts your ready pods into the kernel picker of Jupyter, as '%pods kernel' does.",
    ).tag(config=True)

    def __init__(self, shell: Any, **options: Any) -> None:
        self._displays: ProgressDisplays | None = None
        self.undo: list[Callable[[], object]] = []
        super().__init__(shell, **options)
        self._apply_zone()

    @validate("max_price_usd_hr", "max_burn_usd_hr", "max_month_usd", "settle_s", "poll_interval_s")
    def _reject_non_finite(self, proposal: Any) -> Any:
        # NaN is neither above nor below anything, so it would never limit.
        if proposal["value"] is not None and not isfinite(proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} must be a finite number, not {proposal['value']}")
        return proposal["value"]

    @validate("timezone")
    def _check_zone(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name != "local":
            from primepods_magic.api.text.time_zones import zone

            try:
                zone(name)
            except ValueError as error:
                raise TraitError(f"timezone: {error}") from None
        return name

    @observe("timezone")
    def _apply_zone(self, _: Any = None) -> None:
        """Show times in the zone of this setting from now on."""
        from primepods_magic.api.text.instants import use_zone

        if self.timezone == "local":
            use_zone(None)
        else:
            from primepods_magic.api.text.time_zones import zone

            use_zone(zone(self.timezone))

    @property
    def live(self) -> ProgressDisplays:
        """The live displays of this shell, created when first needed."""
        if self._displays is None:
            from primepods_magic.notebook.progress.live import ProgressDisplays

            self._displays = ProgressDisplays(self.shell)
        self._displays.setting = self.display
        return self._displays

    @property
    def connection(self) -> Connection:
        """The connection in use. Without a key, a person gets the sandbox; a pipeline does not."""
        from primepods_magic.notebook.shell.kernel import has_front_end
        from primepods_magic.pods.connection.current import current

        connection = current(sandbox_without_key=has_front_end(self.shell))
        connection.poll_interval_s = self.poll_interval_s
        return connection

    @no_var_expand
    @needs_local_scope
    @line_magic
    @without_values
    def pods(self, line: str = "", local_ns: Mapping[str, Any] | None = None) -> Any:
        from primepods_magic.notebook.input.command_words import CREATE_WORDS, split_command

        first, rest = [*line.split(None, 1), "", ""][:2]
        if first == "exec":
            words, command = split_command(rest)
            call = partial(self._call_command, "exec", command=command)
            result, is_silenced = self._run_line(words, local_ns, call)
        elif first.casefold() in CREATE_WORDS:
            _say_other_name(first, "%pod_create")
            create = partial(self._call_command, "create", cell=None)
            result, is_silenced = self._run_line(rest, local_ns, create, keeps_braced=True)
        else:
            result, is_silenced = self._run_line(line, local_ns, self._run_command)
        return None if is_silenced and self._is_last("pods", line) else result

    def _run_command(self, line: ExpandedLine) -> Any:
        from primepods_magic.notebook.input.command_words import describe_unknown, find_command
        from primepods_magic.notebook.input.expansion import ExpandedLine, Several, Word

        words = list(line.words)
        first = words[0] if words else Word("")
        if isinstance(first, Several):
            raise _invalid_request(
                f"'{first.shown}' is a list, not a command. Run '%pods -h' for the list of commands"
            )
        if not first.is_filled and first.typed in ("-h", "--help", "help"):
            self.show_help(f"{format_overview()}\n")
            return None
        is_overview = not words or (first.typed.startswith("-") and not first.is_filled)
        name = "overview" if is_overview else find_command(first.text, COMMANDS)
        if name is None:
            raise _invalid_request(describe_unknown(first.text, COMMANDS, _read_pod_word(words[1:])))
        if not is_overview and name != first.text:
            _say_other_name(first.text, f"%pods {name}")
        return self._call_command(name, ExpandedLine(words[0 if is_overview else 1 :], secrets=line.secrets))

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @without_values
    def pod_create(
        self, line: str = "", cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Any:
        """Rent a pod.

        The body is a few lines of YAML, or the API's own JSON body; on a line, use flags instead.

            %%pod_create
            name: train
            gpu: H100_80GB

            %pod_create --gpu H100_80GB --count 8 --name big --max-price 20 --dry-run

        Running the cell again returns the existing pod; it never rents a second one.
        '%pod_create -h' lists the fields and the flags.
        """
        create = partial(self._call_command, "create", cell=cell)
        result, is_silenced = self._run_line(line, local_ns, create, keeps_braced=True)
        return None if is_silenced and (cell or self._is_last("pod_create", line)) else result

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @without_values
    def pod(self, line: str = "", cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run the cell on a pod, in an IPython kernel there that keeps its variables.

            %%pod train
            !nvidia-smi -L
            x = 6 * 7

        '%pod -h' lists the options.
        """
        result, is_silenced = self._run_line(line, local_ns, partial(self._call_command, "pod", cell=cell))
        return None if is_silenced else result

    def _run_line(
        self,
        line: str,
        local_ns: Mapping[str, Any] | None,
        call: Callable[..., Any],
        keeps_braced: bool = False,
    ) -> tuple[Any, bool]:
        """Expand a line and run its command; return the result, and whether the line ends with ``;``.

        No error repeats a secret that was filled in.
        """
        load_modules(*_RUN_MODULES)
        from primepods_magic.api.errors import PodsError
        from primepods_magic.notebook.input.expansion import expand_variables
        from primepods_magic.notebook.input.values import hide_secrets

        names = {**self.shell.user_ns, **(local_ns or {})}
        typed = expand_variables(line, names, keeps_braced=keeps_braced)
        extra = {"names": names, "secrets": typed.secrets} if keeps_braced else {}
        try:
            return call(typed, **extra), typed.is_silenced
        except PodsError as error:
            hide_secrets(error, typed.secrets)
            raise

    def _call_command(self, name: str, line: ExpandedLine, **extra: Any) -> Any:
        from primepods_magic.notebook.input.arguments import HelpWanted
        from primepods_magic.notebook.shell.output import say
        from primepods_magic.pods.support.notices import redirect_warnings

        command, parser = self.find_command(name)
        if name == "create" and extra["cell"] is None:
            parser.prog = "%pod_create"
        try:
            args = parser.parse(line.words)
        except HelpWanted as wanted:
            self.show_help(str(wanted))
            return None
        if args.out is not None:
            from primepods_magic.remote.values.remote_value import find_name_problem

            problem = find_name_problem(args.out)
            if problem:
                parser.error(f"{args.out!r} {problem} (-o NAME)")
        self.prepare(name, args, extra)
        load_modules(*_COMMAND_MODULES)
        with redirect_warnings(lambda text: say(f"Warning: {text}")):
            result = command.run(self, args, **extra)
        self._keep_up()
        self.store(result, args.out)
        return None if args.out else result

    def _keep_up(self) -> None:
        """After a command, say what the guards have done, and bring the kernel picker in step."""
        from primepods_magic.notebook.shell.output import say
        from primepods_magic.pods.connection.current import in_use
        from primepods_magic.pods.guards.arming import keep_guards
        from primepods_magic.remote.kernels.keeping import keep_kernel_specs

        connection = in_use()
        if connection is not None:
            keep_kernel_specs(connection, adds=self.kernels == "auto")
            for line in keep_guards(connection):
                say(f"Guard: {line}")

    def _is_last(self, magic: str, line: str) -> bool:
        """Return whether the cell ends with exactly this line; ``df = %pods …;`` keeps its result."""
        cells = self.shell.history_manager.input_hist_raw
        last_line = cells[-1].strip().rpartition("\n")[2] if cells else ""
        return last_line.lstrip("%").split() == [magic, *line.split()]

    def find_command(self, name: str) -> tuple[Any, ArgumentParser]:
        """Return the module of a command and its parser."""
        return parser_of(name)

    def show_help(self, text: str) -> None:
        """Print a help text."""
        from primepods_magic.notebook.shell.output import say

        say(text, end="")

    def prepare(self, name: str, args: Namespace, extra: dict[str, Any]) -> None:
        """Do nothing; a front end may refuse arguments, or change what a command is called with."""

    def store(self, result: Any, out: str | None) -> None:
        """Store a result in the variable that ``-o`` names, if any."""
        if out:
            self.shell.push({out: result})


_RUN_MODULES = ("primepods_magic.notebook.input.arguments", "primepods_magic.notebook.shell.output")
_COMMAND_MODULES = ("primepods_magic.frames.rendering", "primepods_magic.pods.launching.launch")


def parser_of(
    name: str, add_result: Callable[[ArgumentParser], None] | None = None
) -> tuple[Any, ArgumentParser]:
    """Return the module of a command and the parser of its words; loads nothing heavy.

    ``add_result`` adds the option ``-o``, by default the one that names a variable.
    """
    load_modules(f"{__package__}.commands.{name}")
    from primepods_magic.notebook.input.arguments import ArgumentParser, add_out

    command = sys.modules[f"{__package__}.commands.{name}"]
    prog = {"create": "%%pod_create", "overview": "%pods", "pod": "%%pod"}.get(name, f"%pods {name}")
    parser = ArgumentParser(prog, description=command.__doc__)
    command.add_arguments(parser)
    (add_result or add_out)(parser)
    return command, parser


def _invalid_request(message: str) -> Exception:
    from primepods_magic.api.errors import InvalidRequest

    return InvalidRequest(message)


def _read_pod_word(words: Sequence[Word | Several]) -> str:
    """Return the first word if it can be typed again as it is, else the name of a pod as an example."""
    from primepods_magic.notebook.input.expansion import Word, quote_word

    for word in words[:1]:
        if isinstance(word, Word) and not word.is_filled and quote_word(word.typed) == word.typed:
            return word.typed
    return "train"


def _say_other_name(word: str, ours: str) -> None:
    from primepods_magic.notebook.shell.output import say

    say(f"'%pods {word}' is '{ours}'")


PodsMagics.pods.__doc__ = format_overview()
